import { type Batch, cellOf, MeasurementBatch } from '../batch/index.js'
import type { RowLine } from './messages.js'

/** Measurements as a page needs them. */
export interface Points {
  readonly length: number
  /** Rows of the signal table. */
  readonly signal: Uint32Array
  /** NaN where there is none. */
  readonly value: Float64Array
  /** ms since 1970-01-01 UTC; NaN where it is not known. */
  readonly timeMs: Float64Array
  /** Texts by row, where some measurements are texts. */
  readonly texts?: ReadonlyMap<number, string>
}

/** The measurements of a batch, where they lie if possible. */
export function pointsOf(batch: Batch): Points {
  if (batch instanceof MeasurementBatch) return batch
  const { length } = batch
  const cells = new Map(batch.columns().map((column) => [column.field.name, cellOf(column)]))
  const column = (name: string, row: number): unknown => cells.get(name)?.(row)
  const points = {
    length,
    signal: new Uint32Array(length),
    value: new Float64Array(length),
    timeMs: new Float64Array(length),
    texts: new Map<number, string>(),
  }
  for (let row = 0; row < length; row++) {
    points.signal[row] = column('signal', row) as number
    points.value[row] = (column('value', row) as number | null) ?? Number.NaN
    points.timeMs[row] = milliseconds(column('time', row))
    const text = column('text', row)
    if (typeof text === 'string') points.texts.set(row, text)
  }
  return points
}

/** When the rows of a batch were, ms since 1970-01-01 UTC: their time, or else when they came. */
export function timesOf(batch: Batch): Float64Array {
  if (batch.table === 'measurement') return pointsOf(batch).timeMs
  const [time, rx] = ['time', 'rx'].map((name) => batch.columns().find(({ field }) => field.name === name))
  const [timeOf, rxOf] = [time && cellOf(time), rx && cellOf(rx)]
  return Float64Array.from({ length: batch.length }, (_, row) => milliseconds(timeOf?.(row) ?? rxOf?.(row)))
}

/** The texts among measurements as lines of the page. */
export function* textLines(
  { texts, signal, timeMs }: Points,
  nameOf: (signal: number) => string,
  now: number,
): Iterable<RowLine> {
  for (const [row, text] of texts ?? []) {
    const time = timeMs[row] as number
    yield { time: Number.isNaN(time) ? now : time, from: nameOf(signal[row] as number), text }
  }
}

/** ns as a double of ms. */
export function milliseconds(ns: unknown): number {
  return typeof ns === 'bigint' ? Number(ns / 1000n) / 1000 : Number.NaN
}
