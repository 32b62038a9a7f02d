import type { MeasurandError } from '../session/errors.js'
import { sisockError } from './error-codes.js'
import { Framing, type SerializerName, serializer } from './serializer.js'
import { type WebSocketMessage, WebSocketReader } from './web-socket-reader.js'

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
  const told = options.get('serializer')
  let framing: Framing | undefined
  if (typeof told === 'string') {
    framing = Framing.of(`wamp.2.${told}`)
    if (framing === undefined)
      throw sisockError('ERR_SISOCK_URL', `--serializer takes json, msgpack or cbor, not ${told}`)
  }
  const reader = new WebSocketReader()
  try {
    for await (const chunk of bytes) {
      for (const message of reader.read(chunk)) {
        if (message.opcode >= 8)
          yield line(message, CONTROL[message.opcode] ?? '', { payload: message.payload.toString('hex') })
        else {
          framing ??= guess(message)
          yield* messages(message, framing)
        }
      }
    }
  } catch (error) {
    const { code, offset = reader.offset, message } = error as MeasurandError
    if (code === undefined) throw error
    yield { event: 'malformed', code, offset, length: reader.pending, message }
    return
  }
  if (reader.pending > 0) {
    const [offset, length] = [reader.offset, reader.pending]
    yield {
      event: 'malformed',
      code: 'ERR_SISOCK_MESSAGE_MALFORMED',
      offset,
      length,
      message: 'the bytes end inside a frame',
    }
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

/** MessagePack and CBOR begin an array of fewer than 16 items by different bytes, and a batch by its length. */
function guess({ opcode, payload }: WebSocketMessage): Framing {
  if (opcode === 1) return new Framing('json', payload.at(-1) === 0x18)
  const isBatched = (payload[0] ?? 0) < 0x80
  const first = payload[isBatched ? 4 : 0] ?? 0
  const name: SerializerName = first >= 0x90 ? 'msgpack' : 'cbor'
  return new Framing(name, isBatched)
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
