import { join, relative } from 'node:path'
import { SignalTable } from '../batch/index.js'
import { imbalance, type LossRecord, type LossTotals, MeasurandError } from '../session/index.js'
import { type Inspection, inspectFile, joinChecksums, type SequenceRun } from './codec.js'
import { booksOf, totalsOf, wireLossOf } from './info.js'
import { namesIn, type TableFile, tableFiles, withFile } from './layout.js'
import { Lock } from './lock.js'
import { readState, type StoredState, sourcesOf } from './reader.js'
import { parsed } from './source-rows.js'

/** What an audit can find. */
export type ProblemKind =
  /** The session has no end: its writer died. */
  | 'interrupted'
  /** `received = stored + filtered + duplicate + dropped + failed` does not hold. */
  | 'books'
  /** The files have other rows than the session says. */
  | 'rows'
  /** A Parquet file does not have the rows that it was made with. */
  | 'checksum'
  /** A segment does not end with a whole batch, or did not when it was compacted. */
  | 'cut'
  /** A file cannot be read, or was set aside as damaged. */
  | 'damaged'
  /** A numbered file is missing. */
  | 'missing'
  /** Rows are of signals that the signal table does not have. */
  | 'signal'
  /** Sequence numbers are missing that no loss record has. */
  | 'sequence'

/** Something that is wrong with a recording. */
export interface Problem {
  readonly kind: ProblemKind
  /** Where, in the recording's directory. */
  readonly file?: string
  readonly text: string
}

/** What an audit says of a source. */
export interface SourceAudit {
  readonly name: string
  readonly system: string
  readonly files: number
  /** Rows in the files, those included that do not count in the books. */
  readonly rows: number
  readonly bytes: number
  /**
   * Over native id, time, raw time, value bits, flags, text and raw in order: what a recording of its replay has too.
   * 16 hexadecimal digits.
   */
  readonly replay: string
  readonly losses: LossTotals
  /** Whether it is being written: then its files are checked as far as they are closed, its books not yet. */
  readonly isLive: boolean
  /** Why losses on the way to the source could not be noticed; `null` where they would be in the ledger. */
  readonly wireLoss: string | null
  readonly problems: readonly Problem[]
}

/** What an audit says. */
export interface Audit {
  readonly directory: string
  /** Whether nothing is wrong; losses that the ledger has are not. */
  readonly isSound: boolean
  /** Whether nothing is lost either. */
  readonly isComplete: boolean
  readonly sources: readonly SourceAudit[]
}

/** Reads a recording whole and checks it against its ledger, its books, its sequence numbers and its checksums. */
export async function auditRecording(directory: string): Promise<Audit> {
  const sources: SourceAudit[] = []
  const isHeld = await Lock.isHeld(directory)
  for (const { name, system } of await sourcesOf(directory)) {
    sources.push(await new SourceAuditor(directory, name, isHeld).audit(system))
  }
  return {
    directory,
    isSound: sources.every(({ problems }) => problems.length === 0),
    isComplete: sources.every(({ losses }) => losses.open === 0),
    sources,
  }
}

class SourceAuditor {
  readonly #root: string
  readonly #name: string
  readonly #directory: string
  readonly #isHeld: boolean
  readonly #problems: Problem[] = []
  readonly #sequences: SequenceRun[] = []
  readonly #rows = new Map<string, number>()
  #replay = '0'.repeat(16)
  #bytes = 0
  #isLive = false
  #hasAllSequences = true

  constructor(root: string, name: string, isHeld: boolean) {
    this.#root = root
    this.#name = name
    this.#directory = join(root, name)
    this.#isHeld = isHeld
  }

