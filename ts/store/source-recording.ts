import { join } from 'node:path'
import type { ArrowColumn, Batch, Signal } from '../batch/index.js'
import type { Books, Clock, LossRecord, MeasurandError, Source, Timer } from '../session/index.js'
import { sliceColumn, textsOf } from './column-slice.js'
import type { CompactionQueue } from './compaction.js'
import { fileError, storeError } from './error-codes.js'
import { directoryName, uniqueName } from './layout.js'
import type { Rotation } from './rotation.js'
import { lossRow, sessionRow, signalRow } from './source-rows.js'
import { StateTableWriter } from './state-table.js'
import { TableWriter } from './table-writer.js'

/** What the recording of a source needs. */
export interface SourceRecordingOptions {
  /** Its directory in the recording. */
  readonly directory: string
  /** Its name in the recording. */
  readonly name: string
  readonly source: Source
  readonly rotation: Rotation
  readonly clock: Clock
  readonly compaction: CompactionQueue
  /** Whether records are compacted too. */
  readonly compactRecords: boolean
  /** A digest of the configuration under which it is recorded. */
  readonly configDigest: string
}

/** How long signals, losses and counters may be behind the rows, ms. */
const STATE_DELAY = 1000

/** The files of one source: its rows, its signals, its losses and its session. */
export class SourceRecording {
  readonly #options: SourceRecordingOptions
  readonly #start: bigint
  readonly #tables = new Map<string, TableWriter>()
  readonly #runs = new Map<string, string>()
  readonly #signalTable: StateTableWriter
  readonly #lossTable: StateTableWriter
  readonly #sessionTable: StateTableWriter
  readonly #written: Signal[] = []
  readonly #changed = new Map<number, LossRecord>()
  readonly #stopLedger: () => void
  #books: Partial<Books> = {}
  #timer: Timer | undefined
  #flushing: Promise<void> = Promise.resolve()
  #failure: MeasurandError | undefined
  #stored = 0

