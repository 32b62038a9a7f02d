import type { ArrowColumn, Field } from '../batch/index.js'

const NOTHING = new Uint8Array(0)
const LIST_ITEM_OFFSET_BYTES: Readonly<Record<string, 4 | 8>> = { 'list<utf8>': 4, 'list<large_binary>': 8 }
const WIDTHS: Readonly<Record<string, number>> = { 'timestamp[ns]': 8, f64: 8, u64: 8, u32: 4, u16: 2, u8: 1 }

/** Rows `from` to `to` of a column, its numbers where they lie. */
export function sliceColumn(column: ArrowColumn, from: number, to: number): ArrowColumn {
  const { field, buffers } = column
  const validity = buffers[0] as Uint8Array
  const nulls = sliceValidity(validity, from, to)
  const width = WIDTHS[field.type]
  if (width !== undefined) {
    const data = buffers[1] as Uint8Array
    return { field, nullCount: nulls.count, buffers: [nulls.bits, data.subarray(from * width, to * width)] }
  }
  const offsets = sliceOffsets(buffers[1] as Uint8Array, 4, from, to)
  const itemWidth = LIST_ITEM_OFFSET_BYTES[field.type]
  if (itemWidth === undefined) {
    const data = (buffers[2] as Uint8Array).subarray(offsets.start, offsets.end)
    return { field, nullCount: nulls.count, buffers: [nulls.bits, offsets.bytes, data] }
  }
  const [itemValidity, itemOffsets, itemData] = buffers.slice(2) as [Uint8Array, Uint8Array, Uint8Array]
  const items = sliceOffsets(itemOffsets, itemWidth, offsets.start, offsets.end)
  const itemNulls = sliceValidity(itemValidity, offsets.start, offsets.end)
  const data = itemData.subarray(items.start, items.end)
  return {
    field,
    nullCount: nulls.count,
    buffers: [nulls.bits, offsets.bytes, itemNulls.bits, items.bytes, data],
    items: { length: offsets.end - offsets.start },
  }
}

/** Some rows of a column, in memory of their own. */
export function pickColumn(column: ArrowColumn, rows: readonly number[]): ArrowColumn {
  const { field, buffers } = column
  const nulls = pickValidity(buffers[0] as Uint8Array, rows)
  const width = WIDTHS[field.type]
  if (width !== undefined) {
    return { field, nullCount: nulls.count, buffers: [nulls.bits, pickFixed(buffers[1] as Uint8Array, width, rows)] }
  }
  const picked = pickExtents(buffers[1] as Uint8Array, 4, rows)
  const itemWidth = LIST_ITEM_OFFSET_BYTES[field.type]
  if (itemWidth === undefined) {
    const data = Buffer.concat(picked.extents.map(({ from, to }) => (buffers[2] as Uint8Array).subarray(from, to)))
    return { field, nullCount: nulls.count, buffers: [nulls.bits, picked.offsets, data] }
  }
  const numbers = picked.extents.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, item) => from + item))
  const [itemValidity, itemOffsets, itemData] = buffers.slice(2) as [Uint8Array, Uint8Array, Uint8Array]
  const items = pickExtents(itemOffsets, itemWidth, numbers)
  const data = Buffer.concat(items.extents.map(({ from, to }) => itemData.subarray(from, to)))
  return {
    field,
    nullCount: nulls.count,
    buffers: [nulls.bits, picked.offsets, pickValidity(itemValidity, numbers).bits, items.offsets, data],
    items: { length: numbers.length },
  }
}

/** A column of nulls. */
export function nullColumn(field: Field, rows: number): ArrowColumn {
  const validity = new Uint8Array(Math.ceil(rows / 8))
  const width = WIDTHS[field.type]
  if (width !== undefined) return { field, nullCount: rows, buffers: [validity, new Uint8Array(rows * width)] }
  const offsets = new Uint8Array((rows + 1) * 4)
  const itemWidth = LIST_ITEM_OFFSET_BYTES[field.type]
  if (itemWidth === undefined) return { field, nullCount: rows, buffers: [validity, offsets, NOTHING] }
  const buffers = [validity, offsets, NOTHING, new Uint8Array(itemWidth), NOTHING]
  return { field, nullCount: rows, buffers, items: { length: 0 } }
}