  async audit(system: string): Promise<SourceAudit> {
    const state = await this.#state()
    this.#isLive = this.#isHeld && !state.isFinished
    const nativeIds = Array.from(state.signals, ({ nativeId }) => nativeId)
    const files = await tableFiles(this.#directory)
    for (const file of files) {
      try {
        this.#checkFile(file, await withFile(file.path, (path) => inspectFile(path, nativeIds)))
      } catch (error) {
        this.#unreadable(error, file.path)
      }
    }
    await this.#checkNames(files)
    // What was written while the files were read has its signals, losses and books in no state that was read before.
    if (!this.#isLive) {
      this.#checkBooks(state)
      // Numbers of rows that were left out on purpose are missing for a reason.
      if ((booksOf(state)?.filtered ?? 0) === 0) this.#checkSequences(state.losses)
    }
    return {
      name: this.#name,
      system,
      files: files.length,
      rows: [...this.#rows.values()].reduce((sum, rows) => sum + rows, 0),
      bytes: this.#bytes,
      replay: this.#replay,
      losses: totalsOf(state.losses),
      isLive: this.#isLive,
      wireLoss: wireLossOf(state),
      problems: this.#problems,
    }
  }

  async #state(): Promise<StoredState> {
    try {
      return await readState(this.#directory)
    } catch (error) {
      this.#unreadable(error, this.#directory)
      return { signals: new SignalTable(), losses: [], session: undefined, isFinished: false }
    }
  }

  #checkFile(file: TableFile, seen: Inspection): void {
    const { storedRows, storedChecksum, tail } = seen
    this.#rows.set(file.table, (this.#rows.get(file.table) ?? 0) + seen.rows)
    this.#bytes += seen.bytes
    this.#replay = joinChecksums(this.#replay, seen.replay, seen.rows)
    if (seen.isParquet && (storedRows !== seen.rows || storedChecksum !== seen.checksum)) {
      const made =
        storedRows === undefined
          ? 'it does not say with which rows it was made'
          : `it was made with ${storedRows} rows with checksum ${storedChecksum}`
      this.#add('checksum', `${made} and has ${seen.rows} with ${seen.checksum}`, file.path)
    }
    // Of a live segment the writer is about to write the rest.
    if (tail !== undefined && !this.#isLive) {
      if (tail.bytes > 0) {
        this.#add('cut', `${tail.bytes} bytes behind the last whole batch: ${tail.reason}`, file.path)
      } else if (!tail.closed) this.#add('cut', 'its writer has not closed it', file.path)
    }
    if (seen.compactedTailBytes > 0) {
      this.#add('cut', `${seen.compactedTailBytes} bytes were cut when its writer died`, file.path)
    }
    if (seen.unknownSignals > 0 && !this.#isLive)
      this.#add('signal', `${seen.unknownSignals} rows are of no known signal`, file.path)
    this.#hasAllSequences &&= seen.sequencesComplete
    this.#sequences.push(...seen.sequences)
  }

  /** Files are numbered from 1 without gaps; what was set aside is told. */
  async #checkNames(files: readonly TableFile[]): Promise<void> {
    const last = new Map<string, number>()
    for (const { table, run, number, path } of files) {
      const key = `${table}/${run ?? ''}`
      const expected = (last.get(key) ?? 0) + 1
      if (number !== expected) this.#add('missing', `the file with number ${expected} is missing`, path)
      last.set(key, number)
    }
    const runs = await namesIn(join(this.#directory, 'record'))
    for (const folder of ['measurement', 'event', ...runs.map((run) => join('record', run))]) {
      for (const name of await namesIn(join(this.#directory, folder))) {
        if (!name.endsWith('.damaged')) continue
        this.#add('damaged', 'it was set aside because it is damaged', join(this.#directory, folder, name))
      }
    }
  }

  #checkBooks(state: StoredState): void {
    const { session } = state
    const books = booksOf(state)
    if (session === undefined || books === null) {
      this.#add('interrupted', 'there is no session row')
      return
    }
    if (session.end === null) {
      this.#add('interrupted', state.isFinished ? 'its writer died; it was recovered' : 'its writer died')
      return
    }
    const missing = imbalance(books)
    if (missing !== 0) this.#add('books', `${missing} rows are missing from the books ${JSON.stringify(books)}`)
    const { rows: written } = parsed(session.counters) as { rows?: Record<string, number> }
    for (const table of new Set([...this.#rows.keys(), ...Object.keys(written ?? {})])) {
      const [there, said] = [this.#rows.get(table) ?? 0, written?.[table] ?? 0]
      if (there !== said) this.#add('rows', `the session wrote ${said} rows of ${table}, the files have ${there}`)
    }
  }

  #checkSequences(losses: readonly LossRecord[]): void {
    if (!this.#hasAllSequences) {
      this.#add('sequence', 'there are too many runs of sequence numbers to check them')
      return
    }
    // A loss of which the numbers are not known can be any gap.
    if (losses.some(({ firstSeq, lastSeq }) => firstSeq === null || lastSeq === null)) return
    const known = losses.map(({ firstSeq, lastSeq }) => ({ first: firstSeq as bigint, last: lastSeq as bigint }))
    for (const of of new Set(this.#sequences.map((run) => run.of))) {
      const runs = this.#sequences.filter((run) => run.of === of)
      for (const { first, last } of gapsIn([...runs, ...known.filter(inside(runs))])) {
        this.#add('sequence', `${of}${of === '' ? '' : ': '}${first} to ${last} are missing and in no loss record`)
      }
    }
  }

  #add(kind: ProblemKind, text: string, path?: string): void {
    this.#problems.push(path === undefined ? { kind, text } : { kind, file: relative(this.#root, path), text })
  }

  #unreadable(error: unknown, path: string): void {
    if (!(error instanceof MeasurandError)) throw error
    this.#add('damaged', `${error.code}: ${error.message}`, path)
  }
}

interface Range {
  readonly first: bigint
  readonly last: bigint
}

/** Losses before the first row and behind the last one make no gap. */
function inside(runs: readonly Range[]): (range: Range) => boolean {
  const first = runs.reduce((least, run) => (run.first < least ? run.first : least), (runs[0] as Range).first)
  const last = runs.reduce((most, run) => (run.last > most ? run.last : most), (runs[0] as Range).last)
  return (range) => range.last >= first && range.first <= last
}

/** What lies between ranges. */
function gapsIn(ranges: readonly Range[]): Range[] {
  const sorted = [...ranges].sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0))
  const gaps: Range[] = []
  let end: bigint | undefined
  for (const { first, last } of sorted) {
    if (end !== undefined && first > end + 1n) gaps.push({ first: end + 1n, last: first - 1n })
    if (end === undefined || last > end) end = last
  }
  return gaps
}
