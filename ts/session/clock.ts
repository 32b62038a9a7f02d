import { sessionError } from './error-codes.js'
import { MeasurandError } from './errors.js'

/** A running timer. */
export interface Timer {
  /** Stops it; nothing happens where it has run already. */
  cancel(): void
}

/** Time as a session sees it: replaced in tests by a {@link SimulatedClock}. */
export interface Clock {
  /** ns since 1970-01-01 UTC. */
  now(): bigint
  /** ms from some start, with fractions; never goes back. */
  elapsed(): number
  /** Calls once after so many ms. A timer that waits keeps the process alive. */
  after(ms: number, call: () => void): Timer
}

const MS = 1_000_000n

class SystemClock implements Clock {
  /** What the monotonic clock lacks to the wall clock, ns. */
  #offset = 0n

  /**
   * `Date.now()` says the millisecond, the monotonic clock the rest: the sum is kept inside the millisecond, so that it
   * follows what the machine's time service does.
   */
  now(): bigint {
    const monotonic = process.hrtime.bigint()
    const from = BigInt(Date.now()) * MS
    const time = monotonic + this.#offset
    if (time >= from && time < from + MS) return time
    const nearest = time < from ? from : from + MS - 1n
    this.#offset = nearest - monotonic
    return nearest
  }

  elapsed(): number {
    return performance.now()
  }

  after(ms: number, call: () => void): Timer {
    let timer: NodeJS.Timeout | undefined
    const wait = (left: number): void => {
      timer = left <= LONGEST ? setTimeout(call, left) : setTimeout(() => wait(left - LONGEST), LONGEST)
    }
    wait(ms)
    return { cancel: () => clearTimeout(timer) }
  }
}

/** ms that a timer of Node's waits at most: one that is told more, 25 days, fires at once. */
const LONGEST = 0x7fff_ffff

/** The machine's time. */
export const systemClock: Clock = new SystemClock()

interface Due {
  readonly at: number
  readonly order: number
  readonly call: () => void
}

/**
 * Time that stands still until it is told to pass.
 *
 * ```ts
 * const clock = new SimulatedClock()
 * clock.after(60_000, () => session.close())
 * await clock.advance(60_000)
 * ```
 */
export class SimulatedClock implements Clock {
  readonly #start: bigint
  #elapsed = 0
  #order = 0
  readonly #due = new Set<Due>()

  /** @param start ns since 1970-01-01 UTC; 2024-01-01T00:00:00Z unless told */
  constructor(start = 1_704_067_200_000_000_000n) {
    this.#start = start
  }

  now(): bigint {
    return this.#start + BigInt(Math.round(this.#elapsed * 1e6))
  }

  elapsed(): number {
    return this.#elapsed
  }

  after(ms: number, call: () => void): Timer {
    const due = { at: this.#elapsed + Math.max(0, ms), order: this.#order++, call }
    this.#due.add(due)
    return { cancel: () => this.#due.delete(due) }
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#due.size
  }

  /** Lets so many ms pass: every timer runs at its time, and what it set off in this process has settled behind it. */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsed + ms
    await settled()
    for (let due = this.#next(end); due !== undefined; due = this.#next(end)) {
      this.#due.delete(due)
      this.#elapsed = due.at
      due.call()
      await settled()
    }
    this.#elapsed = end
  }

  #next(end: number): Due | undefined {
    let next: Due | undefined
    for (const due of this.#due) {
      if (due.at <= end && (next === undefined || due.at < next.at || (due.at === next.at && due.order < next.order)))
        next = due
    }
    return next
  }
}

/** Resolves when promises and immediates that are under way in this process have run. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 8; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** Resolves after so many ms; rejects with `ERR_SESSION_ABORTED` when the signal aborts first. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(aborted(signal))
    const abort = (): void => {
      timer.cancel()
      reject(aborted(signal as AbortSignal))
    }
    const timer = clock.after(ms, () => {
      signal?.removeEventListener('abort', abort)
      resolve()
    })
    signal?.addEventListener('abort', abort, { once: true })
  })
}

/** The error of a signal that has aborted: its reason where that is one of ours. */
export function aborted(signal: AbortSignal): Error {
  if (signal.reason instanceof MeasurandError) return signal.reason
  return sessionError('ERR_SESSION_ABORTED', 'aborted by the caller', { cause: signal.reason })
}
