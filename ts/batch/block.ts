import { formatBlock } from './codec.js'

/** Bits of the header's column words, in the order in which a block holds the columns. */
export const COLUMN = {
  time: 1,
  value: 1 << 1,
  signal: 1 << 2,
  flags: 1 << 3,
  seq: 1 << 4,
  idx: 1 << 5,
  rx: 1 << 6,
  rawTime: 1 << 7,
} as const

const REQUIRED = COLUMN.time | COLUMN.value | COLUMN.signal | COLUMN.flags
const HEADER_BYTES = 64
const CAPACITY_LIMIT = 1 << 24

/** Words of the header. */
const WORD = { count: 2, present: 3, nulls: 4, status: 5, consumed: 6, errorOffset: 7 } as const

/** How a decoder's call ended. */
export const STATUS = { needMore: 0, full: 1, control: 2, malformed: 3, lost: 4 } as const

/**
 * One `ArrayBuffer` with a 64-byte header and 64-byte aligned columns in the measurement table's order: what a decoder
 * fills, what a file writes. The views are made once.
 */
export class Block {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly capacity: number
  /** Bits of {@link COLUMN} for which there is room. */
  readonly allocated: number
  readonly time: BigInt64Array
  readonly value: Float64Array
  readonly signal: Uint32Array
  readonly flags: Uint32Array
  readonly seq: BigUint64Array
  readonly idx: Uint32Array
  readonly rx: BigInt64Array
  readonly rawTime: BigUint64Array
  readonly #header: Uint32Array

  /**
   * @param capacity rows, 1 to 2^24
   * @param optional bits of {@link COLUMN} beyond the four that every block has
   */
  constructor(capacity: number, optional = 0) {
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > CAPACITY_LIMIT) {
      throw new RangeError(`a block has 1 to ${CAPACITY_LIMIT} rows, not ${capacity}`)
    }
    this.capacity = capacity
    this.allocated = REQUIRED | optional
    let end = HEADER_BYTES
    const place = (bit: number, width: number): number => {
      const start = end
      if (this.allocated & bit) end += Math.ceil((capacity * width) / 64) * 64
      return start
    }
    const [time, value, signal, flags] = [
      place(COLUMN.time, 8),
      place(COLUMN.value, 8),
      place(COLUMN.signal, 4),
      place(COLUMN.flags, 4),
    ] as const
    const [seq, idx, rx, rawTime] = [
      place(COLUMN.seq, 8),
      place(COLUMN.idx, 4),
      place(COLUMN.rx, 8),
      place(COLUMN.rawTime, 8),
    ] as const
    const buffer = new ArrayBuffer(end)
    const rows = (bit: number): number => (this.allocated & bit ? capacity : 0)
    this.bytes = new Uint8Array(buffer)
    this.#header = new Uint32Array(buffer, 0, HEADER_BYTES / 4)
    this.time = new BigInt64Array(buffer, time, capacity)
    this.value = new Float64Array(buffer, value, capacity)
    this.signal = new Uint32Array(buffer, signal, capacity)
    this.flags = new Uint32Array(buffer, flags, capacity)
    this.seq = new BigUint64Array(buffer, seq, rows(COLUMN.seq))
    this.idx = new Uint32Array(buffer, idx, rows(COLUMN.idx))
    this.rx = new BigInt64Array(buffer, rx, rows(COLUMN.rx))
    this.rawTime = new BigUint64Array(buffer, rawTime, rows(COLUMN.rawTime))
    formatBlock(this.bytes, capacity, this.allocated)
  }

  /** Rows in it. */
  get count(): number {
    return this.#header[WORD.count] as number
  }

  set count(rows: number) {
    this.#header[WORD.count] = rows
  }

  /** Bits of the optional columns that some row needs. */
  get present(): number {
    return this.#header[WORD.present] as number
  }

  set present(columns: number) {
    this.#header[WORD.present] = columns
  }

  /** Bits of the columns in which some row is null: `time` where -2^63 stands. */
  get nulls(): number {
    return this.#header[WORD.nulls] as number
  }

  set nulls(columns: number) {
    this.#header[WORD.nulls] = columns
  }

  /** How the last decoder's call ended, one of {@link STATUS}. */
  get status(): number {
    return this.#header[WORD.status] as number
  }

  /** Bytes of the chunk that the last decoder's call took. */
  get consumed(): number {
    return this.#header[WORD.consumed] as number
  }

  /** Where in the chunk the last decoder's call met an error. */
  get errorOffset(): number {
    return this.#header[WORD.errorOffset] as number
  }

  /** Empties it; the columns keep their old bytes. */
  clear(): void {
    this.#header.fill(0, WORD.count)
  }
}

/**
 * The few blocks that a decoder and its consumer hand to and fro: none is allocated in the steady state, and when all
 * are out, the reader has to wait. That is the back-pressure.
 */
export class BlockRing {
  readonly #free: Block[] = []
  readonly #capacity: number
  readonly #optional: number
  readonly #size: number
  #made = 0

  /**
   * @param size blocks, at least 2: one being filled, one being read
   * @param capacity rows of a block
   * @param optional bits of {@link COLUMN}
   */
  constructor(size: number, capacity: number, optional = 0) {
    if (!Number.isInteger(size) || size < 2) throw new RangeError(`a ring has at least 2 blocks, not ${size}`)
    this.#size = size
    this.#capacity = capacity
    this.#optional = optional
  }

  /** An empty block, or `undefined` while all are out. */
  take(): Block | undefined {
    const block = this.#free.pop()
    if (block !== undefined) {
      block.clear()
      return block
    }
    if (this.#made === this.#size) return undefined
    this.#made++
    return new Block(this.#capacity, this.#optional)
  }

  /** Takes a block back whose batch nobody reads any more. */
  give(block: Block): void {
    this.#free.push(block)
  }
}
