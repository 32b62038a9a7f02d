import { sisockError } from './error-codes.js'

/** What a field is. */
export interface FieldInfo {
  readonly description: string | null
  /** The name of the timeline that it follows. */
  readonly timeline: string
  readonly type: 'number' | 'string' | 'bool'
  readonly units: string | null
}

/** What a timeline is. */
export interface TimelineInfo {
  /** Seconds between samples, on average; `null` where there is no rule. */
  readonly interval: number | null
  /** The fields on it. */
  readonly field: readonly string[]
}

/** What `getFields` gives: fields and timelines by name. */
export type FieldsReply = readonly [
  fields: Readonly<Record<string, FieldInfo>>,
  timelines: Readonly<Record<string, TimelineInfo>>,
]

/** The samples of a field. In numbers, `null` and NaN are gaps. */
export type Column =
  | Float64Array
  | Float32Array
  | Int32Array
  | readonly (number | null)[]
  | readonly (string | null)[]
  | readonly (boolean | null)[]

/** Evenly spaced times: sample i is at `t0 + i * dt`. */
export interface RegularTimes {
  readonly t0: number
  readonly dt: number
  readonly n: number
}

/** The times of a timeline as a node gives them; either spelling of `finalizedUntil` does. */
export interface TimelineSamples {
  /** Seconds since 1970, ascending. */
  readonly t: Float64Array | readonly number[] | RegularTimes
  /** Samples before this time will not change any more; `null`: none of the reply will. */
  readonly finalizedUntil?: number | null
  readonly finalized_until?: number | null
}

/** What `getData` gives: a column for every field that was asked for, and times for every timeline with samples. */
export interface DataReply {
  readonly data: Readonly<Record<string, Column>>
  readonly timeline: Readonly<Record<string, TimelineSamples>>
}

/** Samples in a reply. */
export function sampleCount({ data }: DataReply): number {
  let count = 0
  for (const column of Object.values(data)) count += column.length
  return count
}

/** Checks a node's own reply: a length that no timeline has cannot be put on any. */
export function checkReply(reply: DataReply): void {
  if (typeof reply?.data !== 'object' || typeof reply.timeline !== 'object') {
    throw sisockError('ERR_SISOCK_NODE_REPLY', 'getData gives { data, timeline } or false')
  }
  const lengths = new Set([0])
  for (const [name, { t }] of Object.entries(reply.timeline)) {
    const length = 'n' in t ? t.n : t?.length
    if (!Number.isInteger(length)) throw sisockError('ERR_SISOCK_NODE_REPLY', `the timeline ${name} has no times`)
    lengths.add(length)
  }
  for (const [name, column] of Object.entries(reply.data)) {
    if (!lengths.has(column?.length)) {
      throw sisockError('ERR_SISOCK_NODE_REPLY', `${name} has ${column?.length} samples, which no timeline has`)
    }
  }
}

type Wire = Readonly<Record<string, unknown>>

/** A reply as every peer reads it. */
export function plainReply({ data, timeline }: DataReply): Wire {
  return {
    data: mapValues(data, plainColumn),
    timeline: mapValues(timeline, (samples) => ({ t: times(samples.t), finalized_until: finalized(samples) })),
  }
}

/** Samples from which on a column is smaller and faster as bytes; a shorter one is as every peer reads it. */
const LONG = 512

/** A reply for peers that take columns as bytes: little-endian doubles, and evenly spaced times as three numbers. */
export function columnReply({ data, timeline }: DataReply): Wire {
  return {
    data: mapValues(data, (column) => doubles(plainColumn(column))),
    timeline: mapValues(timeline, (samples) => {
      const { t } = samples
      const regular = 'n' in t ? t : t.length < LONG ? undefined : regularTimes(t)
      return { t: regular ?? doubles(times(t)), finalized_until: finalized(samples) }
    }),
  }
}

function doubles(column: unknown): unknown {
  return column instanceof Float64Array && column.length >= LONG ? { f64: asBytes(column) } : column
}

function finalized({ finalizedUntil, finalized_until }: TimelineSamples): number | null {
  return finalizedUntil ?? finalized_until ?? null
}

function mapValues<T>(record: Readonly<Record<string, T>>, call: (value: T) => unknown): Wire {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, call(value)]))
}

/** Numbers with a fraction among them as doubles; integers, texts, booleans and what has gaps as they are. */
function plainColumn(column: Column): unknown {
  if (!Array.isArray(column)) return column
  let hasFraction = false
  for (const value of column) {
    if (typeof value !== 'number') return column
    hasFraction ||= !Number.isInteger(value)
  }
  return hasFraction ? Float64Array.from(column as readonly number[]) : column
}

/** Times as doubles. */
export function times(t: TimelineSamples['t']): Float64Array {
  if (t instanceof Float64Array) return t
  if (!('n' in t)) return Float64Array.from(t)
  const all = new Float64Array(t.n)
  for (let index = 0; index < t.n; index++) all[index] = t.t0 + index * t.dt
  return all
}

/** The three numbers that give exactly these times, if there are such. */
function regularTimes(t: Float64Array | readonly number[]): RegularTimes | undefined {
  const n = t.length
  if (n < 4) return undefined
  const [t0, t1, last] = [t[0] as number, t[1] as number, t[n - 1] as number]
  const mean = (last - t0) / (n - 1)
  if (isRegular(t, t0, mean)) return { t0, dt: mean, n }
  if (isRegular(t, t0, t1 - t0)) return { t0, dt: t1 - t0, n }
  const rounded = roundInterval(mean)
  return isRegular(t, t0, rounded) ? { t0, dt: rounded, n } : undefined
}

function isRegular(t: Float64Array | readonly number[], t0: number, dt: number): boolean {
  for (let index = 0; index < t.length; index++) if (t0 + index * dt !== t[index]) return false
  return true
}

/** The interval without the noise of its division: 0.1 for 0.09999999999. */
function roundInterval(interval: number): number {
  return Number(interval.toPrecision(10))
}

function asBytes(values: Float64Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}

/** The next double. */
export function after(time: number): number {
  const words = new BigInt64Array(Float64Array.of(time).buffer)
  words[0] = (words[0] as bigint) + (time >= 0 ? 1n : -1n)
  return new Float64Array(words.buffer)[0] as number
}
