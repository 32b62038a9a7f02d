import { isAscii } from 'node:buffer'
import type { ArrowColumn, Batch, Field } from '../batch/index.js'
import { TABLES } from '../batch/index.js'

const HEADER = 64
const aligned = (bytes: number): number => Math.ceil(bytes / 64) * 64
const field = (name: string): Field => TABLES.event.find((one) => one.name === name) as Field

/** What a row of a block is: a delivery, or the answer of a publish, with its offset and, as `redelivered`, its count. */
export const KIND = { delivery: 0, published: 1, duplicate: 2 } as const

/** Memory for deliveries as the addon fills it: their text and its Arrow offsets, request ids, offsets, times. */
export class EventBlock {
  readonly bytes: Uint8Array
  readonly capacity: number
  readonly textCapacity: number
  readonly ends: Int32Array
  readonly ids: Uint32Array
  readonly redelivered: Uint32Array
  /** Offsets in the stream; -1 where the server does not say. */
  readonly offsets: BigInt64Array
  /** ms since 1970-01-01 UTC; -1 where the server does not say. */
  readonly times: BigInt64Array
  /** Numbers of {@link KIND}. */
  readonly kinds: Uint8Array
  readonly text: Buffer
  readonly #header: Uint32Array

  constructor(capacity: number, textCapacity: number) {
    const widths = [4 * (capacity + 1), 4 * capacity, 4 * capacity, 8 * capacity, 8 * capacity, capacity, textCapacity]
    const buffer = new ArrayBuffer(widths.reduce((sum, width) => sum + aligned(width), HEADER))
    let at = HEADER
    const [end = 0, id = 0, redelivered = 0, offset = 0, time = 0, kind = 0, text = 0] = widths.map((width) => {
      const from = at
      at += aligned(width)
      return from
    })
    this.bytes = new Uint8Array(buffer)
    this.capacity = capacity
    this.textCapacity = textCapacity
    this.ends = new Int32Array(buffer, end, capacity + 1)
    this.ids = new Uint32Array(buffer, id, capacity)
    this.redelivered = new Uint32Array(buffer, redelivered, capacity)
    this.offsets = new BigInt64Array(buffer, offset, capacity)
    this.times = new BigInt64Array(buffer, time, capacity)
    this.kinds = new Uint8Array(buffer, kind, capacity)
    this.text = Buffer.from(buffer, text, textCapacity)
    this.#header = new Uint32Array(buffer, 0, 16)
    this.#header[0] = capacity
    this.#header[1] = textCapacity
  }

  /** Rows that it holds. */
  get length(): number {
    return this.#header[2] as number
  }

  /** Bytes of text that the delivery which did not fit needs. */
  get needed(): number {
    return this.#header[4] as number
  }

  /** Bytes of the last chunk that were read. */
  get consumed(): number {
    return this.#header[6] as number
  }

  /** Forgets its rows. */
  clear(): void {
    this.#header.fill(0, 2)
  }
}

/** What is the same for all messages of a batch. */
export interface EventContext {
  readonly stream: string
  /** That of the schema, where it is known. */
  readonly schemaVersion: string
  readonly group: string | undefined
  /** When they came, ns since 1970-01-01 UTC. */
  readonly rx: bigint
}

/** A message with what is known of it. */
export interface StreamMessage<M = unknown> {
  /** Parsed from {@link StreamMessage.text}: integers beyond 2^53 are exact only there. */
  readonly payload: M
  /** The JSON as it was published. */
  readonly text: string
  /** Its offset, where it was asked for. */
  readonly offset: number | undefined
  /** When it was stored, ms since 1970-01-01 UTC, where offsets were asked for. */
  readonly time: number | undefined
  /** How many times it was delivered before. */
  readonly redelivered: number
}

/** Messages of one subscription, in order: the event table. Valid until the consumer's next turn. */
export class EventBatch<M = unknown> implements Batch, Iterable<StreamMessage<M>> {
  readonly table = 'event'
  readonly length: number
  readonly context: EventContext
  readonly #block: EventBlock
  readonly #from: number
  #encoding: 'latin1' | 'utf8' | undefined

  /**
   * Rows `from` to `to` of a block.
   *
   * @internal
   */
  constructor(block: EventBlock, from: number, to: number, context: EventContext) {
    this.#block = block
    this.#from = from
    this.length = to - from
    this.context = context
  }

