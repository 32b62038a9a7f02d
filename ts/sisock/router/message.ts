import { FORMAT, HEAD, messageHead, type SerializerName, writeMessage } from '../codec.js'
import { serializer } from '../serializer.js'

/** Message types. */
export const TYPE = {
  hello: 1,
  welcome: 2,
  abort: 3,
  challenge: 4,
  authenticate: 5,
  goodbye: 6,
  error: 8,
  publish: 16,
  published: 17,
  subscribe: 32,
  subscribed: 33,
  unsubscribe: 34,
  unsubscribed: 35,
  event: 36,
  call: 48,
  cancel: 49,
  result: 50,
  register: 64,
  registered: 65,
  unregister: 66,
  unregistered: 67,
  invocation: 68,
  interrupt: 69,
  yield: 70,
} as const

/** Where the arguments begin, by type. */
const PAYLOAD: Readonly<Record<number, number>> = {
  [TYPE.call]: 4,
  [TYPE.publish]: 4,
  [TYPE.yield]: 3,
  [TYPE.error]: 5,
}

const head = new Float64Array(HEAD.length)
const writers = { json: serializer('json'), msgpack: serializer('msgpack'), cbor: serializer('cbor') } as const

/** A value in a serialization, with `room` free bytes in front of it where it is binary. */
export function write(format: SerializerName, value: unknown, room = 0): Buffer {
  return writers[format].serialize(value, room)
}

/** A value of a serialization. */
export function read(format: SerializerName, bytes: Buffer): unknown {
  return writers[format].unserialize(bytes)
}

/**
 * A message of which only the head is read. Its arguments are passed on as they are where the receiver has the same
 * serialization, and read once for each other one.
 */
export class Message {
  readonly type: number
  /** Item 1 where it is an integer, else `NaN`: the request. */
  readonly first: number
  /** Item 2 where it is an integer, else `NaN`: an ERROR's request. */
  readonly second: number
  readonly format: SerializerName
  readonly bytes: Buffer
  readonly #margin: number
  readonly #count: number
  readonly #end: number
  /** Start and end of every item. */
  readonly #ranges: readonly number[]
  readonly #textStart: number
  readonly #textEnd: number
  #payload: readonly unknown[] | undefined

  /**
   * Throws where the bytes are no message.
   *
   * @param margin bytes in front of the message that are free: the length in a batch
   */
  constructor(format: SerializerName, bytes: Buffer, margin = 0) {
    this.#margin = margin
    this.type = messageHead(FORMAT[format], bytes, head)
    this.format = format
    this.bytes = bytes
    this.#count = head[HEAD.count] as number
    this.#end = head[HEAD.end] as number
    this.first = head[HEAD.first] as number
    this.second = head[HEAD.second] as number
    this.#textStart = head[HEAD.textStart] as number
    this.#textEnd = head[HEAD.textEnd] as number
    const ranges = new Array<number>(HEAD.first - HEAD.items)
    for (let place = 0; place < ranges.length; place++) ranges[place] = head[HEAD.items + place] as number
    this.#ranges = ranges
  }

  /** The whole message. */
  items(): unknown[] {
    return read(this.format, this.bytes) as unknown[]
  }

  /** An item; `undefined` where there is none. */
  item(index: number): unknown {
    const [start, end] = [this.#ranges[2 * index], this.#ranges[2 * index + 1]]
    if (start === undefined || end === undefined || Number.isNaN(start)) return undefined
    // An empty map, what options nearly always are, is one byte, or two in JSON.
    const length = end - start
    if (length === 1 && (this.bytes[start] === 0x80 || this.bytes[start] === 0xa0) && this.format !== 'json')
      return EMPTY
    if (length === 2 && this.format === 'json' && this.bytes[start] === 0x7b) return EMPTY
    return read(this.format, this.bytes.subarray(start, end))
  }

  /** Item 3 as text: the URI of a CALL or PUBLISH; `undefined` where it is no text. */
  uri(): string | undefined {
    if (!Number.isNaN(this.#textStart)) return this.bytes.toString('utf8', this.#textStart, this.#textEnd)
    const item = this.item(3)
    return typeof item === 'string' ? item : undefined
  }

  /**
   * A message with another head and these arguments. For a single receiver the head is written over what lies in front
   * of the arguments, where it fits with `room` free bytes in front of it; else the arguments are copied.
   */
  forward(format: SerializerName, items: readonly unknown[], room: number, isShared: boolean): Forwarded {
    const first = PAYLOAD[this.type] as number
    const count = Math.max(0, this.#count - first)
    if (format !== this.format) {
      this.#payload ??= Array.from({ length: count }, (_, index) => this.item(first + index))
      return { bytes: write(format, [...items, ...this.#payload], room), room }
    }
    const start = count === 0 ? this.#end : (this.#ranges[2 * first] as number)
    if (format === 'json') {
      const text = JSON.stringify(items)
      if (count === 0) return { bytes: Buffer.from(text), room: 0 }
      const front = Buffer.from(`${text.slice(0, -1)},`)
      return { bytes: Buffer.concat([front, this.bytes.subarray(start, this.#end), JSON_END]), room: 0 }
    }
    const front = writeMessage(FORMAT[format], items)
    // Both formats keep a count of less than 16 in the low bits of the array's first byte.
    front[0] = (front[0] as number) + count
    const at = start - front.length
    if (isShared || at + this.#margin < room) {
      return { bytes: Buffer.concat([front, this.bytes.subarray(start, this.#end)]), room: 0 }
    }
    const { buffer, byteOffset } = this.bytes
    const whole = Buffer.from(buffer as ArrayBuffer, byteOffset + at, this.#end - at)
    front.copy(whole)
    return { bytes: whole, room: at + this.#margin }
  }
}

/** A message to be sent, and how many bytes in front of it are free. */
export interface Forwarded {
  readonly bytes: Buffer
  readonly room: number
}

const EMPTY: Readonly<Record<string, never>> = Object.freeze({})
const JSON_END = Buffer.from(']')
