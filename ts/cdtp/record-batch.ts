import type { Table } from 'apache-arrow'
import { type ArrowColumn, type Batch, type Field, TABLES, TableBatch } from '../batch/index.js'
import { gatherRecords, recordTimes } from './codec.js'
import { ReceivedRecord } from './data-record.js'
import type { MessageIndex } from './message-index.js'
import type { RunCondition } from './run-condition.js'
import { decodeMap, type Values } from './value.js'

/** What a message is. */
export const MessageType = { DATA: 0, BOR: 1, EOR: 2 } as const

/** One of {@link MessageType}. */
export type MessageType = (typeof MessageType)[keyof typeof MessageType]

const NOTHING = new Uint8Array(0)

/**
 * The records of one message.
 *
 * ```ts
 * for await (const batch of receiver) {
 *   if (batch.kind === MessageType.BOR) console.log(batch.sender, 'begins with', batch.configuration)
 *   for (const record of batch) keep(record.copy())
 * }
 * ```
 *
 * The columns are valid until the consumer's next turn. Records and their blocks are views on the message, which they
 * keep in memory as a whole: `copy()` a small one that is to stay.
 */
export class RecordBatch implements Batch {
  readonly table = 'record'
  readonly kind: MessageType
  readonly sender: string
  /** The run that it belongs to; empty where nobody said. */
  readonly run: string
  /** When it came, ns since 1970-01-01 UTC. */
  readonly rx: bigint
  /** What is known of the run so far; for an EOR how the run went. */
  readonly condition: RunCondition
  /** The message, whole. */
  readonly message: Uint8Array
  readonly #index: MessageIndex

  /** @internal */
  constructor(
    kind: MessageType,
    sender: string,
    run: string,
    rx: bigint,
    condition: RunCondition,
    message: Uint8Array,
    index: MessageIndex,
  ) {
    this.kind = kind
    this.sender = sender
    this.run = run
    this.rx = rx
    this.condition = condition
    this.message = message
    this.#index = index
  }

  /** Records; a BOR and an EOR have two. */
  get length(): number {
    return this.#index.records
  }

  /** Bytes of all blocks. */
  get payloadBytes(): number {
    return this.#index.payloadBytes
  }

  /** The sequence numbers of the records. */
  get sequences(): BigUint64Array {
    return this.#index.sequence.subarray(0, this.length)
  }

  /** The numbers of a DATA message's records, and the bytes of their blocks, as a ledger takes them. */
  ranges(): { firstSeq: bigint; lastSeq: bigint; count: number; bytes: number }[] {
    const { sequences } = this
    const { blockEnd, blockLength } = this.#index
    const ranges: { firstSeq: bigint; lastSeq: bigint; count: number; bytes: number }[] = []
    let block = 0
    for (let record = 0; record < this.length; record++) {
      const sequence = sequences[record] as bigint
      let range = ranges.at(-1)
      if (range === undefined || sequence !== range.lastSeq + 1n) {
        range = { firstSeq: sequence, lastSeq: sequence, count: 0, bytes: 0 }
        ranges.push(range)
      }
      range.lastSeq = sequence
      range.count++
      for (; block < (blockEnd[record] as number); block++) range.bytes += blockLength[block] as number
    }
    return ranges
  }

