import { Block, COLUMN } from '../batch/index.js'
import type { Clock, Timer } from '../session/index.js'
import type { SttpLatestMeasurements } from './codec.js'
import type { CohortFormat, ThrottleSettings } from './cohort-format.js'
import { Ticks } from './ticks.js'

/** Rows of one block at most. */
const ROWS = 65_536

/** Gives the latest measurements of some signals every interval: what a throttled subscription gets. */
export class Throttle {
  readonly #clock: Clock
  readonly #latest: SttpLatestMeasurements
  readonly #settings: ThrottleSettings
  readonly #isLocal: boolean
  readonly #rows: Uint32Array
  readonly #give: (block: Block) => void
  readonly #start: number
  readonly #block: Block
  #turns = 0
  #timer: Timer

  /** @param rows rows of the signals in the publisher's table */
  constructor(
    clock: Clock,
    latest: SttpLatestMeasurements,
    format: CohortFormat & { readonly throttle: ThrottleSettings },
    rows: Uint32Array,
    give: (block: Block) => void,
  ) {
    this.#clock = clock
    this.#latest = latest
    this.#settings = format.throttle
    this.#isLocal = format.localClock
    this.#rows = rows
    this.#give = give
    this.#start = clock.elapsed()
    this.#block = new Block(Math.max(1, Math.min(rows.length, ROWS)), COLUMN.rawTime)
    this.#timer = this.#next()
  }

  /** Gives no more. */
  stop(): void {
    this.#timer.cancel()
  }

  /** Turns are due from the start on, so that they do not drift; those that were missed are left out. */
  #next(): Timer {
    const { interval } = this.#settings
    const since = this.#clock.elapsed() - this.#start
    this.#turns = Math.max(this.#turns + 1, Math.floor(since / interval))
    return this.#clock.after(this.#turns * interval - since, () => {
      this.#timer = this.#next()
      this.#turn()
    })
  }

  #turn(): void {
    const { reasonable } = this.#settings
    const now = this.#isLocal ? Ticks.fromNs(this.#clock.now()) : this.#latest.latestTicks
    const block = this.#block
    for (let first = 0; first < this.#rows.length; ) {
      block.clear()
      first += this.#latest.write(
        this.#rows.subarray(first),
        block.bytes,
        reasonable === null ? null : now,
        reasonable?.lag ?? 0,
        reasonable?.lead ?? 0,
      )
      if (block.count > 0) this.#give(block)
    }
  }
}
