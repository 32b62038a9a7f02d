import type { Table } from 'apache-arrow'
import { arrowTable } from './arrow.js'
import type { ArrowColumn, Batch } from './batch.js'
import { ColumnBuilder } from './column-builder.js'
import { type Field, TABLES, type TableName } from './tables.js'

/** A value of a cold table's cell: integers as bigint or number, times as bigint ns, lists as arrays. */
export type Cell = bigint | number | string | Uint8Array | readonly string[] | readonly Uint8Array[] | null | undefined

/** A row of a cold table, by column name; what is left out is null (or, in a column that has no nulls, empty or 0). */
export type Row = Readonly<Record<string, Cell>>

/** Rows of any table in memory of their own. */
export class TableBatch implements Batch {
  readonly table: TableName
  readonly length: number
  readonly #columns: ArrowColumn[]

  constructor(table: TableName, length: number, columns: ArrowColumn[]) {
    this.table = table
    this.length = length
    this.#columns = columns
  }

  columns(): ArrowColumn[] {
    return this.#columns
  }

  copy(): TableBatch {
    return this
  }

  /** The batch as a table of the optional package `apache-arrow`, on the same memory. */
  toArrow(): Promise<Table> {
    return arrowTable(this)
  }
}

/**
 * Builds batches of a table row by row: events, records, signals, losses, sessions, and measurements that carry text.
 *
 * ```ts
 * const builder = new TableBuilder('event')
 * builder.push({ stream: 'orders', schema_version: '1', rx: 1n, payload: '{"n":1}' })
 * const batch = builder.finish()
 * ```
 */
export class TableBuilder {
  readonly table: TableName
  #columns: ColumnBuilder[]
  #length = 0
  #bytes = 0

  constructor(table: TableName) {
    this.table = table
    this.#columns = TABLES[table].map((field: Field) => new ColumnBuilder(field))
  }

  /** Rows pushed since the last batch. */
  get length(): number {
    return this.#length
  }

  /** About how many bytes they take. */
  get byteLength(): number {
    return this.#bytes
  }

  /** Appends a row; an unknown column or a cell of another type throws a `TypeError` and leaves the builder as it was. */
  push(row: Row): void {
    for (const name of Object.keys(row)) {
      if (!this.#columns.some((column) => column.field.name === name)) {
        throw new TypeError(`the table ${this.table} has no column ${name}`)
      }
    }
    for (const column of this.#columns) column.check(row[column.field.name])
    for (const column of this.#columns) this.#bytes += column.push(row[column.field.name])
    this.#length++
  }

  /** The rows as a batch; the builder starts anew. Optional columns that no row used are left out. */
  finish(): TableBatch {
    const used = this.#columns.filter((column) => !(column.field.optional && column.isAllNull))
    const batch = new TableBatch(
      this.table,
      this.#length,
      used.map((column) => column.finish()),
    )
    this.#columns = TABLES[this.table].map((field) => new ColumnBuilder(field))
    this.#length = 0
    this.#bytes = 0
    return batch
  }
}
