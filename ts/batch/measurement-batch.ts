import type { Table } from 'apache-arrow'
import { arrowTable } from './arrow.js'
import type { ArrowColumn, Batch } from './batch.js'
import { Block, COLUMN } from './block.js'
import { SignalTable } from './signal-table.js'
import { type Field, TABLES } from './tables.js'

/** The time of a row whose time is not known. */
export const TIME_UNKNOWN = -(2n ** 63n)

/** One measurement, made on demand. */
export interface Measurement {
  /** ns since 1970-01-01 UTC; `null` where it is not known. */
  readonly time: bigint | null
  readonly value: number
  /** Row of the signal table. */
  readonly signal: number
  /** The protocol's own quality word. */
  readonly flags: number
}

/**
 * Measurements as columns.
 *
 * ```ts
 * for await (const batch of session) {
 *   for (let row = 0; row < batch.length; row++) {
 *     console.log(batch.signals.at(batch.signal[row])?.name, batch.timeMs[row], batch.value[row])
 *   }
 * }
 * ```
 *
 * A batch from a session is valid until the loop's next turn (a sink's: until its `write` has resolved); `copy()` keeps.
 */
export class MeasurementBatch implements Batch, Iterable<Measurement> {
  readonly table = 'measurement'
  /** Rows. */
  readonly length: number
  readonly signals: SignalTable
  readonly block: Block
  readonly #valueField: Field
  #views: Views | undefined
  #timeMs: Float64Array | undefined

  /**
   * @param block its first `count` rows; the batch reads them where they lie
   * @param wire `f32` where the wire has float32: replay then narrows bit-exactly
   */
  constructor(block: Block, signals: SignalTable = new SignalTable(), wire?: 'f32') {
    this.block = block
    this.length = block.count
    this.signals = signals
    this.#valueField = wire === 'f32' ? VALUE_F32 : VALUE
  }

  /** ns since 1970-01-01 UTC, {@link TIME_UNKNOWN} where it is not known. Reading BigInts is slow: see `timeMs`. */
  get time(): BigInt64Array {
    return this.#view.time
  }

  /** Values. */
  get value(): Float64Array {
    return this.#view.value
  }

  /** Rows of the signal table. */
  get signal(): Uint32Array {
    return this.#view.signal
  }

  /** The protocol's own quality words. */
  get flags(): Uint32Array {
    return this.#view.flags
  }

  /** Packet or record numbers, where the system has them. */
  get seq(): BigUint64Array | undefined {
    return this.#optional(COLUMN.seq, this.block.seq)
  }

  /** Positions in the packet, where the system has them. */
  get idx(): Uint32Array | undefined {
    return this.#optional(COLUMN.idx, this.block.idx)
  }

  /** Times of receipt, ns. */
  get rx(): BigInt64Array | undefined {
    return this.#optional(COLUMN.rx, this.block.rx)
  }

  /** The protocol's own time words, where some row's `time` cannot hold its word. */
  get rawTime(): BigUint64Array | undefined {
    return this.#optional(COLUMN.rawTime, this.block.rawTime)
  }

  /** ms since 1970-01-01 UTC as doubles (exact to about 0.2 us), NaN where the time is not known. */
  get timeMs(): Float64Array {
    this.#timeMs ??= milliseconds(this.block.bytes.buffer, this.block.time.byteOffset, this.length)
    return this.#timeMs
  }

