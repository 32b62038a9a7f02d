import { TIME_UNKNOWN } from '../batch/index.js'
import { SttpRowTimes } from './codec.js'

/** What is missing, in ns since 1970-01-01 UTC: of each signal the rows that lie between two times. */
export interface MissingRange {
  /** The limits of the history that is asked for, both inclusive. */
  readonly start: bigint
  readonly stop: bigint
  /** The last time of each signal that is there already, by its row of the signal table; -2^63 where there is none. */
  readonly before: BigInt64Array
  /** The next time of each signal that is there already; -2^63 where there is none. */
  readonly after: BigInt64Array
  /** Whether nothing is missing of signals that are not listed. */
  readonly isListed: boolean
}

/** Rows that are missing, and the records of the ledger that say so. */
export interface MissingRows {
  readonly records: Set<number>
  /** Whether it is known where they end. */
  readonly isBounded: boolean
  /**
   * Between which times they lie; `undefined` where the times behind them are not later than those before.
   *
   * @param overlap ns by which measurements of one moment may come apart
   * @param settled up to which time each signal is complete because it was fetched back
   */
  range(overlap: bigint, settled: BigInt64Array): MissingRange | undefined
  /** Up to which time each signal is complete when they have been fetched back. */
  settled(range: MissingRange): BigInt64Array
}

/** Rows that came one after the other, with nothing missing between them. */
export class Run {
  /** Where the downlink notes what it decodes. */
  readonly times = new SttpRowTimes()
  /** The latest times of all that came before the previous run. */
  #earlier: BigInt64Array = new BigInt64Array(0)
  #previous: Run | undefined

  /** @param previous to which rows may still come: those that the decoder held when its connection broke */
  constructor(previous?: Run) {
    if (previous === undefined) return
    this.#previous = previous.isEmpty ? previous.#previous : previous
    this.#earlier = previous.isEmpty ? previous.#earlier : previous.#close()
  }

  get isEmpty(): boolean {
    return this.times.isEmpty
  }

  /** The least time of each signal. */
  first(): BigInt64Array {
    return this.times.first()
  }

  /** The latest time of each signal that came before this run. */
  before(): BigInt64Array {
    return this.#previous === undefined ? this.#earlier : merged(this.#earlier, this.#previous.times.last())
  }

  /** Lets go the run before it. */
  #close(): BigInt64Array {
    this.#earlier = this.before()
    this.#previous = undefined
    return this.#earlier
  }
}

/** What did not come between two runs of rows. */
export class Interruption implements MissingRows {
  readonly records = new Set<number>()
  /** Nothing more will come: what is missing ends now, ns since 1970-01-01 UTC. */
  end: bigint | undefined
  #after: Run

  constructor(after: Run) {
    this.#after = after
  }

  /** Nothing came in the run behind it, and another has begun. */
  goOn(after: Run): void {
    this.#after = after
  }

  get isBounded(): boolean {
    return !this.#after.isEmpty || this.end !== undefined
  }

  range(overlap: bigint, settled: BigInt64Array): MissingRange | undefined {
    const before = merged(this.#after.before(), settled)
    const after = this.#after.first()
    const newest = greatest(before)
    const stop = later(greatest(after), this.end ?? TIME_UNKNOWN)
    const oldest = before.reduce((least, time) => (time !== TIME_UNKNOWN && time < least ? time : least), newest)
    const start = later(oldest, newest - overlap)
    return newest === TIME_UNKNOWN || stop < start ? undefined : { start, stop, before, after, isListed: false }
  }

  settled({ stop, before, after }: MissingRange): BigInt64Array {
    return BigInt64Array.from({ length: Math.max(after.length, before.length) }, (_, row) => {
      const time = after[row] ?? TIME_UNKNOWN
      return time === TIME_UNKNOWN ? stop : time - 1n
    })
  }
}

/** Rows that had come and were given up because the consumer did not take them in time. */
export class DroppedRows implements MissingRows {
  readonly records = new Set<number>()
  /** Whether the consumer has caught up: no more of them are dropped. */
  isBounded = false
  readonly #times = new SttpRowTimes()

  observe(block: Uint8Array): void {
    this.#times.observe(block, 0)
  }

  range(): MissingRange | undefined {
    const [first, last] = [this.#times.first(), this.#times.last()]
    const stop = greatest(last)
    if (stop === TIME_UNKNOWN) return undefined
    const start = first.reduce((least, time) => (time !== TIME_UNKNOWN && time < least ? time : least), stop)
    // Of signals of which nothing was dropped nothing is missing.
    const before = first.map((time) => (time === TIME_UNKNOWN ? stop : time - 1n))
    const after = last.map((time) => (time === TIME_UNKNOWN ? stop : time + 1n))
    return { start, stop, before, after, isListed: true }
  }

  settled(): BigInt64Array {
    return new BigInt64Array(0)
  }
}

/** The later time of each signal. */
export function merged(a: BigInt64Array, b: BigInt64Array): BigInt64Array<ArrayBuffer> {
  const [longer, shorter] = a.length >= b.length ? [a, b] : [b, a]
  const result = BigInt64Array.from(longer)
  for (let row = 0; row < shorter.length; row++) {
    const time = shorter[row] as bigint
    if (time > (result[row] as bigint)) result[row] = time
  }
  return result
}

function greatest(times: BigInt64Array): bigint {
  return times.reduce(later, TIME_UNKNOWN)
}

function later(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
