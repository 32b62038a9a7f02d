import { join } from 'node:path'
import {
  type ArrowColumn,
  type Batch,
  Block,
  COLUMN,
  countedRows,
  type Field,
  MeasurementBatch,
  SignalPatterns,
  SignalTable,
  TABLES,
  TableBatch,
} from '../batch/index.js'
import {
  aborted,
  type Clock,
  Ledger,
  type LossRecord,
  type Source,
  type SourceDescription,
  type SourcePolicy,
  Stats,
  StatusStream,
  sessionError,
  systemClock,
} from '../session/index.js'
import { type ColumnField, type Columns, FileReader, PROGRESS, type Selection } from './codec.js'
import { storeError } from './error-codes.js'
import type { FileExtents } from './file-extents.js'
import { namesIn, type StateTable, type TableFile, tableFiles, withFile } from './layout.js'
import { readRecordingFile, type SourceEntry } from './recording-file.js'
import { readRows } from './rows.js'
import { isBegun } from './segment.js'
import {
  fillSignals,
  type LossCells,
  lastOf,
  lossOf,
  parsed,
  type SessionCells,
  type SignalCells,
} from './source-rows.js'

/** Which rows of a recording are read. */
export interface ReadOptions {
  /** Names of sources; all unless told. */
  readonly sources?: readonly string[]
  /** Rows from this time on, ns since 1970-01-01 UTC. */
  readonly since?: bigint
  /** Rows before this time, ns since 1970-01-01 UTC. */
  readonly until?: bigint
  /** Signals by name, native id or row; `*` stands for anything. */
  readonly signals?: readonly string[]
  /** Rows of a batch; 65,536 unless told. */
  readonly batchRows?: number
  /** Ends the reading when it aborts. */
  readonly signal?: AbortSignal
  readonly clock?: Clock
  /** What is known of files from before: those without rows in the window are not opened. */
  readonly extents?: FileExtents
}

/** What a recording says of a source, beside its rows. */
export interface StoredState {
  readonly signals: SignalTable
  readonly losses: readonly LossRecord[]
  /** The session as far as it was written. */
  readonly session: SessionCells | undefined
  /** Whether its writer has closed it, or it was recovered. */
  readonly isFinished: boolean
}

/** Opens a recording for reading: a source for each that it holds. */
export async function openRecording(directory: string, options: ReadOptions = {}): Promise<RecordingSource[]> {
  const entries = await sourcesOf(directory)
  const missing = options.sources?.find((name) => !entries.some((entry) => entry.name === name))
  if (missing !== undefined) {
    const names = entries.map(({ name }) => name).join(', ')
    throw storeError('ERR_STORE_SOURCE_MISSING', `${directory} has no source ${missing}, but ${names}`)
  }
  const wanted = entries.filter(({ name }) => options.sources?.includes(name) ?? true)
  return Promise.all(wanted.map((entry) => RecordingSource.open(join(directory, entry.name), entry, options)))
}

/** The sources of a recording. */
export async function sourcesOf(directory: string): Promise<readonly SourceEntry[]> {
  const file = await readRecordingFile(directory)
  if (file === undefined) throw storeError('ERR_STORE_RECORDING_MISSING', `${directory} has no recording.json`)
  return file.sources
}

/** Signals, losses and session of a source in a recording. */
export async function readState(directory: string): Promise<StoredState> {
  const names = await namesIn(directory)
  const rowsOf = async <T>(table: StateTable): Promise<T[]> => {
    if (names.includes(`${table}.parquet`)) return readRows<T>(join(directory, `${table}.parquet`))
    if (!names.includes(`${table}.arrows`)) return []
    // Where its writer died before its schema was whole there was no row yet.
    return withFile(join(directory, `${table}.arrows`), async (path) =>
      (await isBegun(path)) ? readRows<T>(path) : [],
    )
  }
  const signals = new SignalTable()
  fillSignals(signals, await rowsOf<SignalCells>('signal'))
  const losses = Array.from(lastOf(await rowsOf<LossCells>('loss')).values(), lossOf)
  const session = (await rowsOf<SessionCells>('session')).at(-1)
  return { signals, losses, session, isFinished: names.includes('session.parquet') }
}

