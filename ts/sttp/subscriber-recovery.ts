import type { MeasurandError, SourceOptions } from '../session/index.js'
import { sttpError } from './error-codes.js'
import { GapRecovery, type GapRecoveryOptions, type HistoryReader } from './gap-recovery.js'
import type { MessageOptions } from './subscriber-events.js'
import { SubscriberMetadata } from './subscriber-metadata.js'

/** What a subscriber does about histories. */
export interface RecoveryOptions {
  /**
   * How what was missed while the connection was broken is fetched back, where the publisher serves histories; `false`:
   * it is not.
   */
  readonly gapRecovery?: GapRecoveryOptions | false
}

/** What a subscriber has to do with what was: it fetches gaps back, and a history that breaks off is its end. */
export abstract class SubscriberRecovery extends SubscriberMetadata {
  readonly #recovery: GapRecovery | undefined

  constructor(name: string, options: SourceOptions & MessageOptions & RecoveryOptions) {
    super(name, options)
    if (options.gapRecovery === false) return
    const { clock, signal, signals, stats, delivery } = this
    this.#recovery = new GapRecovery(
      {
        ...{ clock, signal, signals, stats, delivery },
        isOpen: () => this.state === 'connected' || this.state === 'reconnecting',
        began: (gap) => this.ledger.at(gap)?.from ?? clock.now(),
        read: (start, stop) => this.readHistory(start, stop),
        recovered: (gap, rows) => void this.recover(gap, rows),
        closed: (gap, count) => {
          stats.lost += count
          this.ledger.complete(gap, { count })
        },
        tell: (state, detail) => this.status.emit(state, detail),
      },
      options.gapRecovery,
    )
  }

  /** Whether gaps can be fetched back from this publisher. */
  protected abstract get servesHistory(): boolean

  /** Subscribes, on a connection of its own, to what was between two times, ns since 1970-01-01 UTC. */
  protected abstract readHistory(start: bigint, stop: bigint): Promise<HistoryReader>

  /** Notes rows of a block, from one on. */
  protected observe(block: Uint8Array, first: number): void {
    this.#recovery?.observe(block, first)
  }

  /** The connection is over. */
  protected noteEnd(): void {
    this.#recovery?.lost()
  }

  protected override reconnected(gap: number): void {
    if (this.servesHistory) this.#recovery?.reconnected(gap)
  }

  /** The publisher has nothing more: the session ends when what is being fetched back has come. */
  protected complete(): void {
    void (this.#recovery?.idle() ?? Promise.resolve()).then(() => this.finished())
  }

  /** A history is not begun again: what has come would come twice. */
  protected historyLost(cause: MeasurandError | undefined): void {
    if (this.state === 'connected') this.lose({ cause: 'disconnect', from: this.clock.now() })
    const text = `${this.peer} closed the connection before the history was complete`
    this.finished(cause ?? sttpError('ERR_STTP_HISTORY_BROKEN', text))
  }
}
