import type { Cell, Row } from './table-batch.js'

/** A column as Arrow lays it out, whoever has read it. */
export interface ColumnBuffers {
  readonly field: { readonly name: string; readonly type: string }
  /** As in `ArrowColumn`. */
  readonly buffers: readonly Uint8Array[]
}

/** The rows of a batch as objects. */
export function rowsOf({
  rows,
  columns,
}: {
  readonly rows: number
  readonly columns: readonly ColumnBuffers[]
}): Row[] {
  const cells = columns.map((column) => ({ name: column.field.name, cell: cellOf(column) }))
  return Array.from({ length: rows }, (_, row) => Object.fromEntries(cells.map(({ name, cell }) => [name, cell(row)])))
}

/** Reads the cells of a column. */
export function cellOf({ field, buffers }: ColumnBuffers): (row: number) => Cell {
  const [validity, ...rest] = buffers as [Uint8Array, ...Uint8Array[]]
  const value = readerOf(field.type, rest)
  if (validity.length === 0) return value
  return (row) => (((validity[row >> 3] as number) >> (row & 7)) & 1 ? value(row) : null)
}

function readerOf(type: string, buffers: readonly Uint8Array[]): (row: number) => Cell {
  const [view, ...rest] = buffers.map((bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  const first = view as DataView
  switch (type) {
    case 'timestamp[ns]':
      return (row) => first.getBigInt64(row * 8, true)
    case 'f64':
      return (row) => first.getFloat64(row * 8, true)
    case 'u64':
      return (row) => first.getBigUint64(row * 8, true)
    case 'u32':
      return (row) => first.getUint32(row * 4, true)
    case 'u16':
      return (row) => first.getUint16(row * 2, true)
    case 'u8':
      return (row) => first.getUint8(row)
    case 'utf8':
      return texts(first, rest[0] as DataView)
    case 'binary':
      return bytes(first, rest[0] as DataView, 4)
    case 'list<utf8>': {
      const item = texts(rest[1] as DataView, rest[2] as DataView)
      return (row) => items(first, row, item)
    }
    default: {
      const item = bytes(rest[1] as DataView, rest[2] as DataView, 8)
      return (row) => items(first, row, item)
    }
  }
}

function items<T>(offsets: DataView, row: number, item: (at: number) => T): T[] {
  const from = offsets.getInt32(row * 4, true)
  return Array.from({ length: offsets.getInt32(row * 4 + 4, true) - from }, (_, at) => item(from + at))
}

function bytes(offsets: DataView, data: DataView, width: 4 | 8): (row: number) => Uint8Array {
  const at = (row: number): number =>
    width === 4 ? offsets.getInt32(row * 4, true) : Number(offsets.getBigInt64(row * 8, true))
  return (row) => new Uint8Array(data.buffer, data.byteOffset + at(row), at(row + 1) - at(row)).slice()
}

function texts(offsets: DataView, data: DataView): (row: number) => string {
  const of = bytes(offsets, data, 4)
  return (row) => Buffer.from(of(row)).toString('utf8')
}