  constructor(options: SourceRecordingOptions) {
    const { directory, source, clock } = options
    this.#options = options
    this.#start = clock.now()
    this.#signalTable = new StateTableWriter(directory, 'signal')
    this.#lossTable = new StateTableWriter(directory, 'loss')
    this.#sessionTable = new StateTableWriter(directory, 'session')
    for (const record of source.ledger) this.#changed.set(record.id, record)
    this.#stopLedger = source.ledger.onChange((record) => {
      this.#changed.set(record.id, record)
      this.#arm()
    })
  }

  /** Writes what is known of the session before its first row. */
  begin(): Promise<void> {
    return this.#flush()
  }

  /** Rows in the unit of the source's books that the kernel has. */
  get stored(): number {
    return this.#stored
  }

  /** Books that others keep for this source: they go to the session table instead of the source's own counters. */
  settle(books: Partial<Books>): void {
    this.#books = { ...this.#books, ...books }
    this.#arm()
  }

  /** Writes a batch; the kernel has it, and the signals of its rows, when this resolves. */
  async write(batch: Batch): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    if (batch.length === 0) return
    const { source } = this.#options
    const derived = source.derive?.(batch)
    if (source.signals.length > this.#written.length) await this.#writeSignals()
    await this.#writeTable(batch)
    if (derived !== undefined) await this.#writeTable(derived)
    this.#stored += source.countOf(batch)
    this.#arm()
  }

  async #writeTable(batch: Batch): Promise<void> {
    const columns = batch.columns()
    switch (batch.table) {
      case 'measurement':
      case 'event':
        await this.#tableOf(batch.table).write(batch.length, columns)
        break
      case 'record':
        await this.#writeRecords(batch.length, columns)
        break
      default:
        throw storeError('ERR_STORE_BATCH_TABLE', `the store writes the table ${batch.table} itself`)
    }
  }

  /** Closes the files with rows; afterwards only their compaction is under way. */
  async closeTables(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    await Promise.all(Array.from(this.#tables.values(), (table) => table.close()))
  }

  /** Checks that the files have all rows, and writes signals, losses and session as they are at last. */
  async finish(): Promise<void> {
    this.#stopLedger()
    // A loss that was found while the tables were closed has set it again.
    this.#timer?.cancel()
    await this.#flushing
    const { source, name, clock } = this.#options
    await this.#signalTable.finish(Array.from(source.signals, (signal) => signalRow(signal, name)))
    await this.#lossTable.finish(Array.from(source.ledger, lossRow))
    await this.#sessionTable.finish([this.#sessionRow(clock.now())])
    for (const [directory, { rows, rowsInFiles }] of this.#tables) {
      if (rows !== rowsInFiles) {
        throw storeError('ERR_STORE_BOOKS', `${directory}: ${rows} rows were written and ${rowsInFiles} are there`)
      }
    }
    if (this.#failure !== undefined) throw this.#failure
  }

  #tableOf(table: 'measurement' | 'record' | 'event', run?: string): TableWriter {
    const { directory, rotation, clock, compaction, compactRecords } = this.#options
    const path = run === undefined ? join(directory, table) : join(directory, table, run)
    let writer = this.#tables.get(path)
    if (writer === undefined) {
      const isCompacted = table !== 'record' || compactRecords
      const base = { table, directory: path, rotation, clock }
      writer = new TableWriter(isCompacted ? { ...base, compaction } : base)
      this.#tables.set(path, writer)
    }
    return writer
  }

  /** Each run has a directory of its own; a batch may be of several. */
  async #writeRecords(length: number, columns: readonly ArrowColumn[]): Promise<void> {
    const runs = textsOf(columnOf(columns, 'run'), length)
    for (let from = 0, to = 0; from < length; from = to) {
      while (to < length && runs[to] === runs[from]) to++
      const part = from === 0 && to === length ? columns : columns.map((column) => sliceColumn(column, from, to))
      await this.#tableOf('record', this.#directoryOf(runs[from] as string)).write(to - from, part)
    }
  }

  #directoryOf(run: string): string {
    let directory = this.#runs.get(run)
    if (directory === undefined) {
      directory = uniqueName(directoryName(run), this.#runs.values())
      this.#runs.set(run, directory)
    }
    return directory
  }

  #sessionRow(end: bigint | null) {
    const { source, name, configDigest } = this.#options
    const rows: Record<string, number> = {}
    for (const { table, rows: written } of this.#tables.values()) rows[table] = (rows[table] ?? 0) + written
    const counters = { ...source.stats, ...this.#books, stored: this.#stored, rows }
    return sessionRow(source, { name, start: this.#start, end, counters, configDigest })
  }

  async #writeSignals(): Promise<void> {
    const { source, name } = this.#options
    const rows = []
    for (const signal of source.signals) {
      if (this.#written[signal.id] === signal) continue
      this.#written[signal.id] = signal
      rows.push(signalRow(signal, name))
    }
    await this.#signalTable.append(rows)
  }

  #arm(): void {
    this.#timer ??= this.#options.clock.after(STATE_DELAY, () => {
      this.#timer = undefined
      this.#flushing = this.#flush().catch((error) => {
        this.#failure ??= fileError(error, 'write', this.#options.directory)
      })
    })
  }

  async #flush(): Promise<void> {
    const losses = [...this.#changed.values()].map(lossRow)
    this.#changed.clear()
    await this.#writeSignals()
    await this.#lossTable.append(losses)
    await this.#sessionTable.replace([this.#sessionRow(null)])
  }
}

function columnOf(columns: readonly ArrowColumn[], name: string): ArrowColumn {
  const column = columns.find(({ field }) => field.name === name)
  if (column === undefined) throw storeError('ERR_STORE_BATCH_TABLE', `a batch of records has no column ${name}`)
  return column
}