  /** The JSON of a message as it was published. */
  text(row: number): string {
    const { text, ends } = this.#block
    const at = this.#from + row
    // Bytes that are all ASCII need not be looked at again, one message after the other.
    this.#encoding ??= isAscii(text.subarray(ends[this.#from], ends[this.#from + this.length])) ? 'latin1' : 'utf8'
    return text.toString(this.#encoding, ends[at], ends[at + 1])
  }

  /** A message parsed. */
  payload(row: number): M {
    return JSON.parse(this.text(row)) as M
  }

  /** The offset of a message, where it was asked for. */
  offset(row: number): number | undefined {
    return known(this.#block.offsets[this.#from + row])
  }

  /** When a message was stored, ms since 1970-01-01 UTC, where offsets were asked for. */
  time(row: number): number | undefined {
    return known(this.#block.times[this.#from + row])
  }

  /** A message with what is known of it. */
  at(row: number): StreamMessage<M> {
    const text = this.text(row)
    return new LazyMessage<M>(text, this.offset(row), this.time(row), this.#block.redelivered[this.#from + row] ?? 0)
  }

  *[Symbol.iterator](): Generator<StreamMessage<M>, void, undefined> {
    for (let row = 0; row < this.length; row++) yield this.at(row)
  }

  /** Bytes of text. */
  get byteLength(): number {
    const { ends } = this.#block
    return (ends[this.#from + this.length] as number) - (ends[this.#from] as number)
  }

  columns(): ArrowColumn[] {
    const { stream, schemaVersion, group, rx } = this.context
    const to = this.#from + this.length
    const columns = [constant('stream', stream, this.length), constant('schema_version', schemaVersion, this.length)]
    if (this.offset(0) !== undefined) {
      columns.push(wide('offset', this.#block.offsets.slice(this.#from, to)))
      columns.push(
        wide(
          'time',
          this.#block.times.slice(this.#from, to).map((ms) => ms * 1_000_000n),
        ),
      )
    }
    columns.push(wide('rx', new BigInt64Array(this.length).fill(rx)))
    if (group !== undefined) columns.push(constant('group', group, this.length))
    const start = this.#block.ends[this.#from] as number
    const ends = this.#block.ends.slice(this.#from, to + 1)
    if (start > 0) for (let row = 0; row < ends.length; row++) ends[row] = (ends[row] as number) - start
    const text = this.#block.text.subarray(start, this.#block.ends[to])
    columns.push({ field: field('payload'), nullCount: 0, buffers: [NONE, bytesOf(ends), text] })
    return columns
  }

  copy(): EventBatch<M> {
    const block = new EventBlock(this.length, this.byteLength)
    const [from, to] = [this.#from, this.#from + this.length]
    const start = this.#block.ends[from] as number
    for (let row = 0; row <= this.length; row++) block.ends[row] = (this.#block.ends[from + row] as number) - start
    block.ids.set(this.#block.ids.subarray(from, to))
    block.redelivered.set(this.#block.redelivered.subarray(from, to))
    block.offsets.set(this.#block.offsets.subarray(from, to))
    block.times.set(this.#block.times.subarray(from, to))
    block.text.set(this.#block.text.subarray(start, this.#block.ends[to]))
    return new EventBatch<M>(block, 0, this.length, this.context)
  }
}

/** Parses its payload when somebody looks at it. */
class LazyMessage<M> implements StreamMessage<M> {
  readonly text: string
  readonly offset: number | undefined
  readonly time: number | undefined
  readonly redelivered: number

  constructor(text: string, offset: number | undefined, time: number | undefined, redelivered: number) {
    this.text = text
    this.offset = offset
    this.time = time
    this.redelivered = redelivered
  }

  get payload(): M {
    return JSON.parse(this.text) as M
  }
}

const NONE = new Uint8Array(0)

function known(value: bigint | undefined): number | undefined {
  return value === undefined || value < 0n ? undefined : Number(value)
}

function bytesOf(array: Int32Array | BigInt64Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}

function wide(name: string, values: BigInt64Array): ArrowColumn {
  return { field: field(name), nullCount: 0, buffers: [NONE, bytesOf(values)] }
}

function constant(name: string, text: string, length: number): ArrowColumn {
  const one = Buffer.from(text)
  const ends = new Int32Array(length + 1)
  for (let row = 0; row <= length; row++) ends[row] = row * one.length
  const data = Buffer.alloc(length * one.length, one.length > 0 ? one : 0)
  return { field: field(name), nullCount: 0, buffers: [NONE, bytesOf(ends), data] }
}
