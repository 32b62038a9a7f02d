/** A message of a WebSocket, or a control frame. */
export interface WebSocketMessage {
  /** 1 text, 2 binary, 8 close, 9 ping, 10 pong. */
  readonly opcode: number
  /** Whether it was masked: a client sent it. */
  readonly isMasked: boolean
  readonly payload: Buffer
  /** Where its first frame begins. */
  readonly offset: number
  /** Bytes of its frames. */
  readonly length: number
}

/** The longest message that is put together, bytes. */
const LIMIT = 256 << 20
const CONTROL = 8

/**
 * Reads the bytes of one direction of a WebSocket, with or without the HTTP head in front of them: for captured bytes.
 * Throws where the framing is lost; nothing can be read behind that.
 */
export class WebSocketReader {
  #rest: Buffer = Buffer.alloc(0)
  /** What came behind {@link #rest}: it is put together once, when there is enough of it. */
  #pieces: Uint8Array[] = []
  #gathered = 0
  /** Bytes without which nothing more can be read. */
  #needed = 0
  #offset = 0
  #isOpen = false
  #parts: Buffer[] = []
  #partLength = 0
  #first: { opcode: number; offset: number } | undefined
  readonly #lostError: (reason: string, offset: number) => Error

  /** @param lostError the error of the system where the framing is lost */
  constructor(lostError: (reason: string, offset: number) => Error) {
    this.#lostError = lostError
  }

  /** Bytes that belong to no whole message yet. */
  get pending(): number {
    return this.#gathered + this.#partLength
  }

  /** Where the bytes begin that are not read. */
  get offset(): number {
    return this.#offset
  }

  /** Takes bytes; gives the messages that are whole. */
  *read(chunk: Uint8Array): Generator<WebSocketMessage, void, undefined> {
    this.#gathered += chunk.length
    if (this.#gathered < this.#needed) {
      this.#pieces.push(Uint8Array.from(chunk))
      return
    }
    this.#rest = Buffer.concat([this.#rest, ...this.#pieces, chunk], this.#gathered)
    this.#pieces = []
    this.#needed = 0
    if (!this.#isOpen && !this.#skipHead()) return
    for (let frame = this.#frame(); frame !== undefined; frame = this.#frame()) {
      const { opcode, isLast, payload, isMasked, offset } = frame
      if (opcode >= CONTROL) {
        yield { opcode, isMasked, payload, offset, length: this.#offset - offset }
        continue
      }
      if ((opcode === 0) === (this.#first === undefined))
        this.#lost('a message begins inside another, or nowhere', offset)
      this.#first ??= { opcode, offset }
      this.#parts.push(payload)
      this.#partLength += payload.length
      if (this.#partLength > LIMIT) this.#lost(`a message has more than ${LIMIT} bytes`, offset)
      if (!isLast) continue
      const { opcode: kind, offset: start } = this.#first
      yield { opcode: kind, isMasked, payload: Buffer.concat(this.#parts), offset: start, length: this.#offset - start }
      this.#parts = []
      this.#partLength = 0
      this.#first = undefined
    }
  }

  /** Skips the HTTP head, if there is one; `false` where it is not whole. */
  #skipHead(): boolean {
    const head = this.#rest.subarray(0, 5).toString('latin1')
    if (head.startsWith('HTTP/') || head.startsWith('GET ')) {
      const end = this.#rest.indexOf('\r\n\r\n')
      if (end < 0) return false
      this.#skip(end + 4)
    } else if (this.#rest.length < 5 && ('HTTP/'.startsWith(head) || 'GET '.startsWith(head))) return false
    this.#isOpen = true
    return true
  }

  #frame() {
    const rest = this.#rest
    if (rest.length < 2) return undefined
    const offset = this.#offset
    const [first, second] = [rest[0] as number, rest[1] as number]
    const opcode = first & 0x0f
    if ((first & 0x70) !== 0 || (opcode > 2 && opcode < 8) || opcode > 10) {
      this.#lost(`the byte ${first.toString(16)} begins no frame`, offset)
    }
    const isMasked = (second & 0x80) !== 0
    let [length, head] = [second & 0x7f, 2]
    if (length === 126) {
      if (rest.length < 4) return undefined
      ;[length, head] = [rest.readUInt16BE(2), 4]
    } else if (length === 127) {
      if (rest.length < 10) return undefined
      const long = rest.readBigUInt64BE(2)
      if (long > BigInt(LIMIT)) this.#lost(`a frame of ${long} bytes`, offset)
      ;[length, head] = [Number(long), 10]
    }
    const start = head + (isMasked ? 4 : 0)
    if (rest.length < start + length) {
      this.#needed = start + length
      return undefined
    }
    const payload = Buffer.from(rest.subarray(start, start + length))
    if (isMasked)
      for (let at = 0; at < length; at++) payload[at] = (payload[at] as number) ^ (rest[head + (at & 3)] as number)
    this.#skip(start + length)
    return { opcode, isLast: (first & 0x80) !== 0, isMasked, payload, offset }
  }

  #skip(length: number): void {
    this.#rest = this.#rest.subarray(length)
    this.#gathered -= length
    this.#offset += length
  }

  #lost(reason: string, offset: number): never {
    throw this.#lostError(`no WebSocket: ${reason}`, offset)
  }
}
