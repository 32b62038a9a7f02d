import { type ArrowColumn, type Batch, cellOf, SignalPatterns, TableBatch } from '../batch/index.js'
import type { Source } from '../session/index.js'
import { pickColumn } from '../store/column-slice.js'
import type { OptionTable } from './option-table.js'
import { parseTime } from './time-text.js'
import type { SourceUrl } from './url.js'

/** Which rows of a source go on; the others are filtered. */
export interface Selection {
  /** Rows from this time on, ns since 1970-01-01 UTC. */
  readonly since?: bigint
  /** Rows before this time, ns since 1970-01-01 UTC. A row without a time is not wanted where a time is asked for. */
  readonly until?: bigint
  /** Signals by name, native id or row; `*` stands for anything. Rows that are of no signal stay. */
  readonly signals?: readonly string[]
}

/** The options of every source; a system that has one of the name means its own by it. */
export const SELECTION_OPTIONS: OptionTable = {
  since: { value: 'TIME', line: 'rows from this time on, as 2024-01-01T12:00:00Z or ns since 1970' },
  until: { value: 'TIME', line: 'rows before this time' },
  signal: { value: 'NAME[,NAME]', line: 'signals by name or native id; * stands for anything' },
}

/** What a URL selects beside its system's own options; `undefined` where that is everything. */
export function selectionOf(url: SourceUrl, own: OptionTable): Selection | undefined {
  const [since, until, signals] = ['since', 'until', 'signal'].map((name) =>
    Object.hasOwn(own, name) ? undefined : url.option(name),
  )
  if (since === undefined && until === undefined && signals === undefined) return undefined
  return {
    ...(since === undefined ? {} : { since: parseTime('since', since) }),
    ...(until === undefined ? {} : { until: parseTime('until', until) }),
    ...(signals === undefined ? {} : { signals: signals.split(',') }),
  }
}

/** Takes from the batches of one source the rows that are wanted. */
export class Selector {
  readonly #source: Source
  readonly #selection: Selection
  readonly #patterns: SignalPatterns | undefined
  /** By row of the signal table, as it was when it was looked at: a signal's name may come behind its first rows. */
  readonly #known: { readonly signal: unknown; readonly isWanted: boolean }[] = []

  constructor(source: Source, selection: Selection) {
    this.#source = source
    this.#selection = selection
    this.#patterns = selection.signals === undefined ? undefined : new SignalPatterns(selection.signals)
  }

  /** The wanted rows: the batch itself where all are. */
  select(batch: Batch): Batch {
    const columns = batch.columns()
    const tests = [this.#timeTest(columns), this.#signalTest(columns)].filter((test) => test !== undefined)
    if (tests.length === 0) return batch
    const rows: number[] = []
    for (let row = 0; row < batch.length; row++) if (tests.every((test) => test(row))) rows.push(row)
    if (rows.length === batch.length) return batch
    return new TableBatch(
      batch.table,
      rows.length,
      columns.map((column) => pickColumn(column, rows)),
    )
  }

  #timeTest(columns: readonly ArrowColumn[]): ((row: number) => boolean) | undefined {
    const { since, until } = this.#selection
    const column = columns.find(({ field }) => field.name === 'time')
    if (column === undefined || (since === undefined && until === undefined)) return undefined
    const timeAt = cellOf(column)
    return (row) => {
      const time = timeAt(row)
      return typeof time === 'bigint' && (since === undefined || time >= since) && (until === undefined || time < until)
    }
  }

  #signalTest(columns: readonly ArrowColumn[]): ((row: number) => boolean) | undefined {
    const column = columns.find(({ field }) => field.name === 'signal')
    if (column === undefined || this.#patterns === undefined) return undefined
    const signalAt = cellOf(column)
    return (row) => this.#isWanted(signalAt(row) as number)
  }

  #isWanted(id: number): boolean {
    const signal = this.#source.signals.at(id)
    const known = this.#known[id]
    if (known !== undefined && known.signal === signal) return known.isWanted
    const isWanted = signal !== undefined && (this.#patterns?.match(signal, this.#source.system) ?? true)
    this.#known[id] = { signal, isWanted }
    return isWanted
  }
}
