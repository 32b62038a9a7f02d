import { aborted, type Clock, sleep } from './clock.js'
import { sessionError } from './error-codes.js'

/** How a connection that broke is tried again. */
export interface ReconnectOptions {
  /** The first delay, ms; 250 unless told. */
  readonly minDelay?: number
  /** The longest delay, ms; 30,000 unless told. */
  readonly maxDelay?: number
  /** How the delay grows; 2 unless told. */
  readonly factor?: number
  /** The part of a delay that is left to chance, 0 to 1, so that many clients do not come back together; 0.3 unless told. */
  readonly jitter?: number
  /** Gives a number from 0 to 1. */
  readonly random?: () => number
}

/** Delays that grow. */
export class Backoff {
  readonly #options: Required<ReconnectOptions>
  #next: number

  constructor({
    minDelay = 250,
    maxDelay = 30_000,
    factor = 2,
    jitter = 0.3,
    random = Math.random,
  }: ReconnectOptions = {}) {
    if (!(minDelay > 0) || !(maxDelay >= minDelay) || !(factor >= 1) || !(jitter >= 0 && jitter <= 1)) {
      throw sessionError(
        'ERR_SESSION_OPTION_INVALID',
        'reconnect: 0 < minDelay <= maxDelay, factor >= 1, jitter 0 to 1',
      )
    }
    this.#options = { minDelay, maxDelay, factor, jitter, random }
    this.#next = minDelay
  }

  /** The next delay, ms. */
  next(): number {
    const { maxDelay, factor, jitter, random } = this.#options
    const delay = this.#next
    this.#next = Math.min(maxDelay, delay * factor)
    return delay * (1 - jitter * random())
  }

  /** Begins with the first delay again. */
  reset(): void {
    this.#next = this.#options.minDelay
  }
}

/**
 * Tries until it works: at once, then behind growing delays. Rejects with the last error when the next try would lie
 * behind `wait` ms.
 *
 * @param open tries once; the number of the try, from 1, is for its messages
 */
export async function persist(
  open: (attempt: number) => Promise<void>,
  { clock, backoff, wait, signal }: { clock: Clock; backoff: Backoff; wait: number; signal: AbortSignal },
): Promise<void> {
  const start = clock.elapsed()
  for (let attempt = 1; ; attempt++) {
    if (signal.aborted) throw aborted(signal)
    try {
      await open(attempt)
      return
    } catch (error) {
      if (signal.aborted) throw aborted(signal)
      const delay = backoff.next()
      if (clock.elapsed() + delay - start > wait) throw error
      await sleep(clock, delay, signal)
    }
  }
}
