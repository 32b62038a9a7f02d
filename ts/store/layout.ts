import { mkdir, readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { onFile } from './error-codes.js'

/** Tables whose rows are written as they come, in numbered files. */
export const STREAM_TABLES = ['measurement', 'record', 'event'] as const

/** Tables that say something of a source, one file each. */
export const STATE_TABLES = ['signal', 'loss', 'session'] as const

export type StateTable = (typeof STATE_TABLES)[number]

/** A file of a table in a recording. */
export interface TableFile {
  readonly table: (typeof STREAM_TABLES)[number]
  /** Where it is. */
  readonly path: string
  readonly number: number
  /** Whether it is a segment; else it is a Parquet file. */
  readonly isSegment: boolean
  /** The directory of a run, for records. */
  readonly run?: string
}

const NUMBERED = /^(\d{6,})\.(arrows|parquet)$/

/** The name of a numbered file. */
export function fileName(number: number, extension: 'arrows' | 'parquet'): string {
  return `${String(number).padStart(6, '0')}.${extension}`
}

/**
 * What `use` gives for a file that was listed; where its writer has compacted it meanwhile, for the Parquet file that it
 * has become.
 */
export async function withFile<T>(path: string, use: (path: string) => T | Promise<T>): Promise<T> {
  try {
    return await use(path)
  } catch (error) {
    const isGone = (error as { code?: unknown }).code === 'ERR_STORE_FILE_MISSING'
    if (!isGone || !path.endsWith('.arrows')) throw error
    return use(path.replace(/arrows$/, 'parquet'))
  }
}

/** A name as a directory: characters that a file system or a shell could take amiss become `-`. */
export function directoryName(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[-.]+|[-.]+$/g, '')
  return plain.slice(0, 120) || 'source'
}

/** A name that none of the taken ones is, by `-2`, `-3`, ... if need be. */
export function uniqueName(name: string, taken: Iterable<string>): string {
  const names = new Set(Array.from(taken, (other) => other.toLowerCase()))
  let unique = name
  for (let number = 2; names.has(unique.toLowerCase()); number++) unique = `${name}-${number}`
  return unique
}

/**
 * Makes a directory and those above it. Node's own way to do so never ends where a file system refuses a name by
 * saying that its directory is not there, as `/proc` does.
 */
export async function makeDirectory(path: string): Promise<void> {
  await onFile('write', path, async () => {
    if (await isDirectory(path)) return
    const above = dirname(path)
    if (above !== path && !(await isDirectory(above))) await makeDirectory(above)
    await mkdir(path, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  })
}

async function isDirectory(path: string): Promise<boolean> {
  const status = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (status === undefined) return false
  if (!status.isDirectory()) throw new Error(`${path} is no directory`)
  return true
}

/** The names in a directory; none where it is not there. */
export async function namesIn(path: string): Promise<string[]> {
  return onFile('read', path, () =>
    readdir(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw error
    }),
  )
}

/** Runs are usually numbered: run_2 comes before run_10. */
const inNumbers = new Intl.Collator('en', { numeric: true })

/**
 * The files with the rows of a source, in the order in which they were written. Where a segment and its Parquet file
 * are both there (its writer ended between the two), the Parquet file is whole and counts.
 */
export async function tableFiles(source: string): Promise<TableFile[]> {
  const files: TableFile[] = []
  for (const table of STREAM_TABLES) {
    const directory = join(source, table)
    if (table !== 'record') {
      files.push(...(await numbered(directory, { table })))
      continue
    }
    const runs: TableFile[][] = []
    for (const run of (await namesIn(directory)).sort(inNumbers.compare)) {
      runs.push(await numbered(join(directory, run), { table, run }))
    }
    files.push(...runs.flat())
  }
  return files
}

async function numbered(directory: string, common: Pick<TableFile, 'table' | 'run'>): Promise<TableFile[]> {
  const byNumber = new Map<number, TableFile>()
  for (const name of (await namesIn(directory)).sort()) {
    const [, digits, extension] = NUMBERED.exec(name) ?? []
    if (digits === undefined) continue
    const number = Number(digits)
    byNumber.set(number, { ...common, path: join(directory, name), number, isSegment: extension === 'arrows' })
  }
  return [...byNumber.values()].sort((a, b) => a.number - b.number)
}
