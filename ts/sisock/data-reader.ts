import type { FieldInfo, FieldsReply, RegularTimes, TimelineInfo } from './data.js'
import { times } from './data.js'
import { sisockError } from './error-codes.js'
import { lowerBound } from './min-stride.js'

/** The samples of a field as a consumer has them: numbers as doubles with NaN for gaps. */
export type Values = Float64Array | readonly (string | null)[] | readonly (boolean | null)[] | readonly unknown[]

/** The times of a timeline. */
export interface Timeline {
  /** Seconds since 1970. */
  readonly t: Float64Array
  /** Samples before this time will not change any more; `null`: none will. */
  readonly finalizedUntil: number | null
}

/** What `getData` gave. */
export interface DataResult {
  readonly data: Readonly<Record<string, Values>>
  readonly timeline: Readonly<Record<string, Timeline>>
}

type Wire = Readonly<Record<string, unknown>>

function asRecord(value: unknown, what: string): Wire {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Wire
  throw sisockError('ERR_SISOCK_REPLY_SHAPE', `${what} is no map`)
}

/** What a node's `get_fields` answered; the deviations of shipped nodes are forgiven. */
export function readFields(answer: unknown): FieldsReply {
  if (!Array.isArray(answer) || answer.length !== 2)
    throw sisockError('ERR_SISOCK_REPLY_SHAPE', 'get_fields gave no pair')
  const fields: Record<string, FieldInfo> = {}
  const timelines: Record<string, TimelineInfo> = {}
  for (const [name, value] of Object.entries(asRecord(answer[0], 'the fields'))) {
    const { description, timeline, type, units } = asRecord(value, `the field ${name}`)
    if (typeof timeline !== 'string') throw sisockError('ERR_SISOCK_REPLY_SHAPE', `the field ${name} has no timeline`)
    fields[name] = {
      description: typeof description === 'string' ? description : null,
      timeline,
      type: type === 'string' || type === 'bool' ? type : 'number',
      units: typeof units === 'string' ? units : null,
    }
  }
  for (const [name, value] of Object.entries(asRecord(answer[1], 'the timelines'))) {
    const { interval, field } = asRecord(value, `the timeline ${name}`)
    const list =
      typeof field === 'string' ? [field] : Array.isArray(field) ? field.filter((one) => typeof one === 'string') : []
    timelines[name] = { interval: typeof interval === 'number' ? interval : null, field: list }
  }
  return [fields, timelines]
}

/** What a node's `get_data` or `get_columns` answered. */
export function readData(answer: unknown, fields: FieldsReply[0]): DataResult {
  const { data, timeline } = asRecord(answer, 'the answer')
  const columns: Record<string, Values> = {}
  const timelines: Record<string, Timeline> = {}
  for (const [name, column] of Object.entries(asRecord(data, 'data'))) {
    columns[name] = readColumn(column, name, fields[name]?.type)
  }
  for (const [name, value] of Object.entries(asRecord(timeline, 'timeline'))) {
    const { t, finalized_until: finalized } = asRecord(value, `the timeline ${name}`)
    timelines[name] = { t: readTimes(t, name), finalizedUntil: typeof finalized === 'number' ? finalized : null }
  }
  for (const [name, values] of Object.entries(columns)) {
    const line = fields[name]?.timeline
    const t = line === undefined ? undefined : timelines[line]?.t
    if (t !== undefined && values.length > 0 && values.length !== t.length) {
      throw sisockError('ERR_SISOCK_REPLY_SHAPE', `${name} has ${values.length} samples at ${t.length} times`)
    }
  }
  return { data: columns, timeline: timelines }
}

function readColumn(column: unknown, name: string, type: FieldInfo['type'] | undefined): Values {
  if (column instanceof Float64Array) return column
  if (Array.isArray(column)) {
    if (type === 'string' || type === 'bool') return column
    if (!column.every((value) => value === null || typeof value === 'number' || typeof value === 'bigint'))
      return column
    return Float64Array.from(column, (value) => (value === null ? Number.NaN : Number(value)))
  }
  const { f64 } = asRecord(column, name)
  return readDoubles(f64, name)
}

