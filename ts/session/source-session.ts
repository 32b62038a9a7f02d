import { type Batch, MeasurementBatch, SignalTable, TIME_UNKNOWN } from '../batch/index.js'
import { Delivery, type Ready } from './delivery.js'
import { sessionError } from './error-codes.js'
import { COUNT, checkNumbers, WAIT } from './number-options.js'
import { Backoff, persist, type ReconnectOptions } from './reconnect.js'
import { describeError, Session, type SessionOptions } from './session.js'
import type { Source, SourceDescription, SourcePolicy } from './source.js'

/** What every session can be given that receives. */
export interface SourceOptions extends SessionOptions {
  /** How long the first connection is tried, ms; 0, once, unless told. */
  readonly wait?: number
  /** How a connection that broke is tried again; `false`: it is not, and the session ends. */
  readonly reconnect?: ReconnectOptions | false
  /** What happens when the consumer does not keep up; `block` unless told. */
  readonly policy?: SourcePolicy
  /** Bytes that may wait for the consumer; 16 MiB unless told. */
  readonly queueBytes?: number
  /** How long rows may gather in a batch that is not full, ms; 0 unless told. */
  readonly maxDelay?: number
}

/**
 * A session that receives: it connects, gives its rows to one consumer, and connects again when the connection breaks.
 *
 * A system derives from it, says how one connection is made (`open`) and what ends it (`hangUp`), and tells when it
 * broke. What a transport tells after `hangUp` is not of interest any more:
 *
 * ```ts
 * protected async open() {
 *   const transport = await this.network.dial(this.#endpoint, this.signal)
 *   this.#transport = transport
 *   const intake = new BlockIntake({ transport, decoder: new Downlink(), delivery: this.delivery, ... })
 *   transport.start({
 *     onChunk: intake.feed,
 *     onClose: (error) => {
 *       intake.finish()
 *       if (this.#transport === transport) this.connectionLost(error)
 *     },
 *   })
 *   await this.#subscribed()
 * }
 *
 * protected hangUp() {
 *   this.#transport?.close()
 *   this.#transport = undefined
 * }
 * ```
 */
export abstract class SourceSession<B extends Batch = Batch> extends Session implements Source<B> {
  readonly signals = new SignalTable()
  protected readonly delivery: Delivery<B>
  readonly #wait: number
  readonly #reconnect: ReconnectOptions | false
  readonly #backoff: Backoff
  #gap: number | undefined
  #drops: number | undefined
  #brokeEarly: { cause: Error | undefined } | undefined

  constructor(name: string, options: SourceOptions = {}) {
    super(name, options)
    checkNumbers(options, { wait: WAIT, queueBytes: COUNT, maxDelay: WAIT })
    this.#wait = options.wait ?? 0
    this.#reconnect = options.reconnect ?? {}
    this.#backoff = new Backoff(this.#reconnect === false ? {} : this.#reconnect)
    this.delivery = new Delivery<B>({
      source: this.name,
      clock: this.clock,
      ...(options.policy === undefined ? {} : { policy: options.policy }),
      ...(options.queueBytes === undefined ? {} : { queueBytes: options.queueBytes }),
      ...(options.maxDelay === undefined ? {} : { maxDelay: options.maxDelay }),
      stats: this.stats,
      onDrop: (ready) => this.dropped(ready),
      onRelief: () => {
        this.#drops = undefined
        this.relieved()
      },
      onOverflow: (error) => this.fail(error),
    })
  }

  get policy(): SourcePolicy {
    return this.delivery.policy
  }

  set policy(policy: SourcePolicy) {
    this.delivery.policy = policy
  }

  /** Makes one connection and subscribes; rejects when that does not come about. The number of the try is from 1. */
  protected abstract open(attempt: number): Promise<void>

  /** Closes what `open` has opened, as far as it came. */
  protected abstract hangUp(): void

  abstract describe(): SourceDescription

  countOf(batch: B): number {
    return batch.length
  }

  consume(call: (batch: B) => void | Promise<void>): Promise<void> {
    return this.delivery.consume(call).catch(async (error) => {
      await this.close()
      throw error
    })
  }