/** The texts of a column of type `utf8`. */
export function textsOf(column: ArrowColumn, rows: number): string[] {
  const [, offsets, data] = column.buffers as [Uint8Array, Uint8Array, Uint8Array]
  const view = new DataView(offsets.buffer, offsets.byteOffset, offsets.byteLength)
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  const text = (row: number): string =>
    bytes.toString('utf8', view.getInt32(row * 4, true), view.getInt32(row * 4 + 4, true))
  return Array.from({ length: rows }, (_, row) => text(row))
}

function sliceValidity(bits: Uint8Array, from: number, to: number): { bits: Uint8Array; count: number } {
  if (bits.length === 0) return { bits: NOTHING, count: 0 }
  const sliced = new Uint8Array(Math.ceil((to - from) / 8))
  let count = 0
  for (let row = from; row < to; row++) {
    const at = row - from
    if (((bits[row >> 3] as number) >> (row & 7)) & 1) sliced[at >> 3] = (sliced[at >> 3] as number) | (1 << (at & 7))
    else count++
  }
  return { bits: count === 0 ? NOTHING : sliced, count }
}

function pickValidity(bits: Uint8Array, rows: readonly number[]): { bits: Uint8Array; count: number } {
  if (bits.length === 0) return { bits: NOTHING, count: 0 }
  const picked = new Uint8Array(Math.ceil(rows.length / 8))
  let count = 0
  rows.forEach((row, at) => {
    if (((bits[row >> 3] as number) >> (row & 7)) & 1) picked[at >> 3] = (picked[at >> 3] as number) | (1 << (at & 7))
    else count++
  })
  return { bits: count === 0 ? NOTHING : picked, count }
}

function pickFixed(data: Uint8Array, width: number, rows: readonly number[]): Uint8Array {
  const picked = new Uint8Array(rows.length * width)
  rows.forEach((row, at) => {
    for (let byte = 0; byte < width; byte++) picked[at * width + byte] = data[row * width + byte] as number
  })
  return picked
}

/** Where the cells of rows lie, and the offsets of the same cells behind one another. */
function pickExtents(
  offsets: Uint8Array,
  width: 4 | 8,
  rows: readonly number[],
): { offsets: Uint8Array; extents: readonly { from: number; to: number }[] } {
  const view = new DataView(offsets.buffer, offsets.byteOffset, offsets.byteLength)
  const at = (row: number): number =>
    width === 4 ? view.getInt32(row * 4, true) : Number(view.getBigInt64(row * 8, true))
  const ends = [0]
  const extents = rows.map((row) => {
    const [from, to] = [at(row), at(row + 1)]
    ends.push((ends.at(-1) as number) + to - from)
    return { from, to }
  })
  const array = width === 4 ? Int32Array.from(ends) : BigInt64Array.from(ends, BigInt)
  return { offsets: new Uint8Array(array.buffer), extents }
}

function sliceOffsets(
  offsets: Uint8Array,
  width: 4 | 8,
  from: number,
  to: number,
): { bytes: Uint8Array; start: number; end: number } {
  const view = new DataView(offsets.buffer, offsets.byteOffset, offsets.byteLength)
  const at = (row: number): number =>
    width === 4 ? view.getInt32(row * 4, true) : Number(view.getBigInt64(row * 8, true))
  const start = at(from)
  const rebased = Array.from({ length: to - from + 1 }, (_, row) => at(from + row) - start)
  const array = width === 4 ? Int32Array.from(rebased) : BigInt64Array.from(rebased, BigInt)
  return { bytes: new Uint8Array(array.buffer), start, end: start + (rebased[to - from] as number) }
}
