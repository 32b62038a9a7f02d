import type { Batch, SignalTable } from '../batch/index.js'
import type {
  Gap,
  Ledger,
  Source,
  SourceDescription,
  SourcePolicy,
  StatsSnapshot,
  StatusStream,
} from '../session/index.js'
import { type Selection, Selector } from './selection.js'

/** A source of which only selected rows are given; the others count as filtered. */
export class SelectedSource implements Source {
  readonly closed: Promise<Error | undefined>
  readonly #source: Source
  readonly #selector: Selector
  #filtered = 0

  constructor(source: Source, selection: Selection) {
    this.#source = source
    this.#selector = new Selector(source, selection)
    this.closed = source.closed
  }

  get name(): string {
    return this.#source.name
  }

  get system(): string {
    return this.#source.system
  }

  get signals(): SignalTable {
    return this.#source.signals
  }

  get stats(): StatsSnapshot {
    const { stats } = this.#source
    return { ...stats, filtered: stats.filtered + this.#filtered }
  }

  get ledger(): Ledger {
    return this.#source.ledger
  }

  get status(): StatusStream {
    return this.#source.status
  }

  get policy(): SourcePolicy {
    return this.#source.policy
  }

  set policy(policy: SourcePolicy) {
    this.#source.policy = policy
  }

  describe(): SourceDescription {
    return this.#source.describe()
  }

  countOf(batch: Batch): number {
    return this.#source.countOf(batch)
  }

  gapsOf(batch: Batch): readonly Omit<Gap, 'cause'>[] {
    return this.#source.gapsOf?.(batch) ?? [{ count: this.countOf(batch) }]
  }

  derive(batch: Batch): Batch | undefined {
    return this.#source.derive?.(batch)
  }

  consume(call: (batch: Batch) => void | Promise<void>): Promise<void> {
    return this.#source.consume((batch) => {
      const selected = this.#select(batch)
      return selected.length > 0 ? call(selected) : undefined
    })
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Batch, undefined> {
    for await (const batch of this.#source) {
      const selected = this.#select(batch)
      if (selected.length > 0) yield selected
    }
    return undefined
  }

  close(): Promise<void> {
    return this.#source.close()
  }

  drain(): Promise<void> {
    return this.#source.drain()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #select(batch: Batch): Batch {
    const selected = this.#selector.select(batch)
    if (selected !== batch) this.#filtered += this.countOf(batch) - this.countOf(selected)
    return selected
  }
}
