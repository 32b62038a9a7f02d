import type { Clock, Timer } from './clock.js'

/** Packets that are made at once at most; after a stall the rest follows in the next turns. */
const BURST = 4096

/**
 * Calls for every packet that is due, by count from the start and not from the last call: it does not drift.
 *
 * ```ts
 * const pacer = new Pacer(clock, 2000, (first, count) => build(first, count))
 * pacer.start()
 * ```
 */
export class Pacer {
  readonly #clock: Clock
  readonly #rate: number
  readonly #interval: number
  readonly #make: (first: number, count: number) => void
  #start = 0
  #done = 0
  #timer: Timer | undefined
  #limit = Number.POSITIVE_INFINITY

  /**
   * @param rate packets per second
   * @param make makes packets, which are numbered from 0
   * @param interval ms between two calls at least
   */
  constructor(clock: Clock, rate: number, make: (first: number, count: number) => void, interval = 1) {
    this.#clock = clock
    this.#rate = rate
    this.#make = make
    this.#interval = interval
  }

  /** Packets made. */
  get done(): number {
    return this.#done
  }

  /** @param limit packets in all */
  start(limit = Number.POSITIVE_INFINITY): void {
    this.#start = this.#clock.elapsed()
    this.#limit = limit
    this.#tick()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #tick(): void {
    const elapsed = this.#clock.elapsed() - this.#start
    // The n-th packet, from 0, is due at n periods; the small term keeps a time that was rounded down from losing one.
    const all = Math.min(this.#limit, Math.floor((elapsed * this.#rate) / 1000 + 1e-6) + 1)
    const due = Math.min(all - this.#done, BURST)
    if (due > 0) {
      const first = this.#done
      this.#done += due
      this.#make(first, due)
    }
    if (this.#done >= this.#limit) return
    const next = this.#start + (this.#done * 1000) / this.#rate - this.#clock.elapsed()
    this.#timer = this.#clock.after(this.#done < all ? 0 : Math.max(this.#interval, next), () => this.#tick())
  }
}
