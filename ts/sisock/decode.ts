import { CAPTURE_KIND, type CaptureItem } from '../session/capture.js'
import type { MeasurandError } from '../session/errors.js'
import { type WebSocketMessage, WebSocketReader } from '../session/web-socket-reader.js'
import { framingOfHead, guessFraming } from './capture.js'
import { sisockError } from './error-codes.js'
import { Framing, serializer } from './serializer.js'

/** The options of `measurand decode sisock`. */
export const decodeOptions = {
  serializer: { value: 'NAME', line: 'json, msgpack or cbor, with .batched behind it; by the bytes unless told' },
} as const

/** Types of WAMP messages and what their items are. */
const TYPES: Readonly<Record<number, readonly [name: string, ...items: string[]]>> = {
  1: ['HELLO', 'realm', 'details'],
  2: ['WELCOME', 'session', 'details'],
  3: ['ABORT', 'details', 'reason'],
  4: ['CHALLENGE', 'method', 'extra'],
  5: ['AUTHENTICATE', 'signature', 'extra'],
  6: ['GOODBYE', 'details', 'reason'],
  8: ['ERROR', 'requestType', 'request', 'details', 'error', 'args', 'kwargs'],
  16: ['PUBLISH', 'request', 'options', 'topic', 'args', 'kwargs'],
  17: ['PUBLISHED', 'request', 'publication'],
  32: ['SUBSCRIBE', 'request', 'options', 'topic'],
  33: ['SUBSCRIBED', 'request', 'subscription'],
  34: ['UNSUBSCRIBE', 'request', 'subscription'],
  35: ['UNSUBSCRIBED', 'request'],
  36: ['EVENT', 'subscription', 'publication', 'details', 'args', 'kwargs'],
  48: ['CALL', 'request', 'options', 'procedure', 'args', 'kwargs'],
  49: ['CANCEL', 'request', 'options'],
  50: ['RESULT', 'request', 'details', 'args', 'kwargs'],
  64: ['REGISTER', 'request', 'options', 'procedure'],
  65: ['REGISTERED', 'request', 'registration'],
  66: ['UNREGISTER', 'request', 'registration'],
  67: ['UNREGISTERED', 'request'],
  68: ['INVOCATION', 'request', 'registration', 'details', 'args', 'kwargs'],
  69: ['INTERRUPT', 'request', 'options'],
  70: ['YIELD', 'request', 'options', 'args', 'kwargs'],
}

const CONTROL: Readonly<Record<number, string>> = { 8: 'close', 9: 'ping', 10: 'pong' }

/**
 * The bytes of one direction of a WAMP connection (WebSocket frames, with or without the HTTP head in front) as JSON
 * lines: a `message` for each WAMP message. Which serialization it is, the first bytes say.
 */
export async function* decode(
  bytes: AsyncIterable<Uint8Array>,
  options: ReadonlyMap<string, string | true>,
): AsyncIterable<object> {
  const decoder = new StreamDecoder(toldFraming(options))
  for await (const chunk of bytes) {
    yield* decoder.take(chunk)
    if (decoder.isLost) return
  }
  yield* decoder.end()
}

/** A raw capture: of our own clients, which has WebSocket messages, or of the bytes of connections. */
export async function* decodeCapture(
  items: AsyncIterable<CaptureItem>,
  options: ReadonlyMap<string, string | true>,
): AsyncIterable<object> {
  const told = toldFraming(options)
  const framings = new Map<number, Framing>()
  const streams = new Map<string, StreamDecoder>()
  const offsets = new Map<string, number>()
  for await (const { channel, direction, kind, bytes } of items) {
    const side = `${channel} ${direction}`
    if (kind === CAPTURE_KIND.httpHead) {
      const framing = told ?? framingOfHead(bytes)
      if (framing !== undefined) framings.set(channel, framing)
    } else if (kind === CAPTURE_KIND.webSocketText || kind === CAPTURE_KIND.webSocketBinary) {
      const [offset, opcode] = [offsets.get(side) ?? 0, kind === CAPTURE_KIND.webSocketText ? 1 : 2]
      offsets.set(side, offset + bytes.length)
      const payload = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      const message = { opcode, isMasked: direction === 'sent', payload, offset, length: payload.length }
      const framing = framings.get(channel) ?? told ?? guessFraming(message)
      framings.set(channel, framing)
      yield* messages(message, framing)
    } else {
      const stream = streams.get(side) ?? new StreamDecoder(told)
      streams.set(side, stream)
      yield* stream.take(bytes)
    }
  }
  for (const stream of streams.values()) yield* stream.end()
}

