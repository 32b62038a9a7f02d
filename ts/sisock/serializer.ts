import { FORMAT, readMessage, type SerializerName, writeMessage } from './codec.js'
import { sisockError } from './error-codes.js'

export type { SerializerName } from './codec.js'

/**
 * Writes and reads WAMP messages; what npm autobahn calls a serializer, and so usable as one of its `serializers`. It
 * reads one message a WebSocket message; `Framing` has the batched forms.
 */
export interface Serializer {
  readonly SERIALIZER_ID: SerializerName
  /** Whether its WebSocket messages are binary. */
  readonly BINARY: boolean
  /** @param room bytes that are to be free in front of a binary message, in its own `ArrayBuffer` */
  serialize(message: unknown, room?: number): Buffer
  unserialize(payload: ArrayBuffer | Uint8Array | string): unknown
}

/** What a serializer can be told. */
export interface SerializerOptions {
  /** Whether arrays of 16 and more numbers are read as `Float64Array`s; they are unless told. */
  readonly columns?: boolean
}

/**
 * The serializer of a name. JSON is that of the engine, with what WAMP needs beside: typed arrays as arrays, bytes as
 * text, and the literals `NaN` and `Infinity` of Python peers read as `null`.
 */
export function serializer(name: SerializerName, { columns = true }: SerializerOptions = {}): Serializer {
  if (name === 'json') return { SERIALIZER_ID: name, BINARY: false, serialize: writeJson, unserialize: readJson }
  const format = FORMAT[name]
  return {
    SERIALIZER_ID: name,
    BINARY: true,
    serialize: (message, room) => writeMessage(format, message, room),
    unserialize: (payload) => {
      if (typeof payload === 'string') throw sisockError('ERR_SISOCK_PROTOCOL', `text where ${name} was agreed`)
      return readMessage(format, payload instanceof Uint8Array ? payload : new Uint8Array(payload), columns)
    },
  }
}

function writeJson(message: unknown): Buffer {
  return Buffer.from(JSON.stringify(plain(message)))
}

/** The value with arrays for typed arrays, copied only where it holds one. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return exactNumber(value)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    // Columns of one kind have nothing in them to change: the first and the last item say so without a walk.
    if (value.length > 64 && isLeaf(value[0]) && isLeaf(value.at(-1)) && value.every(isLeaf)) return value
    let copy: unknown[] | undefined
    for (let index = 0; index < value.length; index++) {
      const item = plain(value[index])
      if (item === value[index]) continue
      copy ??= value.slice()
      copy[index] = item
    }
    return copy ?? value
  }
  if (value instanceof Uint8Array) {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    return `\0${bytes.toString('base64')}`
  }
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as Iterable<number | bigint>, plain)
  let copy: Record<string, unknown> | undefined
  for (const [key, item] of Object.entries(value)) {
    const other = plain(item)
    if (other === item) continue
    copy ??= { ...(value as Record<string, unknown>) }
    copy[key] = other
  }
  return copy ?? value
}

function isLeaf(value: unknown): boolean {
  return typeof value !== 'object' && typeof value !== 'bigint'
}

function exactNumber(value: bigint): number {
  const number = Number(value)
  if (BigInt(number) === value) return number
  throw sisockError('ERR_SISOCK_MESSAGE_VALUE', `JSON.stringify cannot write the integer ${value}`)
}

function readJson(payload: ArrayBuffer | Uint8Array | string): unknown {
  const text = typeof payload === 'string' ? payload : Buffer.from(payload as ArrayBuffer).toString('utf8')
  try {
    return JSON.parse(text)
  } catch (error) {
    const tolerant = withoutLiterals(text)
    if (tolerant === text) throw malformed(error)
    try {
      return JSON.parse(tolerant)
    } catch (cause) {
      throw malformed(cause)
    }
  }
}

/** The text with `null` for the literals that Python writes and JSON does not have. */
function withoutLiterals(text: string): string {
  return text.replace(/"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g, (match) => (match.startsWith('"') ? match : 'null'))
}

function malformed(cause: unknown): Error {
  return sisockError('ERR_SISOCK_MESSAGE_MALFORMED', `no JSON: ${(cause as Error).message}`, { cause })
}

/** How WAMP messages lie in WebSocket messages: the subprotocol that was agreed. */
export class Framing {
  readonly name: SerializerName
  readonly isBatched: boolean
  /** Of WebSocket messages. */
  readonly isBinary: boolean

  constructor(name: SerializerName, isBatched: boolean) {
    this.name = name
    this.isBatched = isBatched
    this.isBinary = name !== 'json'
  }

  /** The framing of a subprotocol, `undefined` where it is none of ours. */
  static of(subprotocol: string): Framing | undefined {
    const match = /^wamp\.2\.(json|msgpack|cbor)(\.batched)?$/.exec(subprotocol)
    return match === null ? undefined : new Framing(match[1] as SerializerName, match[2] !== undefined)
  }

  /** The framing of the first subprotocol that is one of ours, batched where that is among the offers too. */
  static choose(offers: Iterable<string>): Framing | undefined {
    const known = Array.from(offers, (offer) => Framing.of(offer)).filter((framing) => framing !== undefined)
    return known.find(({ name, isBatched }) => isBatched && name === known[0]?.name) ?? known[0]
  }

  get subprotocol(): string {
    return `wamp.2.${this.name}${this.isBatched ? '.batched' : ''}`
  }

  /**
   * A message as it lies in a batch, in one part or two.
   *
   * @param room bytes in front of the message that are free: its length is written there where it fits
   */
  inBatch(message: Buffer, room = 0): Buffer[] {
    if (!this.isBinary) return [message, SEPARATOR]
    if (room >= LENGTH) {
      const whole = Buffer.from(message.buffer, message.byteOffset - LENGTH, message.length + LENGTH)
      whole.writeUInt32BE(message.length)
      return [whole]
    }
    const length = Buffer.allocUnsafe(LENGTH)
    length.writeUInt32BE(message.length)
    return [length, message]
  }

  /** The messages of a WebSocket message. */
  *split(bytes: Buffer): Generator<Buffer, void, undefined> {
    if (!this.isBatched) {
      yield bytes
      return
    }
    let start = 0
    while (start < bytes.length) {
      if (this.name === 'json') {
        const end = bytes.indexOf(0x18, start)
        if (end < 0) throw sisockError('ERR_SISOCK_MESSAGE_MALFORMED', 'a batch ends inside a message')
        yield bytes.subarray(start, end)
        start = end + 1
      } else {
        const first = start + LENGTH
        const end = first + (first <= bytes.length ? bytes.readUInt32BE(start) : bytes.length)
        if (end > bytes.length) throw sisockError('ERR_SISOCK_MESSAGE_MALFORMED', 'a batch ends inside a message')
        yield bytes.subarray(first, end)
        start = end
      }
    }
  }
}

const SEPARATOR = Buffer.from([0x18])
/** Bytes of a message's length in a batch. */
export const LENGTH = 4