/**
 * A recorded source, read as if it came from its peer: the rows in the order in which they were stored.
 *
 * ```ts
 * for (const source of await openRecording('monday', { signals: ['SYN:T*'] })) {
 *   for await (const batch of source) console.log(source.name, batch.table, batch.length)
 * }
 * ```
 *
 * Its ledger has what could not be read; what was lost when it was recorded is in `losses`.
 */
export class RecordingSource implements Source {
  readonly name: string
  readonly system: string
  readonly signals: SignalTable
  /** What was lost when it was recorded. */
  readonly losses: readonly LossRecord[]
  readonly stats = new Stats()
  readonly ledger: Ledger
  readonly status: StatusStream
  policy: SourcePolicy = 'block'
  readonly closed: Promise<Error | undefined>
  readonly #entry: SourceEntry
  readonly #state: StoredState
  readonly #files: readonly TableFile[]
  readonly #selection: Selection
  readonly #options: ReadOptions
  #resolveClosed: (error: Error | undefined) => void = () => {}
  #isTaken = false
  #isEnded = false

  private constructor(entry: SourceEntry, state: StoredState, files: readonly TableFile[], options: ReadOptions) {
    const clock = options.clock ?? systemClock
    this.name = entry.name
    this.system = entry.system
    this.signals = state.signals
    this.losses = state.losses
    this.ledger = new Ledger(entry.name, clock)
    this.status = new StatusStream(entry.name, clock)
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
    this.#entry = entry
    this.#state = state
    this.#files = files
    this.#selection = selectionOf(state.signals, entry.system, options)
    this.#options = options
  }

  /** Opens a source's directory. */
  static async open(directory: string, entry: SourceEntry, options: ReadOptions = {}): Promise<RecordingSource> {
    return new RecordingSource(entry, await readState(directory), await tableFiles(directory), options)
  }

