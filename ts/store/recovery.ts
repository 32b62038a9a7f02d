import { copyFile, open, rename, stat, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Clock } from '../session/index.js'
import { FileReader, inspectFile, type Tail } from './codec.js'
import { compact, isDamaged } from './compaction.js'
import { onFile } from './error-codes.js'
import { fileName, namesIn, STATE_TABLES, tableFiles } from './layout.js'
import { readState } from './reader.js'
import { lossRow, signalRow } from './source-rows.js'
import { finishStateTable } from './state-table.js'

/** A file of a dead writer that did not end with a whole batch. */
export interface CutFile {
  readonly path: string
  /** Bytes behind the last whole batch. */
  readonly bytes: number
  readonly fault: string
}

/** What was done to a source whose writer is gone. */
export interface Recovery {
  /** Its name in the recording. */
  readonly source: string
  /** Segments that were closed. */
  readonly closed: number
  readonly cut: readonly CutFile[]
}

/**
 * Closes what a dead writer left open. Every whole batch is kept; what the writer still had in memory, and every cut
 * tail, is entered in the source's loss table. `undefined` where the source was closed by its writer.
 */
export async function recoverSource(directory: string, name: string, clock: Clock): Promise<Recovery | undefined> {
  const names = await namesIn(directory)
  for (const temporary of names.filter((file) => file.endsWith('.tmp'))) await unlink(join(directory, temporary))
  const isFinished = names.includes('session.parquet')
  const cut: CutFile[] = []
  let closed = 0
  await removeLeftovers(directory)
  for (const file of await tableFiles(directory)) {
    if (!file.isSegment) continue
    const tail = file.table === 'record' ? await closeRecords(file.path) : await closeRows(file.path, file.number)
    if (tail === undefined) continue
    closed++
    if (tail.bytes > 0) cut.push({ path: file.path, bytes: tail.bytes, fault: tail.reason ?? tail.fault ?? '' })
  }
  if (isFinished) {
    for (const table of STATE_TABLES) await unlink(join(directory, `${table}.arrows`)).catch(() => {})
    return closed > 0 ? { source: name, closed, cut } : undefined
  }
  const { signals, losses, session } = await readState(directory)
  const interruption = lossRow({
    id: losses.reduce((last, { id }) => Math.max(last, id), 0) + 1,
    source: name,
    signal: null,
    firstSeq: null,
    lastSeq: null,
    from: null,
    to: null,
    count: null,
    bytes: cut.length === 0 ? null : cut.reduce((sum, { bytes }) => sum + bytes, 0),
    cause: 'sink',
    at: clock.now(),
    recovered: 0,
  })
  const source = session?.source ?? basename(directory)
  const signalRows = Array.from(signals, (signal) => signalRow(signal, source))
  await finishStateTable(directory, 'signal', signalRows)
  await finishStateTable(directory, 'loss', [...losses.map(lossRow), interruption])
  await finishStateTable(directory, 'session', session === undefined ? [] : [{ ...session }])
  return { source: name, closed, cut }
}

/** A Parquet file under its name is whole: the segment beside it has been compacted. */
async function removeLeftovers(directory: string): Promise<void> {
  for (const table of ['measurement', 'event']) {
    await removeCompacted(join(directory, table))
  }
  for (const run of await namesIn(join(directory, 'record'))) await removeCompacted(join(directory, 'record', run))
}

async function removeCompacted(directory: string): Promise<void> {
  const names = new Set(await namesIn(directory))
  for (const name of names) {
    const isDone = name.endsWith('.arrows') && names.has(name.replace(/arrows$/, 'parquet'))
    if (isDone || name.endsWith('.tmp')) await onFile('write', directory, () => unlink(join(directory, name)))
  }
}

async function closeRows(path: string, number: number): Promise<Tail | undefined> {
  const unread = await setAsideUnreadable(path)
  if (unread !== undefined) return unread
  return (await compact(path, join(dirname(path), fileName(number, 'parquet')))).tail
}

/** Records stay in their segment: the cut tail goes, the mark of the end comes. */
async function closeRecords(path: string): Promise<Tail | undefined> {
  const unread = await setAsideUnreadable(path)
  if (unread !== undefined) return unread
  const { tail } = await inspectFile(path)
  if (tail === undefined || (tail.closed && tail.bytes === 0)) return undefined
  await onFile('write', path, async () => {
    if (isDamaged(tail)) await copyFile(path, `${path}.damaged`)
    const file = await open(path, 'r+')
    try {
      await file.truncate(tail.offset)
      if (!tail.closed) await file.write(new Uint8Array([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]), 0, 8, tail.offset)
      await file.sync()
    } finally {
      await file.close()
    }
  })
  return tail
}

/** A segment whose writer did not come as far as its schema has no rows; one of something else is kept aside. */
async function setAsideUnreadable(path: string): Promise<Tail | undefined> {
  try {
    new FileReader(path)
    return undefined
  } catch (error) {
    const { code } = error as { code?: string }
    if (code !== 'ERR_STORE_FILE_FOREIGN') throw error
    const { size } = await onFile('read', path, () => stat(path))
    await onFile('write', path, () => (size === 0 ? unlink(path) : rename(path, `${path}.damaged`)))
    return { closed: false, offset: 0, bytes: size, fault: 'cut', reason: `${basename(path)} has no schema` }
  }
}