  columns(): ArrowColumn[] {
    const { block, length } = this
    const fixed = (
      field: Field,
      view: { buffer: ArrayBufferLike; byteOffset: number },
      width: number,
    ): ArrowColumn => ({
      field,
      nullCount: 0,
      buffers: [NOTHING, new Uint8Array(view.buffer, view.byteOffset, length * width)],
    })
    const columns = [
      block.nulls & COLUMN.time ? nullableTime(block.time, length) : fixed(TIME, block.time, 8),
      fixed(this.#valueField, block.value, 8),
      fixed(SIGNAL, block.signal, 4),
      fixed(FLAGS, block.flags, 4),
    ]
    if (block.present & COLUMN.seq) columns.push(fixed(SEQ, block.seq, 8))
    if (block.present & COLUMN.idx) columns.push(fixed(IDX, block.idx, 4))
    if (block.present & COLUMN.rx) columns.push(fixed(RX, block.rx, 8))
    if (block.present & COLUMN.rawTime) columns.push(fixed(RAW_TIME, block.rawTime, 8))
    return columns
  }

  copy(): MeasurementBatch {
    const from = this.block
    const to = new Block(Math.max(this.length, 1), from.present)
    for (const name of ['time', 'value', 'signal', 'flags', 'seq', 'idx', 'rx', 'rawTime'] as const) {
      const column = to[name]
      if (column.length > 0) column.set(from[name].subarray(0, this.length) as never)
    }
    to.count = this.length
    to.present = from.present
    to.nulls = from.nulls
    return this.over(to)
  }

  /** A batch of the same signals and wire over another block. */
  over(block: Block): MeasurementBatch {
    return new MeasurementBatch(block, this.signals, this.#valueField === VALUE_F32 ? 'f32' : undefined)
  }

  /** The batch as a table of the optional package `apache-arrow`, on the same memory. */
  toArrow(): Promise<Table> {
    return arrowTable(this)
  }

  *[Symbol.iterator](): IterableIterator<Measurement> {
    const { time, value, signal, flags } = this.#view
    for (let row = 0; row < this.length; row++) {
      const at = time[row] as bigint
      yield {
        time: at === TIME_UNKNOWN ? null : at,
        value: value[row] as number,
        signal: signal[row] as number,
        flags: flags[row] as number,
      }
    }
  }

  get #view(): Views {
    this.#views ??= {
      time: this.block.time.subarray(0, this.length),
      value: this.block.value.subarray(0, this.length),
      signal: this.block.signal.subarray(0, this.length),
      flags: this.block.flags.subarray(0, this.length),
    }
    return this.#views
  }

  #optional<T extends BigUint64Array | Uint32Array | BigInt64Array>(bit: number, column: T): T | undefined {
    return this.block.present & bit ? (column.subarray(0, this.length) as T) : undefined
  }
}

interface Views {
  readonly time: BigInt64Array
  readonly value: Float64Array
  readonly signal: Uint32Array
  readonly flags: Uint32Array
}

const NOTHING = new Uint8Array(0)
const [TIME, VALUE, SIGNAL, FLAGS, SEQ, IDX, RX, RAW_TIME] = TABLES.measurement as unknown as readonly [
  Field,
  Field,
  Field,
  Field,
  Field,
  Field,
  Field,
  Field,
]
const VALUE_F32: Field = { ...VALUE, metadata: { wire: 'f32' } }

/** Doubles from two 32-bit halves: a BigInt a row costs 27 times as much. */
function milliseconds(buffer: ArrayBufferLike, offset: number, rows: number): Float64Array {
  const halves = new Int32Array(buffer, offset, rows * 2)
  const result = new Float64Array(rows)
  for (let row = 0; row < rows; row++) {
    const low = (halves[row * 2] as number) >>> 0
    const high = halves[row * 2 + 1] as number
    result[row] = high === -0x8000_0000 && low === 0 ? Number.NaN : (high * 0x1_0000_0000 + low) / 1e6
  }
  return result
}

function nullableTime(time: BigInt64Array, length: number): ArrowColumn {
  const validity = new Uint8Array(Math.ceil(length / 8))
  let nullCount = 0
  for (let row = 0; row < length; row++) {
    if (time[row] === TIME_UNKNOWN) nullCount++
    else validity[row >> 3] = (validity[row >> 3] as number) | (1 << (row & 7))
  }
  const data = new Uint8Array(time.buffer, time.byteOffset, length * 8)
  return { field: TIME, nullCount, buffers: [nullCount === 0 ? NOTHING : validity, data] }
}