  /** The same files, read again with other options: what the recording says of itself is not asked for once more. */
  again(options: ReadOptions): RecordingSource {
    return new RecordingSource(this.#entry, this.#state, this.#files, { ...this.#options, ...options })
  }

  /** Whether its writer has closed it, or it was recovered: nothing is written to it any more. */
  get isFinished(): boolean {
    return this.#state.isFinished
  }

  describe(): SourceDescription {
    const { session } = this.#state
    if (session === undefined) return { peer: '', quirks: [], clock: {}, meta: {} }
    const { peer, quirks, clock, meta } = session
    return { peer, quirks, clock: parsed(clock), meta: parsed(meta) }
  }

  /** Of records only data counts. */
  countOf(batch: Batch): number {
    return countedRows(batch)
  }

  async consume(call: (batch: Batch) => void | Promise<void>): Promise<void> {
    for await (const batch of this) await call(batch)
  }

  [Symbol.asyncIterator](): AsyncGenerator<Batch, undefined> {
    if (this.#isTaken) throw sessionError('ERR_SESSION_CONSUMER_SECOND', `${this.name} has a consumer`)
    this.#isTaken = true
    return this.#read()
  }

  /** Ends it: the batch that was given last is the last one. */
  close(): Promise<void> {
    this.#end(undefined)
    return Promise.resolve()
  }

  /** Ends it; a file has nothing under way. */
  drain(): Promise<void> {
    return this.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async *#read(): AsyncGenerator<Batch, undefined> {
    const { signal } = this.#options
    try {
      for (const file of this.#files) {
        if (await this.#isOutside(file)) continue
        for await (const batch of this.#readFile(file)) {
          if (signal?.aborted) throw aborted(signal)
          if (this.#isEnded) return undefined
          this.stats.received += this.countOf(batch)
          yield batch
          if (this.#isEnded) return undefined
        }
      }
      this.#end(undefined)
    } catch (error) {
      this.#end(error as Error)
      throw error
    } finally {
      this.#end(undefined)
    }
    return undefined
  }

  /** Whether a file is known to have no rows in the window; those are counted as if they had been read. */
  async #isOutside(file: TableFile): Promise<boolean> {
    const { extents } = this.#options
    if (extents === undefined || file.isSegment || file.table !== 'measurement') return false
    const { rows, firstTime, lastTime } = await extents.of(file)
    const { since, until } = this.#selection
    if (firstTime === undefined || lastTime === undefined) return false
    if ((since === undefined || lastTime >= since) && (until === undefined || firstTime < until)) return false
    this.stats.filtered += rows
    this.stats.received += rows
    return true
  }

  /** While a batch is read by its consumer, a thread of the pool fills the other block. */
  async *#readFile(file: TableFile): AsyncGenerator<Batch, void> {
    const reader = await withFile(file.path, (path) => new FileReader(path, this.#selection))
    const { fields } = reader
    const lacking = TABLES[file.table].find(
      ({ name, optional }) => !optional && !fields.some((field) => field.name === name),
    )
    if (lacking !== undefined) {
      throw storeError('ERR_STORE_FILE_COLUMNS', `${file.path}: it has no column ${lacking.name}`)
    }
    const optional = fields.reduce((bits, { name }) => bits | (OPTIONAL[name] ?? 0), 0)
    const { wire } = (fields.find(({ name }) => name === 'value')?.metadata ?? {}) as { wire?: 'f32' }
    const { batchRows = 65_536 } = this.#options
    let [block, other] = [new Block(batchRows, optional), new Block(batchRows, optional)]
    let reading = this.#fill(reader, block)
    for (let progress: number = PROGRESS.full; progress !== PROGRESS.end; ) {
      progress = await reading
      const batch = new MeasurementBatch(block, this.signals, wire)
      ;[block, other] = [other, block]
      if (progress === PROGRESS.full) reading = this.#fill(reader, block)
      if (batch.length > 0) yield batch
      if (progress !== PROGRESS.columns) continue
      const columns = await reader.takeColumns()
      if (columns !== null) yield tableBatch(file.table, columns)
      reading = this.#fill(reader, block)
    }
    this.stats.filtered += reader.filtered
    this.stats.received += reader.filtered
    const tail = reader.tail
    if (tail !== null && tail.bytes > 0) {
      this.ledger.add({ cause: 'decoder', bytes: tail.bytes })
      this.status.emit('malformed', { file: file.path, ...tail })
    }
  }

  #fill(reader: FileReader, block: Block): Promise<number> {
    block.clear()
    const reading = reader.read(block.bytes)
    // A consumer that ends its loop early never asks for it.
    reading.catch(() => {})
    return reading
  }

  #end(error: Error | undefined): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.status.emit('closed', error === undefined ? undefined : { message: error.message })
    this.status.end()
    this.#resolveClosed(error)
  }
}

const OPTIONAL: Readonly<Record<string, number>> = {
  seq: COLUMN.seq,
  idx: COLUMN.idx,
  rx: COLUMN.rx,
  raw_time: COLUMN.rawTime,
}

function tableBatch(table: TableFile['table'], { rows, columns }: Columns): TableBatch {
  const arrow = columns.map(({ field, nullCount, buffers, items }): ArrowColumn => {
    const column = { field: fieldOf(field), nullCount, buffers }
    return items === undefined ? column : { ...column, items: { length: items } }
  })
  return new TableBatch(table, rows, arrow)
}

function fieldOf({ name, type, nullable, metadata }: ColumnField): Field {
  const field = { name, type: type as Field['type'], nullable, optional: false }
  return metadata === undefined ? field : { ...field, metadata }
}

function selectionOf(signals: SignalTable, system: string, options: ReadOptions): Selection {
  const { since, until } = options
  const times = { ...(since === undefined ? {} : { since }), ...(until === undefined ? {} : { until }) }
  if (options.signals === undefined) return times
  const patterns = new SignalPatterns(options.signals)
  const wanted = Uint8Array.from(signals, (signal) => (patterns.match(signal, system) ? 1 : 0))
  return { ...times, signals: wanted }
}
