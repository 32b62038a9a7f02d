import type { ArrowColumn, Batch } from '../batch/index.js'
import { sliceColumn } from '../store/column-slice.js'

/** The first rows of a batch, on the same memory. */
export class FirstRows implements Batch {
  readonly table: Batch['table']
  readonly length: number
  readonly #columns: ArrowColumn[]

  constructor(batch: Batch, rows: number) {
    this.table = batch.table
    this.length = Math.min(rows, batch.length)
    this.#columns = batch.columns().map((column) => sliceColumn(column, 0, this.length))
  }

  columns(): ArrowColumn[] {
    return this.#columns
  }

  copy(): FirstRows {
    const copies = this.#columns.map((column) => ({ ...column, buffers: column.buffers.map((bytes) => bytes.slice()) }))
    return new FirstRows(
      { table: this.table, length: this.length, columns: () => copies, copy: () => this },
      this.length,
    )
  }
}
