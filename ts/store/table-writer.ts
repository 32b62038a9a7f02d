import { join } from 'node:path'
import { type ArrowColumn, type Field, TABLES } from '../batch/index.js'
import type { Clock } from '../session/index.js'
import { nullColumn } from './column-slice.js'
import type { CompactionQueue } from './compaction.js'
import { storeError } from './error-codes.js'
import { fileName, makeDirectory, type STREAM_TABLES } from './layout.js'
import type { Rotation } from './rotation.js'
import { Segment } from './segment.js'

/** What a table's writer needs. */
export interface TableWriterOptions {
  readonly table: (typeof STREAM_TABLES)[number]
  readonly directory: string
  readonly rotation: Rotation
  readonly clock: Clock
  /** Closed segments go there; without one they stay. */
  readonly compaction?: CompactionQueue
}

/**
 * Writes the rows of a table into one live segment after the other. A segment has the optional columns that some batch
 * needed since it was begun: a batch with a new one begins another segment, a batch without one has nulls there.
 */
export class TableWriter {
  readonly #options: TableWriterOptions
  #segment: Segment | undefined
  #key = ''
  #begun = 0
  #number = 0
  #queue: Promise<void> = Promise.resolve()
  #rows = 0
  #compactedRows = 0
  #segmentRows = 0
  #closed = false

  constructor(options: TableWriterOptions) {
    this.#options = options
  }

  get table(): TableWriterOptions['table'] {
    return this.#options.table
  }

  /** Rows that the kernel has. */
  get rows(): number {
    return this.#rows
  }

  /** Rows in the files that were closed, as the files count them where they were compacted. */
  get rowsInFiles(): number {
    return this.#compactedRows + this.#segmentRows
  }

  /** Writes a batch behind those that were given before; the kernel has it when this resolves. */
  write(rows: number, columns: readonly ArrowColumn[]): Promise<void> {
    const written = this.#queue.then(async () => {
      if (this.#closed) throw storeError('ERR_STORE_CLOSED', `${this.#options.directory} is closed`)
      const segment = await this.#segmentFor(columns)
      await segment.write(rows, widen(segment.fields, columns, rows))
      this.#rows += rows
    })
    this.#queue = written.catch(() => {})
    return written
  }

  /** Closes the live segment; nothing can be written any more. */
  close(): Promise<void> {
    const closed = this.#queue.then(async () => {
      this.#closed = true
      await this.#finish()
    })
    this.#queue = closed.catch(() => {})
    return closed
  }

  async #segmentFor(columns: readonly ArrowColumn[]): Promise<Segment> {
    const { table, directory, rotation, clock } = this.#options
    const live = this.#segment
    const isOver =
      live !== undefined && (live.byteLength >= rotation.bytes || clock.elapsed() - this.#begun >= rotation.ms)
    const kept = live === undefined || isOver ? [] : live.fields
    const fields = union(TABLES[table], columns, kept)
    const key = JSON.stringify(fields)
    if (live !== undefined && !isOver && key === this.#key) return live
    await this.#finish()
    if (this.#number === 0) {
      await makeDirectory(directory)
    }
    const segment = await Segment.create(join(directory, fileName(this.#number + 1, 'arrows')), fields)
    this.#number++
    this.#segment = segment
    this.#key = key
    this.#begun = clock.elapsed()
    return segment
  }

  async #finish(): Promise<void> {
    const segment = this.#segment
    if (segment === undefined) return
    this.#segment = undefined
    this.#segmentRows += segment.rows
    await segment.close()
    const { compaction, directory } = this.#options
    if (compaction === undefined) return
    compaction.add(segment.path, join(directory, fileName(this.#number, 'parquet')), ({ rows }) => {
      this.#segmentRows -= segment.rows
      this.#compactedRows += rows
    })
  }
}

/** The columns of the batch and those of the live segment, in the table's order; a batch says how its columns are typed. */
function union(table: readonly Field[], columns: readonly ArrowColumn[], kept: readonly Field[]): Field[] {
  const of = (name: string): Field | undefined =>
    columns.find(({ field }) => field.name === name)?.field ?? kept.find((field) => field.name === name)
  return table.map(({ name }) => of(name)).filter((field) => field !== undefined)
}

function widen(fields: readonly Field[], columns: readonly ArrowColumn[], rows: number): readonly ArrowColumn[] {
  if (fields.length === columns.length) return columns
  return fields.map((field) => columns.find((column) => column.field.name === field.name) ?? nullColumn(field, rows))
}
