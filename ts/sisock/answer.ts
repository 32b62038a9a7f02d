import type { Clock, Timer } from '../session/clock.js'
import { sessionError } from '../session/error-codes.js'
import { sisockError } from './error-codes.js'

/** An answer, or a typed error: of the peer, of the time, or of the connection, on which npm autobahn would wait for ever. */
export class Answer<T> {
  readonly #what: string
  readonly #pending: Set<Answer<never>>
  readonly #resolve: (value: T) => void
  readonly #reject: (error: Error) => void
  #timer: Timer | undefined
  #signal: AbortSignal | undefined
  #giveUp: () => void = nothing
  #abort: () => void = nothing

  constructor(what: string, pending: Set<Answer<never>>, resolve: (value: T) => void, reject: (error: Error) => void) {
    this.#what = what
    this.#pending = pending
    this.#resolve = resolve
    this.#reject = reject
    pending.add(this as unknown as Answer<never>)
  }

  /** Gives it up when its time is over, or the signal aborts. */
  watch(clock: Clock, timeout: number, signal: AbortSignal | undefined, giveUp: () => void): void {
    this.#giveUp = giveUp
    if (timeout > 0) this.#timer = clock.after(timeout, () => this.#late(timeout))
    if (signal === undefined) return
    this.#signal = signal
    this.#abort = () =>
      this.#given(sessionError('ERR_SESSION_ABORTED', `${this.#what} was given up`, { cause: signal.reason }))
    signal.addEventListener('abort', this.#abort, { once: true })
  }

  resolve(value: T): void {
    this.#settle()
    this.#resolve(value)
  }

  reject(error: Error): void {
    this.#settle()
    this.#reject(error)
  }

  #late(timeout: number): void {
    this.#given(sisockError('ERR_SISOCK_CALL_TIMEOUT', `${this.#what}: no answer in ${timeout} ms`))
  }

  #given(error: Error): void {
    this.reject(error)
    this.#giveUp()
  }

  #settle(): void {
    this.#pending.delete(this as unknown as Answer<never>)
    this.#timer?.cancel()
    this.#signal?.removeEventListener('abort', this.#abort)
  }
}

function nothing(): void {}
