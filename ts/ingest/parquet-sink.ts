import { randomUUID } from 'node:crypto'
import { unlink } from 'node:fs/promises'
import { type Batch, type Field, TABLES, type TableName } from '../batch/index.js'
import type { Sink, Source } from '../session/index.js'
import { nullColumn } from '../store/column-slice.js'
import { compact } from '../store/compaction.js'
import { Segment } from '../store/segment.js'

/** One table of a source as one Parquet file, which is whole under its name or not there at all. */
export class ParquetSink implements Sink {
  stored = 0
  readonly #segment: Segment
  readonly #target: string

  private constructor(segment: Segment, target: string) {
    this.#segment = segment
    this.#target = target
  }

  /** @param fields the columns of all batches, as {@link fieldsOf} finds them */
  static async open(target: string, fields: readonly Field[]): Promise<ParquetSink> {
    return new ParquetSink(await Segment.create(`${target}.${randomUUID()}.tmp`, fields), target)
  }

  async write(batch: Batch, source: Source): Promise<void> {
    const columns = new Map(batch.columns().map((column) => [column.field.name, column]))
    const { fields } = this.#segment
    await this.#segment.write(
      batch.length,
      fields.map((field) => columns.get(field.name) ?? nullColumn(field, batch.length)),
    )
    this.stored += source.countOf(batch)
  }

  async close(): Promise<void> {
    try {
      await this.#segment.close(false)
      await compact(this.#segment.path, this.#target)
    } catch (error) {
      await unlink(this.#segment.path).catch(() => {})
      throw error
    }
  }
}

/** Reads a source and says which columns of a table its batches have, in the table's order. */
export async function fieldsOf(source: Source, table: TableName): Promise<Field[]> {
  const found = new Map<string, Field>()
  await source.consume((batch) => {
    if (batch.table !== table) return
    for (const { field } of batch.columns()) if (!found.has(field.name)) found.set(field.name, field)
  })
  return TABLES[table].flatMap((field) => found.get(field.name) ?? (field.optional ? [] : [field]))
}
