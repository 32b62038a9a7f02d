import type { ArrowColumn, Batch } from '../batch/index.js'

/** The first rows of a batch, on the same memory. */
export class FirstRows implements Batch {
  readonly table: Batch['table']
  readonly length: number
  readonly #columns: ArrowColumn[]

  constructor(batch: Batch, rows: number) {
    this.table = batch.table
    this.length = Math.min(rows, batch.length)
    this.#columns = batch.columns().map((column) => cut(column, this.length))
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

const WIDTHS = { 'timestamp[ns]': 8, f64: 8, u64: 8, u32: 4, u16: 2, u8: 1 } as const

function cut(column: ArrowColumn, rows: number): ArrowColumn {
  const { field } = column
  const [validity, first, ...rest] = column.buffers as [Uint8Array, Uint8Array, ...Uint8Array[]]
  const cutValidity = validity.subarray(0, Math.ceil(rows / 8))
  const nullCount = column.nullCount === 0 ? 0 : countNulls(cutValidity, rows)
  const base = { field, nullCount }
  if (field.type in WIDTHS) {
    return { ...base, buffers: [cutValidity, first.subarray(0, rows * WIDTHS[field.type as keyof typeof WIDTHS])] }
  }
  const offsets = first.subarray(0, (rows + 1) * 4)
  if (column.items === undefined) {
    const [data] = rest as [Uint8Array]
    return { ...base, buffers: [cutValidity, offsets, data.subarray(0, offsetAt(offsets, rows, 4))] }
  }
  const items = offsetAt(offsets, rows, 4)
  const [itemValidity, itemOffsets, itemData] = rest as [Uint8Array, Uint8Array, Uint8Array]
  const width = field.type === 'list<large_binary>' ? 8 : 4
  const cutOffsets = itemOffsets.subarray(0, (items + 1) * width)
  const cutData = itemData.subarray(0, offsetAt(cutOffsets, items, width))
  return { ...base, buffers: [cutValidity, offsets, itemValidity, cutOffsets, cutData], items: { length: items } }
}

function offsetAt(offsets: Uint8Array, row: number, width: 4 | 8): number {
  const view = new DataView(offsets.buffer, offsets.byteOffset)
  return width === 4 ? view.getInt32(row * 4, true) : Number(view.getBigInt64(row * 8, true))
}

function countNulls(validity: Uint8Array, rows: number): number {
  let nulls = 0
  for (let row = 0; row < rows; row++) if ((((validity[row >> 3] as number) >> (row & 7)) & 1) === 0) nulls++
  return nulls
}
