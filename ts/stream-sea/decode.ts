import { CAPTURE_KIND, type CaptureItem } from '../session/capture.js'
import type { MeasurandError } from '../session/errors.js'
import { WebSocketReader } from '../session/web-socket-reader.js'
import { DOWNLINK, Downlink } from './codec.js'
import { streamSeaError } from './error-codes.js'
import { EventBlock } from './event-batch.js'

/** The options of `measurand decode stream-sea`. */
export const decodeOptions = {} as const

const LIMIT = 16 << 20
/** Bytes of the head of a handshake, at most. */
const MAX_HEAD = 16_384
const OPCODES: Readonly<Record<number, string>> = { 1: 'text', 2: 'binary', 8: 'close', 9: 'ping', 10: 'pong' }

/**
 * The bytes of one direction of a WebSocket, with or without the HTTP head in front, as JSON lines: an `event` for each
 * delivery, else a `message`. Which direction it is, the mask of its frames says.
 */
export async function* decode(bytes: AsyncIterable<Uint8Array>): AsyncIterable<object> {
  const frames = new Frames()
  for await (const chunk of bytes) {
    yield* frames.take(chunk)
    if (frames.isLost) return
  }
  yield* frames.end()
}

/** A raw capture: requests and their answers, and the frames of both directions behind the handshakes. */
export async function* decodeCapture(items: AsyncIterable<CaptureItem>): AsyncIterable<object> {
  const sides = new Map<string, { offset: number; frames?: Frames }>()
  for await (const { channel, direction, kind, bytes } of items) {
    const key = `${channel} ${direction}`
    const side = sides.get(key) ?? { offset: 0 }
    sides.set(key, side)
    if (kind === CAPTURE_KIND.httpHead) yield headLine(direction, side.offset, bytes)
    else if (kind === CAPTURE_KIND.httpBody) {
      const fields = { text: Buffer.from(bytes).toString('utf8') }
      yield line(directionOf(direction), side.offset, bytes.length, 'body', fields)
    } else {
      side.frames ??= new Frames(side.offset)
      yield* side.frames.take(bytes)
    }
    side.offset += bytes.length
  }
  for (const { frames } of sides.values()) if (frames !== undefined) yield* frames.end()
}

/** The frames of one direction as lines. */
class Frames {
  /** Whether the frames cannot be told apart any more. */
  isLost = false
  /** Where they begin. */
  #base: number
  #head = Buffer.alloc(0)
  #reader: ServerFrames | ClientFrames | undefined

  constructor(base = 0) {
    this.#base = base
  }

