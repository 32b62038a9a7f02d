import type { Clock, Timer } from '../session/index.js'

/** What a connection can do about packets that cannot be decoded. */
export interface TsscResetHost {
  /** Whether packets are still left out until the publisher starts its compression anew. */
  isAwaited(): boolean
  /** Makes the subscription anew: a publisher starts its compression anew with it. */
  subscribe(): void
  /** Gives the connection up. */
  fail(): void
}

/**
 * Waits for a publisher to start its compression anew after a packet was lost. There is no way to ask for packets
 * again: the subscription is made anew, and where that does not help, the connection is given up.
 */
export class TsscReset {
  readonly #clock: Clock
  readonly #timeout: number
  readonly #host: TsscResetHost
  #timer: Timer | undefined
  #hasSubscribed = false
  #isOver = false

  /** @param timeout ms that are waited each time */
  constructor(clock: Clock, timeout: number, host: TsscResetHost) {
    this.#clock = clock
    this.#timeout = timeout
    this.#host = host
  }

  /** A packet cannot be decoded. */
  await(): void {
    if (this.#isOver) return
    this.#timer ??= this.#clock.after(this.#timeout, () => {
      this.#timer = undefined
      if (!this.#host.isAwaited()) this.#hasSubscribed = false
      else if (this.#hasSubscribed) this.#host.fail()
      else {
        this.#hasSubscribed = true
        this.await()
        this.#host.subscribe()
      }
    })
  }

  /** The connection is over. */
  stop(): void {
    this.#isOver = true
    this.#timer?.cancel()
    this.#timer = undefined
  }
}