  [Symbol.asyncIterator](): AsyncIterator<B, undefined> {
    return this.delivery[Symbol.asyncIterator]()
  }

  /** Connects for the first time: once, or as long as `wait` says. What a system calls `connect` or `start`. */
  protected async start(): Promise<void> {
    this.begin('connecting')
    try {
      await this.#persist(this.#wait)
    } catch (error) {
      this.fail(error as Error)
      throw error
    }
    this.#connected()
  }

  /** The connection broke: another is tried, and the gap is in the ledger. Nothing happens where none stood. */
  protected connectionLost(cause?: Error): void {
    if (this.state !== 'connected') {
      this.#brokeEarly = { cause }
      return
    }
    this.hangUp()
    this.#gap = this.lose({ cause: 'disconnect', from: this.clock.now() })
    if (this.#reconnect === false) {
      const error =
        cause ?? sessionError('ERR_SESSION_CONNECTION_LOST', `the peer of ${this.name} closed the connection`)
      this.finished(error)
      return
    }
    this.setState('reconnecting', cause === undefined ? undefined : describeError(cause))
    this.#persist(Number.POSITIVE_INFINITY).then(
      () => this.#reconnected(),
      (error: Error) => this.fail(error),
    )
  }

  /** A connection came about again; a system that can fetch back what was missed does it here. */
  protected reconnected(_gap: number): void {}

  /** A batch was given up under `drop-oldest`, a record says; it is valid during the call. */
  protected gaveUp(_record: number, _ready: Ready<B>): void {}

  /** The consumer has caught up behind batches that were given up. */
  protected relieved(): void {}

  /** The protocol's own end: the consumer gets what there is, then the end, or the error. */
  protected finished(error?: Error): void {
    if (this.state === 'closed' || this.state === 'draining') return
    this.setState('draining')
    this.hangUp()
    this.delivery.end(error)
    void this.delivery.drained.then(() => (error === undefined ? this.close() : this.fail(error)))
  }

  protected deliverRest(): Promise<void> {
    this.hangUp()
    this.delivery.end()
    return this.delivery.drained
  }

  protected shut(error: Error | undefined): void {
    this.hangUp()
    this.stats.received -= this.delivery.close(error)
  }

  async #persist(wait: number): Promise<void> {
    const { clock, signal } = this
    const open = async (attempt: number): Promise<void> => {
      this.#brokeEarly = undefined
      try {
        await this.open(attempt)
      } catch (error) {
        this.hangUp()
        if (!signal.aborted) this.status.emit('attempt-failed', { attempt, ...describeError(error as Error) })
        throw error
      }
    }
    this.#backoff.reset()
    await persist(open, { clock, backoff: this.#backoff, wait, signal })
  }

  #reconnected(): void {
    this.stats.reconnects++
    const gap = this.#gap as number
    this.ledger.complete(gap, { to: this.clock.now() })
    this.#connected()
    if (this.state === 'connected') this.reconnected(gap)
  }

  /** A connection may have broken again before `open` was seen to have resolved. */
  #connected(): void {
    this.setState('connected')
    const broke = this.#brokeEarly
    this.#brokeEarly = undefined
    if (broke !== undefined) this.connectionLost(broke.cause)
  }

  /** A batch was given up under `drop-oldest`; those that follow one another are one loss. */
  protected dropped(ready: Ready<B>): void {
    const { batch, rows, bytes } = ready
    const gap = { ...timesOf(batch), count: rows, bytes }
    if (this.#drops === undefined) this.#drops = this.lose({ cause: 'queue', ...gap })
    else this.loseMore(this.#drops, gap)
    this.gaveUp(this.#drops, ready)
  }
}

/** First and last time in a batch of measurements. */
function timesOf(batch: Batch): { from?: bigint; to?: bigint } {
  if (!(batch instanceof MeasurementBatch)) return {}
  let [from, to] = [TIME_UNKNOWN, TIME_UNKNOWN]
  for (const time of batch.time) {
    if (time === TIME_UNKNOWN) continue
    if (from === TIME_UNKNOWN || time < from) from = time
    if (time > to) to = time
  }
  return from === TIME_UNKNOWN ? {} : { from, to }
}