  *take(chunk: Uint8Array): Generator<object> {
    if (this.isLost) return
    let rest = chunk
    if (this.#reader === undefined) {
      this.#head = Buffer.concat([this.#head, chunk])
      const start = headLength(this.#head)
      if (start === undefined || this.#head.length < start + 2) return
      const isMasked = ((this.#head[start + 1] as number) & 0x80) !== 0
      this.#reader = isMasked ? new ClientFrames(this.#base + start) : new ServerFrames(this.#base + start)
      rest = this.#head.subarray(start)
    }
    yield* this.#reader.take(rest)
    this.isLost = this.#reader.isLost
  }

  *end(): Generator<object> {
    const pending = this.#reader?.pending ?? this.#head.length
    if (this.isLost || pending === 0) return
    const offset = this.#reader === undefined ? this.#base : this.#reader.offset - pending
    yield malformed('ERR_STREAMSEA_FRAME_INVALID', offset, pending, 'the bytes end inside a frame')
  }
}

/** How long the HTTP head is that bytes begin with, 0 without one; undefined where that cannot be said yet. */
function headLength(bytes: Buffer): number | undefined {
  const text = bytes.toString('latin1', 0, 5)
  if (!text.startsWith('HTTP/') && !text.startsWith('GET ')) {
    return text.length < 5 && ['HTTP/', 'GET '].some((head) => head.startsWith(text)) ? undefined : 0
  }
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return bytes.length < MAX_HEAD ? undefined : 0
  return end + 4
}

/** What a server sent. */
class ServerFrames {
  isLost = false
  offset: number
  readonly #downlink = new Downlink(LIMIT, false)
  #block = new EventBlock(1024, 1 << 20)

  constructor(offset: number) {
    this.offset = offset
  }

  get pending(): number {
    return this.#downlink.pending
  }

  *take(chunk: Uint8Array): Generator<object> {
    let rest = chunk
    while (!this.isLost) {
      const status = this.#downlink.decode(rest, this.#block.bytes)
      const { consumed, length, needed } = this.#block
      this.offset += consumed
      rest = rest.subarray(consumed)
      yield* eventLines(this.#block)
      this.#block.clear()
      if (status === DOWNLINK.needMore) break
      if (status === DOWNLINK.full && length === 0) this.#block = new EventBlock(1024, needed)
      else if (status === DOWNLINK.control) yield this.#control()
      else if (status === DOWNLINK.malformed || status === DOWNLINK.lost) {
        const { code, message } = this.#downlink.takeError() as MeasurandError
        this.isLost = status === DOWNLINK.lost
        yield malformed(code, this.offset, this.isLost ? rest.length : 0, message)
      }
    }
  }

  #control(): object {
    const { opcode, payload } = this.#downlink.takeControl() ?? { opcode: 0, payload: Buffer.alloc(0) }
    const header = payload.length < 126 ? 2 : payload.length < 0x10000 ? 4 : 10
    const length = header + payload.length
    return messageLine('s2c', this.offset - length, length, opcode, payload)
  }
}

/** What a client sent. */
class ClientFrames {
  isLost = false
  readonly #base: number
  readonly #reader = new WebSocketReader((reason, offset) =>
    streamSeaError('ERR_STREAMSEA_FRAME_INVALID', reason, { offset }),
  )

  constructor(base: number) {
    this.#base = base
  }

  /** Where the bytes end that it has been given. */
  get offset(): number {
    return this.#base + this.#reader.offset + this.pending
  }

  get pending(): number {
    return this.#reader.pending
  }

  *take(chunk: Uint8Array): Generator<object> {
    try {
      for (const { opcode, offset, length, payload } of this.#reader.read(chunk)) {
        yield messageLine('c2s', this.#base + offset, length, opcode, payload)
      }
    } catch (error) {
      const { code, offset = 0, message } = error as MeasurandError
      if (code === undefined) throw error
      this.isLost = true
      yield malformed(code, this.#base + offset, this.pending, message)
    }
  }
}

function* eventLines(block: EventBlock): Iterable<object> {
  for (let row = 0; row < block.length; row++) {
    const [offset, time] = [block.offsets[row] as bigint, block.times[row] as bigint]
    yield {
      event: 'event',
      request: block.ids[row],
      ...(offset < 0n ? {} : { offset: String(offset) }),
      ...(time < 0n ? {} : { time: String(time * 1_000_000n) }),
      payload: block.text.toString('utf8', block.ends[row], block.ends[row + 1]),
    }
  }
}

function directionOf(direction: CaptureItem['direction']): string {
  return direction === 'sent' ? 'c2s' : 's2c'
}

function headLine(direction: CaptureItem['direction'], offset: number, head: Uint8Array): object {
  const [first, ...headers] = Buffer.from(head).toString('latin1').trimEnd().split('\r\n')
  const type = direction === 'sent' ? 'request' : 'response'
  return line(directionOf(direction), offset, head.length, type, { line: first, headers })
}

function messageLine(direction: string, offset: number, length: number, opcode: number, payload: Buffer): object {
  const fields = opcode === 1 ? { text: payload.toString('utf8') } : { payload: payload.toString('hex') }
  return line(direction, offset, length, OPCODES[opcode] ?? String(opcode), fields)
}

function line(direction: string, offset: number, length: number, type: string, fields: object): object {
  return { event: 'message', system: 'stream-sea', direction, offset, length, type, fields }
}

function malformed(code: string, offset: number, length: number, message: string): object {
  return { event: 'malformed', code, offset, length, message }
}
