import type { Field, TableName } from './tables.js'

/** One column of a batch as Arrow lays it out. */
export interface ArrowColumn {
  readonly field: Field
  readonly nullCount: number
  /**
   * Arrow's buffers of the column in its order: validity bitmap (empty where nothing is null), then offsets and data
   * (fixed width: data alone; a list: its offsets, then the item column's buffers). Lengths are not padded.
   */
  readonly buffers: readonly Uint8Array[]
  /** A list's items; their validity is the first of the item's buffers. */
  readonly items?: { readonly length: number }
}

/** Rows of one table as columns. */
export interface Batch {
  readonly table: TableName
  /** Rows. */
  readonly length: number
  /** The columns that are there, in the table's order. */
  columns(): ArrowColumn[]
  /** The same rows in memory of their own: a batch from a session is valid only until its consumer's next turn. */
  copy(): Batch
}
