import { randomFillSync } from 'node:crypto'

/** The opcodes of WebSocket frames. */
export const OPCODE = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** Bytes of the longest header: two, eight of a length, four of a mask. */
const HEADER = 14

/** Frames of a client, masked as the protocol wants it; those of one turn go out as one write. */
export class ClientFrames {
  #bytes = Buffer.alloc(0)
  #length = 0
  /** Bytes of the last turn: the next one is likely to need as many. */
  #before = 0

  get isEmpty(): boolean {
    return this.#length === 0
  }

  /** Appends a text. */
  text(text: string): void {
    const length = Buffer.byteLength(text)
    const start = this.#header(OPCODE.text, length)
    this.#bytes.write(text, start, length === text.length ? 'latin1' : 'utf8')
    this.#mask(start, length)
  }

  /** Appends a frame of bytes. */
  frame(opcode: number, payload: Uint8Array): void {
    const start = this.#header(opcode, payload.length)
    this.#bytes.set(payload, start)
    this.#mask(start, payload.length)
  }

  /** The frames so far, which are forgotten here. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.#length)
    this.#before = this.#length
    this.#bytes = Buffer.alloc(0)
    this.#length = 0
    return taken
  }

  /** Writes a header; gives where the payload goes, behind room for the mask. */
  #header(opcode: number, length: number): number {
    const needed = this.#length + HEADER + length
    if (needed > this.#bytes.length) {
      const bytes = Buffer.allocUnsafe(Math.max(needed, 2 * this.#length, this.#before + HEADER))
      this.#bytes.copy(bytes, 0, 0, this.#length)
      this.#bytes = bytes
    }
    const bytes = this.#bytes
    let at = this.#length
    bytes[at++] = 0x80 | opcode
    if (length < 126) bytes[at++] = 0x80 | length
    else if (length < 0x10000) {
      bytes[at++] = 0x80 | 126
      at = bytes.writeUInt16BE(length, at)
    } else {
      bytes[at++] = 0x80 | 127
      at = bytes.writeBigUInt64BE(BigInt(length), at)
    }
    return at + 4
  }

  #mask(start: number, length: number): void {
    if (usedMasks === MASKS.length) {
      randomFillSync(MASKS)
      usedMasks = 0
    }
    const bytes = this.#bytes
    for (let at = 0; at < 4; at++) bytes[start - 4 + at] = MASKS[usedMasks++] as number
    maskPayload(bytes, start, length)
    this.#length = start + length
  }
}

/** Unpredictable bytes, four for each frame. */
const MASKS = Buffer.alloc(8192)
let usedMasks = MASKS.length

/** Masks a payload, or takes the mask away, which stands before it. */
export function maskPayload(bytes: Uint8Array, start: number, length: number): void {
  const a = bytes[start - 4] as number
  const b = bytes[start - 3] as number
  const c = bytes[start - 2] as number
  const d = bytes[start - 1] as number
  const end = start + length
  let at = start
  for (; at + 3 < end; at += 4) {
    bytes[at] = (bytes[at] as number) ^ a
    bytes[at + 1] = (bytes[at + 1] as number) ^ b
    bytes[at + 2] = (bytes[at + 2] as number) ^ c
    bytes[at + 3] = (bytes[at + 3] as number) ^ d
  }
  if (at < end) bytes[at] = (bytes[at++] as number) ^ a
  if (at < end) bytes[at] = (bytes[at++] as number) ^ b
  if (at < end) bytes[at] = (bytes[at] as number) ^ c
}

/** A text frame of a server as characters of one byte each: they can be gathered, and written as `latin1`. */
export function serverFrame(text: string): string {
  const length = Buffer.byteLength(text)
  const bytes = length === text.length ? text : Buffer.from(text).toString('latin1')
  if (length < 126) return `\x81${String.fromCharCode(length)}${bytes}`
  const head = Buffer.alloc(length < 0x10000 ? 4 : 10)
  head[0] = 0x81
  if (head.length === 4) {
    head[1] = 126
    head.writeUInt16BE(length, 2)
  } else {
    head[1] = 127
    head.writeBigUInt64BE(BigInt(length), 2)
  }
  return `${head.toString('latin1')}${bytes}`
}
