import { open, rename, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Row, TABLES, TableBuilder } from '../batch/index.js'
import { compact, syncDirectory } from './compaction.js'
import { onFile } from './error-codes.js'
import type { StateTable } from './layout.js'
import { Segment } from './segment.js'

/**
 * A table whose rows change while a source is recorded. Live it is a segment in which the last row of a key counts;
 * at the end it becomes a Parquet file with the rows as they are then.
 */
export class StateTableWriter {
  readonly #table: StateTable
  readonly #directory: string
  #segment: Segment | undefined
  #queue: Promise<void> = Promise.resolve()

  constructor(directory: string, table: StateTable) {
    this.#directory = directory
    this.#table = table
  }

  /** Writes rows that are new or have changed; the kernel has them when this resolves. */
  append(rows: readonly Row[]): Promise<void> {
    return this.#next(async () => {
      if (rows.length === 0) return
      this.#segment ??= await Segment.create(this.#path('arrows'), TABLES[this.#table])
      await writeRows(this.#segment, this.#table, rows)
    })
  }

  /** Replaces all by rows, still live. */
  replace(rows: readonly Row[]): Promise<void> {
    return this.#next(async () => {
      await this.#segment?.close(false)
      this.#segment = undefined
      await replaceSegment(this.#path('arrows'), this.#table, rows, false)
    })
  }

  /** Replaces all by the rows as they are at last, in a Parquet file. */
  finish(rows: readonly Row[]): Promise<void> {
    return this.#next(async () => {
      await this.#segment?.close()
      this.#segment = undefined
      await finishStateTable(this.#directory, this.#table, rows)
    })
  }

  #path(extension: 'arrows' | 'parquet'): string {
    return join(this.#directory, `${this.#table}.${extension}`)
  }

  #next(work: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(work)
    this.#queue = done.catch(() => {})
    return done
  }
}

/** Makes the Parquet file of a state table and removes its segment; at any moment one of the two is whole. */
export async function finishStateTable(directory: string, table: StateTable, rows: readonly Row[]): Promise<void> {
  const live = join(directory, `${table}.arrows`)
  await replaceSegment(live, table, rows, true)
  await compact(live, join(directory, `${table}.parquet`))
}

async function replaceSegment(path: string, table: StateTable, rows: readonly Row[], sync: boolean): Promise<void> {
  const temporary = `${path}.tmp`
  await unlink(temporary).catch(() => {})
  const segment = await Segment.create(temporary, TABLES[table])
  try {
    await writeRows(segment, table, rows)
  } finally {
    await segment.close(sync)
  }
  await onFile('write', path, async () => {
    await rename(temporary, path)
    if (sync) await syncDirectory(dirname(path))
  })
}

/** Writes a text file so that it is whole under its name or as it was before. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.tmp`
  await onFile('write', path, async () => {
    const file = await open(temporary, 'w', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    await syncDirectory(dirname(path))
  })
}

const BATCH_ROWS = 65_536

async function writeRows(segment: Segment, table: StateTable, rows: readonly Row[]): Promise<void> {
  for (let from = 0; from < rows.length; from += BATCH_ROWS) {
    const builder = new TableBuilder(table)
    for (const row of rows.slice(from, from + BATCH_ROWS)) builder.push(row)
    const batch = builder.finish()
    await segment.write(batch.length, batch.columns())
  }
}
