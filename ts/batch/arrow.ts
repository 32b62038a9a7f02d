import type * as Arrow from 'apache-arrow'
import type { ArrowColumn, Batch } from './batch.js'
import type { Field } from './tables.js'

/** A batch as an `apache-arrow` table on the same memory; rejects where that optional package is not installed. */
export async function arrowTable(batch: Batch): Promise<Arrow.Table> {
  const arrow = await import('apache-arrow')
  const columns = batch.columns()
  const fields = columns.map(
    ({ field }) =>
      new arrow.Field(field.name, typeOf(arrow, field), field.nullable, new Map(Object.entries(field.metadata ?? {}))),
  )
  const schema = new arrow.Schema(fields)
  const children = columns.map((column, index) =>
    dataOf(arrow, (fields[index] as Arrow.Field).type, column, batch.length),
  )
  const struct = arrow.makeData({ type: new arrow.Struct(fields), length: batch.length, nullCount: 0, children })
  return new arrow.Table(schema, new arrow.RecordBatch(schema, struct))
}

function typeOf(arrow: typeof Arrow, field: Field): Arrow.DataType {
  switch (field.type) {
    case 'timestamp[ns]':
      return new arrow.Timestamp(arrow.TimeUnit.NANOSECOND)
    case 'f64':
      return new arrow.Float64()
    case 'u64':
      return new arrow.Uint64()
    case 'u32':
      return new arrow.Uint32()
    case 'u16':
      return new arrow.Uint16()
    case 'u8':
      return new arrow.Uint8()
    case 'utf8':
      return new arrow.Utf8()
    case 'binary':
      return new arrow.Binary()
    case 'list<utf8>':
      return new arrow.List(new arrow.Field('item', new arrow.Utf8(), true))
    case 'list<large_binary>':
      return new arrow.List(new arrow.Field('item', new arrow.LargeBinary(), true))
  }
}

function dataOf(arrow: typeof Arrow, type: Arrow.DataType, column: ArrowColumn, length: number): Arrow.Data {
  const [validity, ...rest] = column.buffers as [Uint8Array, ...Uint8Array[]]
  const nulls = { nullCount: column.nullCount, ...(column.nullCount > 0 ? { nullBitmap: validity } : {}) }
  if (column.items === undefined) return leaf(arrow, type, length, rest, nulls)
  const [offsets, , ...itemBuffers] = rest as [Uint8Array, Uint8Array, ...Uint8Array[]]
  const list = type as Arrow.List
  const item = leaf(arrow, list.valueType as Arrow.DataType, column.items.length, itemBuffers, { nullCount: 0 })
  return arrow.makeData({ type: list, length, valueOffsets: words(offsets), child: item, ...nulls })
}

function leaf(
  arrow: typeof Arrow,
  type: Arrow.DataType,
  length: number,
  buffers: readonly Uint8Array[],
  nulls: { nullCount: number; nullBitmap?: Uint8Array },
): Arrow.Data {
  const [first, second] = buffers as [Uint8Array, Uint8Array]
  if (second === undefined) {
    const array = new (type as Arrow.Float64).ArrayType(first.buffer as ArrayBuffer, first.byteOffset, length)
    return arrow.makeData({ type: type as Arrow.Float64, length, data: array as Float64Array, ...nulls })
  }
  if (arrow.DataType.isLargeBinary(type)) {
    const valueOffsets = new BigInt64Array(first.buffer as ArrayBuffer, first.byteOffset, length + 1)
    return arrow.makeData({ type, length, valueOffsets, data: second, ...nulls })
  }
  return arrow.makeData({ type: type as Arrow.Utf8, length, valueOffsets: words(first), data: second, ...nulls })
}

function words(bytes: Uint8Array): Int32Array {
  return new Int32Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength / 4)
}