function toldFraming(options: ReadonlyMap<string, string | true>): Framing | undefined {
  const told = options.get('serializer')
  if (typeof told !== 'string') return undefined
  const framing = Framing.of(`wamp.2.${told}`)
  if (framing === undefined)
    throw sisockError('ERR_SISOCK_URL', `--serializer takes json, msgpack or cbor, not ${told}`)
  return framing
}

/** The bytes of one direction of a connection as lines. */
class StreamDecoder {
  readonly #reader = new WebSocketReader((reason, offset) =>
    sisockError('ERR_SISOCK_MESSAGE_MALFORMED', reason, { offset }),
  )
  /** Whether the frames cannot be told apart any more. */
  isLost = false
  #framing: Framing | undefined

  constructor(framing: Framing | undefined) {
    this.#framing = framing
  }

  *take(chunk: Uint8Array): Generator<object> {
    if (this.isLost) return
    try {
      for (const message of this.#reader.read(chunk)) {
        if (message.opcode >= 8)
          yield line(message, CONTROL[message.opcode] ?? '', { payload: message.payload.toString('hex') })
        else {
          this.#framing ??= guessFraming(message)
          yield* messages(message, this.#framing)
        }
      }
    } catch (error) {
      const { code, offset = this.#reader.offset, message } = error as MeasurandError
      if (code === undefined) throw error
      this.isLost = true
      yield { event: 'malformed', code, offset, length: this.#reader.pending, message }
    }
  }

  *end(): Generator<object> {
    const { offset, pending } = this.#reader
    if (this.isLost || pending === 0) return
    const code = 'ERR_SISOCK_MESSAGE_MALFORMED'
    yield { event: 'malformed', code, offset, length: pending, message: 'the bytes end inside a frame' }
  }
}

function* messages(message: WebSocketMessage, framing: Framing): Generator<object> {
  try {
    if ((message.opcode === 2) !== framing.isBinary) {
      throw sisockError('ERR_SISOCK_PROTOCOL', `a message of the wrong kind for ${framing.subprotocol}`)
    }
    for (const bytes of framing.split(message.payload)) {
      const items = serializer(framing.name, { columns: false }).unserialize(bytes)
      if (!Array.isArray(items)) throw sisockError('ERR_SISOCK_MESSAGE_MALFORMED', 'a message is an array')
      const [name, ...names] = TYPES[items[0] as number] ?? [String(items[0])]
      const fields = items.slice(1).map((item, index) => [names[index] ?? `item${index + 1}`, plain(item)] as const)
      yield {
        ...line(message, name, Object.fromEntries(fields)),
        serializer: framing.subprotocol.slice('wamp.2.'.length),
      }
    }
  } catch (error) {
    const { code, message: reason } = error as MeasurandError
    yield { event: 'malformed', code, offset: message.offset, length: message.length, message: reason }
  }
}

function line({ offset, length, isMasked }: WebSocketMessage, type: string, fields: object): object {
  const direction = isMasked ? 'c2s' : 's2c'
  return { event: 'message', system: 'sisock', direction, offset, length, type, fields }
}

/** A value as JSON lines have it: bytes as hex, integers beyond 2^53, NaN and infinities as text. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]))
}
