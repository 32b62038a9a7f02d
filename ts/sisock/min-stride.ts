/** Times in seconds since 1970, ascending. */
export type Times = Float64Array | readonly number[]

/**
 * The rows that remain when successive samples are to be at least `minStride` seconds apart: a row stays when it is
 * that far behind the last one that stayed. Fields of one timeline are to be thinned by the same rows.
 *
 * The comparison forgives the rounding of the times themselves: 10 Hz samples are 0.1 s apart.
 */
export function strideRows(t: Times, minStride: number | null | undefined): Uint32Array {
  const rows = new Uint32Array(t.length)
  if (!minStride || !(minStride > 0)) return rows.map((_, row) => row)
  let count = 0
  let next = Number.NEGATIVE_INFINITY
  for (let row = 0; row < t.length; row++) {
    const time = t[row] as number
    if (time < next) continue
    rows[count++] = row
    next = time + minStride - Math.abs(time) * 4 * Number.EPSILON
  }
  return rows.subarray(0, count)
}

/**
 * The rows of the least and the greatest value in every `minStride` seconds, so that no spike is lost in a plot. There
 * are two rows a stride at most: successive samples are closer than `minStride`, which is why it is not the default.
 */
export function extremeRows(
  t: Times,
  values: ArrayLike<number | null>,
  minStride: number | null | undefined,
): Uint32Array {
  if (!minStride || !(minStride > 0)) return strideRows(t, null)
  const rows: number[] = []
  let [least, greatest, end] = [-1, -1, Number.NEGATIVE_INFINITY]
  const close = (): void => {
    if (least < 0) return
    if (least === greatest) rows.push(least)
    else rows.push(Math.min(least, greatest), Math.max(least, greatest))
  }
  for (let row = 0; row < t.length; row++) {
    const time = t[row] as number
    if (time >= end) {
      close()
      ;[least, greatest] = [row, row]
      end = time + minStride - Math.abs(time) * 4 * Number.EPSILON
      continue
    }
    const value = values[row]
    if (value === null || value === undefined || Number.isNaN(value)) continue
    if (!(value >= (values[least] ?? Number.POSITIVE_INFINITY))) least = row
    if (!(value <= (values[greatest] ?? Number.NEGATIVE_INFINITY))) greatest = row
  }
  close()
  return Uint32Array.from(rows)
}

/** The rows of a column. */
export function pick<T extends Float64Array | readonly unknown[]>(column: T, rows: Uint32Array): T {
  if (rows.length === column.length) return column
  if (column instanceof Float64Array) {
    const picked = new Float64Array(rows.length)
    for (let index = 0; index < rows.length; index++) picked[index] = column[rows[index] as number] as number
    return picked as T
  }
  return Array.from(rows, (row) => (column as readonly unknown[])[row]) as unknown as T
}

/** The first row at or behind a time. */
export function lowerBound(t: Times, time: number): number {
  let [low, high] = [0, t.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((t[middle] as number) < time) low = middle + 1
    else high = middle
  }
  return low
}
