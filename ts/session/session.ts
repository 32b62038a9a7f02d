import { aborted, type Clock, systemClock } from './clock.js'
import { tell } from './diagnostics.js'
import { sessionError } from './error-codes.js'
import type { System } from './errors.js'
import { type Gap, isRecovered, Ledger } from './ledger.js'
import { Stats } from './stats.js'
import { type State, type StatusEvent, StatusStream } from './status.js'
import { systemNetwork } from './system-network.js'
import type { Network } from './transport.js'

/** What every session can be given. */
export interface SessionOptions {
  /** The name in ledger, status and recordings; by default made from the system and the peer. */
  readonly name?: string
  /** Hears every status event, the first ones too. */
  readonly onStatus?: (event: StatusEvent) => void
  /** Ends the session when it aborts. */
  readonly signal?: AbortSignal
  /** Time; the machine's unless told. */
  readonly clock?: Clock
  /** Sockets; the machine's unless told. */
  readonly network?: Network
}

/**
 * What clients, servers, subscribers and publishers of every system have in common: state, counters, ledger, status,
 * and one end.
 *
 * ```ts
 * await using session = new Subscriber({ signal: AbortSignal.timeout(60_000) })
 * session.status.on(({ state, detail }) => console.error(state, detail))
 * await session.connect('sttp://127.0.0.1:7165')
 * ```
 */
export abstract class Session implements AsyncDisposable {
  abstract readonly system: System
  readonly stats = new Stats()
  readonly ledger: Ledger
  readonly status: StatusStream
  /** Resolves when it is over: with the error that ended it, or nothing. Never rejects. */
  readonly closed: Promise<Error | undefined>
  /** Aborts when the session ends: whatever waits in it stops. */
  protected readonly signal: AbortSignal
  protected readonly clock: Clock
  protected readonly network: Network
  readonly #name: string
  readonly #ending = new AbortController()
  readonly #outside: AbortSignal | undefined
  readonly #onAbort = (): void => {
    void this.#finish(aborted(this.#outside as AbortSignal))
  }
  #state: State = 'idle'
  #resolveClosed: (error: Error | undefined) => void = () => {}
  #finished: Promise<void> | undefined

  constructor(name: string, options: SessionOptions = {}) {
    this.#name = options.name ?? name
    this.clock = options.clock ?? systemClock
    this.network = options.network ?? systemNetwork
    this.ledger = new Ledger(this.#name, this.clock)
    this.status = new StatusStream(this.#name, this.clock)
    if (options.onStatus !== undefined) this.status.on(options.onStatus)
    this.signal = this.#ending.signal
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
    this.ledger.onChange((record) => tell('loss', () => record))
    this.#outside = options.signal
    if (this.#outside?.aborted) this.#onAbort()
    else this.#outside?.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** The name in ledger, status and recordings. */
  get name(): string {
    return this.#name
  }

  get state(): State {
    return this.#state
  }

  /** Ends it now. */
  close(): Promise<void> {
    return this.#finish(undefined)
  }

  /** Ends it after what is under way was delivered. */
  async drain(): Promise<void> {
    if (this.#state === 'closed') return
    if (this.#state !== 'idle') {
      this.setState('draining')
      await Promise.race([this.deliverRest(), this.closed])
    }
    await this.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Closes sockets and timers; called once. */
  protected abstract shut(error: Error | undefined): void | Promise<void>

  /** Stops taking new work and resolves when what it has is delivered. */
  protected abstract deliverRest(): Promise<void>

  /** Leaves `idle`; throws where that has happened before. */
  protected begin(state: State): void {
    this.signal.throwIfAborted()
    if (this.#state === 'closed') throw sessionError('ERR_SESSION_CLOSED', `${this.#name} is closed`)
    if (this.#state !== 'idle') throw sessionError('ERR_SESSION_STARTED', `${this.#name} was started before`)
    this.setState(state)
  }

  /** Changes the state and tells it. */
  protected setState(state: State, detail?: Readonly<Record<string, unknown>>): void {
    this.#state = state
    this.status.emit(state, detail)
  }

  /** Ends it because of an error. */
  protected fail(error: Error): void {
    void this.#finish(error)
  }

  /**
   * Enters a loss into the ledger and the counters; gives the id of its record. Rows lost by `wire` or `disconnect`
   * were never received; those lost by `decoder` came and failed.
   */
  protected lose(gap: Gap): number {
    const id = this.ledger.add(gap)
    this.#count(gap.cause, gap.count ?? 0)
    if (gap.cause === 'wire' || gap.cause === 'decoder') this.status.emit('lost', { id, ...gap })
    return id
  }

  /** More of a loss was found. */
  protected loseMore(id: number, gap: Omit<Gap, 'cause'>): void {
    this.ledger.grow(id, gap)
    const cause = this.ledger.at(id)?.cause
    if (cause !== undefined) this.#count(cause, gap.count ?? 0)
  }

  /** It became known how many rows are in a loss. */
  protected counted(id: number, count: number): void {
    const record = this.ledger.at(id)
    if (record === undefined) return
    const rows = count - (record.count ?? 0)
    // They had come, and nobody had counted them before they were thrown away.
    if (record.cause === 'queue') this.stats.received += rows
    this.#count(record.cause, rows)
    this.ledger.complete(id, { count })
  }

  /** Rows of a loss came after all; gives whether that was the last of them. */
  protected recover(id: number, rows: number): boolean {
    this.ledger.recover(id, rows)
    this.stats.recovered += rows
    const record = this.ledger.at(id)
    return record !== undefined && isRecovered(record)
  }

  /** Tells that bytes could not be read. Where the rows in them are not known, the ledger has their length. Gives the record's id. */
  protected malformed(code: string, offset: number, length: number): number {
    tell('malformed', () => ({ source: this.#name, code, offset, length }))
    this.status.emit('malformed', { code, offset, length })
    return this.lose({ cause: 'decoder', bytes: length })
  }

  #count(cause: Gap['cause'], rows: number): void {
    if (cause === 'queue') this.stats.dropped += rows
    else if (cause === 'wire' || cause === 'disconnect') this.stats.lost += rows
    else {
      this.stats.failed += rows
      if (cause === 'decoder') this.stats.received += rows
    }
  }

  #finish(error: Error | undefined): Promise<void> {
    this.#finished ??= this.#end(error)
    return this.#finished
  }

  async #end(error: Error | undefined): Promise<void> {
    this.#outside?.removeEventListener('abort', this.#onAbort)
    this.#state = 'closed'
    this.#ending.abort(error ?? sessionError('ERR_SESSION_CLOSED', `${this.#name} is closed`))
    // The constructors of derived classes may still be running when a signal has aborted before.
    await Promise.resolve()
    try {
      await this.shut(error)
    } finally {
      this.status.emit('closed', error === undefined ? undefined : describeError(error))
      this.status.end()
      this.#resolveClosed(error)
    }
  }
}

/** What a status event says of an error. */
export function describeError(error: Error & { code?: unknown }): Readonly<Record<string, unknown>> {
  return error.code === undefined ? { message: error.message } : { code: error.code, message: error.message }
}
