import {
  Backoff,
  type Clock,
  describeError,
  type Endpoint,
  type Network,
  persist,
  type StatusStream,
  type Transport,
} from '../session/index.js'

/** What a reverse connection is made of. */
export interface ReverseParts {
  readonly network: Network
  readonly clock: Clock
  readonly status: StatusStream
  /** Ends it when it aborts. */
  readonly signal: AbortSignal
  readonly endpoint: Endpoint
  /** How long the first connection is tried, ms; 0: once. */
  readonly wait: number
  /** Serves a connection as one that was accepted. */
  readonly serve: (transport: Transport) => void
}

/** A subscriber that listens, to which the publisher connects, and again when the connection is over. */
export class ReverseConnection {
  readonly #parts: ReverseParts
  readonly #backoff = new Backoff({ minDelay: 1000 })

  constructor(parts: ReverseParts) {
    this.#parts = parts
  }

  /** Connects for the first time. */
  open(): Promise<void> {
    return this.#persist(this.#parts.wait)
  }

  /** The connection is over: another is tried until it comes about. */
  again(): void {
    if (this.#parts.signal.aborted) return
    this.#backoff.reset()
    const { clock, signal } = this.#parts
    // Who refuses connections at once is not to be asked again at once.
    clock.after(this.#backoff.next(), () => {
      if (!signal.aborted) this.#persist(Number.POSITIVE_INFINITY).catch(() => {})
    })
  }

  #persist(wait: number): Promise<void> {
    const { network, clock, signal, status, endpoint, serve } = this.#parts
    const open = async (attempt: number): Promise<void> => {
      try {
        serve(await network.dial(endpoint, signal))
      } catch (error) {
        if (!signal.aborted) status.emit('attempt-failed', { attempt, ...describeError(error as Error) })
        throw error
      }
    }
    return persist(open, { clock, backoff: this.#backoff, wait, signal })
  }
}
