import type { Clock, Timer } from './clock.js'

/**
 * Notices that a peer is silent.
 *
 * ```ts
 * const watchdog = new Watchdog(clock, 60_000, () => transport.close())
 * transport.start({ onChunk: (bytes) => { watchdog.touch(); intake.feed(bytes) }, ... })
 * ```
 */
export class Watchdog {
  readonly #clock: Clock
  readonly #ms: number
  readonly #onSilence: () => void
  #timer: Timer | undefined
  #touched = 0
  #isTouched = false

  /** @param ms how long a silence may last */
  constructor(clock: Clock, ms: number, onSilence: () => void) {
    this.#clock = clock
    this.#ms = ms
    this.#onSilence = onSilence
    this.#touched = clock.elapsed()
    this.#arm(ms)
  }

  /** The peer was heard. It costs a read of the clock only once in a while, so it may be called for every chunk. */
  touch(): void {
    this.#isTouched = true
  }

  /** Watches no more. */
  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  /** Looks in four times in the allowed silence: it is noticed at most a quarter late. */
  #arm(ms: number): void {
    this.#timer = this.#clock.after(Math.min(ms, this.#ms / 4), () => {
      const now = this.#clock.elapsed()
      if (this.#isTouched) this.#touched = now
      this.#isTouched = false
      const left = this.#touched + this.#ms - now
      if (left > 0) return this.#arm(left)
      this.#timer = undefined
      this.#onSilence()
    })
  }
}
