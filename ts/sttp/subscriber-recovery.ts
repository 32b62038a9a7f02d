import type { MeasurementBatch } from '../batch/index.js'
import type { LossRecord, MeasurandError, Ready, SourceOptions } from '../session/index.js'
import type { SttpDownlink } from './codec.js'
import { sttpError } from './error-codes.js'
import { GapRecovery, type GapRecoveryOptions } from './gap-recovery.js'
import { type HistoryReader, Recovered } from './history-fetch.js'
import type { MessageOptions } from './subscriber-events.js'
import { SubscriberMetadata } from './subscriber-metadata.js'

/** What a subscriber does about histories. */
export interface RecoveryOptions {
  /**
   * How what was missed is fetched back where the publisher serves histories: while the connection was broken, in packets
   * that could not be decoded, or because the own queue was full. `false`: it is not.
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
        began: (record) => this.#record(record).from ?? this.#record(record).at,
        read: (start, stop) => this.readHistory(start, stop),
        recovered: (records, rows) => this.#recovered(records, rows),
        closed: (record) => {
          const { count, recovered } = this.#record(record)
          if (count === null) this.counted(record, recovered)
        },
        tell: (state, detail) => this.status.emit(state, detail),
      },
      options.gapRecovery,
    )
  }

  /** Whether gaps can be fetched back from this publisher. @internal */
  protected abstract get servesHistory(): boolean

  /** Subscribes, on a connection of its own, to what was between two times, ns since 1970-01-01 UTC. @internal */
  protected abstract readHistory(start: bigint, stop: bigint): Promise<HistoryReader>

  /** Another connection is made, with this downlink. @internal */
  protected connecting(downlink: SttpDownlink): void {
    this.#recovery?.connection(downlink)
  }

  /** Rows are missing behind the last that came, a record of the ledger says. */
  protected missed(record: number): void {
    if (this.servesHistory) this.#recovery?.missed(record)
  }

  protected override reconnected(record: number): void {
    if (this.servesHistory) this.#recovery?.reconnected(record)
  }

  protected override gaveUp(record: number, ready: Ready<MeasurementBatch>): void {
    // What is given up a second time stays lost: the consumer is too slow for it.
    if (this.servesHistory && !(ready instanceof Recovered)) this.#recovery?.dropped(record, ready.batch.block.bytes)
  }

  protected override relieved(): void {
    this.#recovery?.relieved()
  }

  /** The publisher has nothing more: the session ends when what is being fetched back has come. */
  protected complete(): void {
    void (this.#recovery?.end() ?? Promise.resolve()).then(() => this.finished())
  }

  /** A history is not begun again: what has come would come twice. */
  protected historyLost(cause: MeasurandError | undefined): void {
    if (this.state === 'connected') this.lose({ cause: 'disconnect', from: this.clock.now() })
    const text = `${this.peer} closed the connection before the history was complete`
    this.finished(cause ?? sttpError('ERR_STTP_HISTORY_BROKEN', text))
  }

  /** Rows that came belong first to those records that say how many they miss. */
  #recovered(records: ReadonlySet<number>, rows: number): void {
    let left = rows
    for (const id of records) {
      const { count, recovered } = this.#record(id)
      const taken = Math.min(left, Math.max(0, (count ?? 0) - recovered))
      if (taken > 0) this.recover(id, taken)
      left -= taken
    }
    const ids = [...records]
    const rest = ids.find((id) => this.#record(id).count === null) ?? ids.at(-1)
    if (left > 0 && rest !== undefined) this.recover(rest, left)
  }

  #record(id: number): LossRecord {
    return this.ledger.at(id) as LossRecord
  }
}