function readTimes(t: unknown, name: string): Float64Array {
  if (t instanceof Float64Array) return t
  if (Array.isArray(t)) return Float64Array.from(t, Number)
  const { f64, t0, dt, n } = asRecord(t, `the times of ${name}`)
  if (f64 !== undefined) return readDoubles(f64, name)
  const isRegular = [t0, dt, n].every((number) => typeof number === 'number') && Number.isInteger(n)
  if (!isRegular || (n as number) < 0 || (n as number) > LIMIT) {
    throw sisockError('ERR_SISOCK_REPLY_SHAPE', `the timeline ${name} has no times`)
  }
  return times({ t0, dt, n } as RegularTimes)
}

/** Times that three numbers may stand for. */
const LIMIT = 1 << 27

function readDoubles(bytes: unknown, name: string): Float64Array {
  if (!(bytes instanceof Uint8Array) || bytes.byteLength % 8 !== 0) {
    throw sisockError('ERR_SISOCK_REPLY_SHAPE', `${name} is no column of doubles`)
  }
  const { buffer, byteOffset, byteLength } = byteAligned(bytes)
  return new Float64Array(buffer as ArrayBuffer, byteOffset, byteLength / 8)
}

function byteAligned(bytes: Uint8Array): Uint8Array {
  return bytes.byteOffset % 8 === 0 ? bytes : new Uint8Array(bytes)
}

/** Puts results of successive windows together; the last one's `finalizedUntil` holds. */
export function joinResults(results: readonly DataResult[]): DataResult {
  if (results.length === 1) return results[0] as DataResult
  const data: Record<string, Values> = {}
  const timeline: Record<string, Timeline> = {}
  for (const name of new Set(results.flatMap((result) => Object.keys(result.data)))) {
    data[name] = joinValues(results.map((result) => result.data[name] ?? []))
  }
  for (const name of new Set(results.flatMap((result) => Object.keys(result.timeline)))) {
    const parts = results.flatMap((result) => result.timeline[name] ?? [])
    const open = parts.map(({ finalizedUntil }) => finalizedUntil).filter((until) => until !== null)
    timeline[name] = {
      t: joinValues(parts.map(({ t }) => t)) as Float64Array,
      finalizedUntil: open.length === 0 ? null : Math.min(...open),
    }
  }
  return { data, timeline }
}

function joinValues(parts: readonly Values[]): Values {
  const filled = parts.filter((part) => part.length > 0)
  if (filled.length === 0) return parts[0] ?? []
  if (filled.length === 1) return filled[0] as Values
  if (!filled.every((part) => part instanceof Float64Array))
    return filled.flatMap((part) => Array.from(part as unknown[]))
  const joined = new Float64Array(filled.reduce((sum, { length }) => sum + length, 0))
  let end = 0
  for (const part of filled as readonly Float64Array[]) {
    joined.set(part, end)
    end += part.length
  }
  return joined
}

/** The samples of a result in `[start, end)`. */
export function sliceResult(result: DataResult, fields: FieldsReply[0], start: number, end: number): DataResult {
  const data: Record<string, Values> = {}
  const timeline: Record<string, Timeline> = {}
  const bounds: Record<string, readonly [number, number]> = {}
  for (const [name, line] of Object.entries(result.timeline)) {
    const [from, to] = [lowerBound(line.t, start), lowerBound(line.t, end)]
    bounds[name] = [from, to]
    if (to > from) timeline[name] = { ...line, t: line.t.subarray(from, to) }
  }
  for (const [name, values] of Object.entries(result.data)) {
    const [from, to] = bounds[fields[name]?.timeline ?? ''] ?? [0, 0]
    data[name] = values instanceof Float64Array ? values.subarray(from, to) : values.slice(from, to)
  }
  return { data, timeline }
}
