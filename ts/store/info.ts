import { join } from 'node:path'
import { type Books, imbalance, isRecovered, type LossRecord, type LossTotals } from '../session/index.js'
import { FileExtents } from './file-extents.js'
import { type TableFile, tableFiles } from './layout.js'
import { Lock } from './lock.js'
import { readState, type StoredState, sourcesOf } from './reader.js'
import { FORMAT, type SourceEntry } from './recording-file.js'
import { parsed } from './source-rows.js'

/** How much of a table a source has. */
export interface TableInfo {
  readonly table: TableFile['table']
  /** The directory of a run, for records. */
  readonly run?: string
  readonly files: number
  readonly rows: number
  readonly bytes: number
  /** ns since 1970-01-01 UTC; `null` where no time is known. */
  readonly firstTime: bigint | null
  readonly lastTime: bigint | null
}

/** What a recording holds of a source. */
export interface SourceInfo extends SourceEntry {
  /** ns since 1970-01-01 UTC; `null` where it is not known. */
  readonly start: bigint | null
  /** `null` while it is recorded, and where its writer died. */
  readonly end: bigint | null
  /** Whether its writer has closed it, or it was recovered. */
  readonly isFinished: boolean
  /** Whether it is being written: a process that lives has the recording. */
  readonly isLive: boolean
  readonly peer: string
  /** Deviations of the peer that were worked around. */
  readonly quirks: readonly string[]
  /** What the source says of itself. */
  readonly meta: Readonly<Record<string, unknown>>
  readonly signals: number
  readonly tables: readonly TableInfo[]
  readonly losses: LossTotals
  /** Why losses on the way to the source could not be noticed; `null` where they would be in the ledger. */
  readonly wireLoss: string | null
  /** As the session table has them; `null` where it has none. */
  readonly books: Books | null
  /** Rows that are missing from the books; 0 where they balance, `null` where there are none, or none yet. */
  readonly imbalance: number | null
}

/** What a recording holds. */
export interface RecordingInfo {
  readonly directory: string
  readonly format: number
  readonly sources: readonly SourceInfo[]
}

/**
 * Says what a recording holds, as its files' metadata say: rows are not read.
 *
 * @param extents of files that are known from before
 */
export async function recordingInfo(directory: string, extents = new FileExtents()): Promise<RecordingInfo> {
  const sources: SourceInfo[] = []
  // Asked before what is read: what was closed meanwhile is not taken for what its writer left.
  const isHeld = await Lock.isHeld(directory)
  for (const entry of await sourcesOf(directory)) {
    sources.push(await sourceInfo(join(directory, entry.name), entry, isHeld, extents))
  }
  return { directory, format: FORMAT, sources }
}

async function sourceInfo(
  directory: string,
  entry: SourceEntry,
  isHeld: boolean,
  extents: FileExtents,
): Promise<SourceInfo> {
  const state = await readState(directory)
  const books = booksOf(state)
  const isLive = isHeld && !state.isFinished
  return {
    ...entry,
    start: state.session?.start ?? null,
    end: state.session?.end ?? null,
    isFinished: state.isFinished,
    isLive,
    peer: state.session?.peer ?? '',
    quirks: state.session?.quirks ?? [],
    meta: state.session === undefined ? {} : parsed(state.session.meta),
    signals: state.signals.length,
    tables: await tablesOf(directory, extents),
    losses: totalsOf(state.losses),
    wireLoss: wireLossOf(state),
    books,
    imbalance: books === null || isLive ? null : imbalance(books),
  }
}

async function tablesOf(directory: string, extents: FileExtents): Promise<TableInfo[]> {
  const tables = new Map<string, TableInfo>()
  for (const file of await tableFiles(directory)) {
    const { table, run } = file
    const key = `${table}/${run ?? ''}`
    const known = tables.get(key) ?? { table, files: 0, rows: 0, bytes: 0, firstTime: null, lastTime: null }
    const { rows, bytes, firstTime = null, lastTime = null } = await extents.of(file)
    tables.set(key, {
      ...known,
      ...(run === undefined ? {} : { run }),
      files: known.files + 1,
      rows: known.rows + rows,
      bytes: known.bytes + bytes,
      firstTime:
        known.firstTime === null || (firstTime !== null && firstTime < known.firstTime) ? firstTime : known.firstTime,
      lastTime: known.lastTime === null || (lastTime !== null && lastTime > known.lastTime) ? lastTime : known.lastTime,
    })
  }
  return [...tables.values()]
}

/** The books that the session table has. */
export function booksOf({ session }: StoredState): Books | null {
  if (session === undefined) return null
  const counters = parsed(session.counters)
  const of = (name: keyof Books): number => (typeof counters[name] === 'number' ? counters[name] : 0)
  return {
    received: of('received'),
    stored: of('stored'),
    filtered: of('filtered'),
    duplicate: of('duplicate'),
    dropped: of('dropped'),
    failed: of('failed'),
  }
}

/** Why losses on the way to the source could not be noticed, as it says of itself; `null` where they could. */
export function wireLossOf({ session }: StoredState): string | null {
  const { wireLoss } = session === undefined ? {} : (parsed(session.meta) as { readonly wireLoss?: unknown })
  return typeof wireLoss === 'string' ? wireLoss : null
}

/** Sums over losses. */
export function totalsOf(losses: readonly LossRecord[]): LossTotals {
  return {
    records: losses.length,
    missing: losses.reduce((sum, { count }) => sum + (count ?? 0), 0),
    recovered: losses.reduce((sum, { recovered }) => sum + recovered, 0),
    open: losses.filter((record) => !isRecovered(record)).length,
  }
}