  /** A record's tags as they came. */
  tagsBytes(record: number): Uint8Array {
    const start = this.#index.tagsOffset[record] as number
    return this.message.subarray(start, start + (this.#index.tagsLength[record] as number))
  }

  /** A record's blocks, as views. */
  blocks(record: number): Uint8Array[] {
    const { blockEnd, blockOffset, blockLength } = this.#index
    const views: Uint8Array[] = []
    for (
      let block = record === 0 ? 0 : (blockEnd[record - 1] as number);
      block < (blockEnd[record] as number);
      block++
    ) {
      const start = blockOffset[block] as number
      views.push(this.message.subarray(start, start + (blockLength[block] as number)))
    }
    return views
  }

  /** A record. */
  at(record: number): ReceivedRecord {
    return new ReceivedRecord(this.#index.sequence[record] as bigint, this.tagsBytes(record), this.blocks(record))
  }

  *[Symbol.iterator](): Generator<ReceivedRecord, void, undefined> {
    for (let record = 0; record < this.length; record++) yield this.at(record)
  }

  /** The user tags of a BOR or an EOR. */
  get userTags(): Values {
    return this.kind === MessageType.DATA ? {} : decodeMap(this.tagsBytes(0))
  }

  /** The configuration in a BOR. */
  get configuration(): Values {
    return this.kind === MessageType.BOR ? decodeMap(this.tagsBytes(1)) : {}
  }

  /** The run metadata in an EOR. */
  get runMetadata(): Values {
    return this.kind === MessageType.EOR ? decodeMap(this.tagsBytes(1)) : {}
  }

  columns(): ArrowColumn[] {
    const { length } = this
    const index = this.#index
    const times = new Uint8Array(25 * length)
    recordTimes(this.message, index.bytes, times)
    const known = times.subarray(24 * length)
    const time = new BigInt64Array(times.buffer, 0, length)
    for (let row = 0; row < length; row++) if (((known[row] as number) & 1) === 0) time[row] = this.rx
    const tagsEnd = ends(index.tagsLength, length)
    const tagsBytes = tagsEnd[length] as number
    const bytes = new Uint8Array(tagsBytes + index.payloadBytes)
    gatherRecords(this.message, index.bytes, bytes)
    const blockEnds = new BigInt64Array(index.blocks + 1)
    let end = 0
    for (let block = 0; block < index.blocks; block++) {
      end += index.blockLength[block] as number
      blockEnds[block + 1] = BigInt(end)
    }
    const lists = new Int32Array(length + 1)
    lists.set(index.blockEnd.subarray(0, length), 1)
    const data: Record<string, ArrowColumn['buffers']> = {
      run: [NOTHING, ...repeated(this.run, length)],
      sender: [NOTHING, ...repeated(this.sender, length)],
      kind: [NOTHING, new Uint8Array(length).fill(this.kind)],
      seq: [NOTHING, view(this.sequences)],
      time: [NOTHING, view(time)],
      rx: [NOTHING, view(new BigInt64Array(length).fill(this.rx))],
      condition: [NOTHING, view(new Uint16Array(length).fill(this.condition))],
      tags: [NOTHING, view(tagsEnd), bytes.subarray(0, tagsBytes)],
      blocks: [NOTHING, view(lists), NOTHING, view(blockEnds), bytes.subarray(tagsBytes)],
    }
    const columns: ArrowColumn[] = []
    for (const field of TABLES.record) {
      const place = field.name === 'begin_ps' ? 1 : field.name === 'end_ps' ? 2 : 0
      if (place > 0)
        optional(columns, field, times.subarray(8 * place * length, 8 * (place + 1) * length), known, place)
      else columns.push(column(field, data[field.name] as Uint8Array[], index.blocks))
    }
    return columns
  }

  copy(): RecordBatch {
    const { kind, sender, run, rx, condition } = this
    return new RecordBatch(kind, sender, run, rx, condition, this.message.slice(), this.#index.copy())
  }

  /** The batch as a table of the optional package `apache-arrow`. */
  toArrow(): Promise<Table> {
    return new TableBatch('record', this.length, this.columns()).toArrow()
  }
}

function column(field: Field, buffers: readonly Uint8Array[], blocks: number): ArrowColumn {
  const base = { field, nullCount: 0, buffers }
  return field.name === 'blocks' ? { ...base, items: { length: blocks } } : base
}

/** Appends an optional column where some row has a value. */
function optional(columns: ArrowColumn[], field: Field, values: Uint8Array, known: Uint8Array, bit: number): void {
  const validity = new Uint8Array(Math.ceil(known.length / 8))
  let present = 0
  known.forEach((bits, row) => {
    if (((bits >> bit) & 1) === 0) return
    validity[row >> 3] = (validity[row >> 3] as number) | (1 << (row & 7))
    present++
  })
  if (present === 0) return
  const nullCount = known.length - present
  columns.push({ field, nullCount, buffers: [nullCount === 0 ? NOTHING : validity, values] })
}

function ends(lengths: Uint32Array, count: number): Int32Array {
  const result = new Int32Array(count + 1)
  for (let row = 0; row < count; row++) result[row + 1] = (result[row] as number) + (lengths[row] as number)
  return result
}

function repeated(text: string, count: number): [Uint8Array, Uint8Array] {
  const bytes = Buffer.from(text, 'utf8')
  const offsets = Int32Array.from({ length: count + 1 }, (_, row) => row * bytes.length)
  return [view(offsets), Buffer.concat(Array.from({ length: count }, () => bytes))]
}

function view(array: BigInt64Array | BigUint64Array | Int32Array | Uint16Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}
