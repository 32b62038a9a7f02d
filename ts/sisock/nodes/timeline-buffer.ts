import { lowerBound } from '../min-stride.js'
import type { Span, TableSamples } from './table-node.js'

type Column = Float64Array | unknown[]

/**
 * The newest samples of fields that share a timeline, in order of time.
 *
 * ```ts
 * const buffer = new TimelineBuffer({ load: 'number' })
 * buffer.push(1_700_000_000, [0.3])
 * buffer.dropBefore(1_699_996_400)
 * buffer.window({ from: 1_699_999_990, to: 1_700_000_010 }).t // Float64Array [ 1700000000 ]
 * ```
 *
 * A sample that comes late is put in its place, behind those of the same time.
 */
export class TimelineBuffer {
  readonly #names: readonly string[]
  readonly #columns: Column[]
  #t = new Float64Array(64)
  #start = 0
  #end = 0

  constructor(fields: Readonly<Record<string, 'number' | 'string' | 'bool'>>) {
    this.#names = Object.keys(fields)
    this.#columns = Object.values(fields).map((type) => (type === 'number' ? new Float64Array(64) : []))
  }

  /** Samples that it has. */
  get length(): number {
    return this.#end - this.#start
  }

  /** Bytes that it takes, about. */
  get byteLength(): number {
    return this.#t.byteLength * (1 + this.#columns.length)
  }

  get span(): Span | undefined {
    if (this.length === 0) return undefined
    return { from: this.#t[this.#start] as number, to: this.#t[this.#end - 1] as number }
  }

  /** Seconds between samples, on average; `null` where there are not two. */
  get interval(): number | null {
    const { span } = this
    return span === undefined || this.length < 2 ? null : (span.to - span.from) / (this.length - 1)
  }

  /** Adds a sample: its value for each field, in the order of the fields. Numbers that are missing are NaN. */
  push(time: number, values: ArrayLike<unknown>): void {
    if (this.#end === this.#t.length) this.#makeRoom()
    let at = this.#end
    while (at > this.#start && (this.#t[at - 1] as number) > time) at--
    for (const column of [this.#t, ...this.#columns]) {
      if (at === this.#end) break
      if (Array.isArray(column)) column.splice(at, 0, undefined)
      else column.copyWithin(at + 1, at, this.#end)
    }
    this.#end++
    this.#t[at] = time
    this.#columns.forEach((column, index) => {
      ;(column as unknown[])[at] = values[index]
    })
  }

  /** Forgets what lies before a time; gives how many samples that were. */
  dropBefore(time: number): number {
    const first = this.#start + lowerBound(this.#t.subarray(this.#start, this.#end), time)
    const dropped = first - this.#start
    this.#start = first
    return dropped
  }

  /** The samples in `[from, to)`, in memory of their own. */
  window({ from, to }: { from: number; to: number }): Omit<TableSamples, 'finalizedUntil'> {
    const known = this.#t.subarray(this.#start, this.#end)
    const [first, last] = [this.#start + lowerBound(known, from), this.#start + lowerBound(known, to)]
    const rows = (column: Column): Column => column.slice(first, Math.max(first, last))
    return {
      t: this.#t.slice(first, Math.max(first, last)),
      values: Object.fromEntries(this.#names.map((name, index) => [name, rows(this.#columns[index] as Column)])),
    }
  }

  /** Moves what is left to the front; where that is more than half, into twice the room. */
  #makeRoom(): void {
    const { length } = this
    const isFull = length > this.#t.length / 2
    const [start, end] = [this.#start, this.#end]
    const moved = <T extends Float64Array>(column: T): Float64Array => {
      if (!isFull) {
        column.copyWithin(0, start, end)
        return column
      }
      const larger = new Float64Array(column.length * 2)
      larger.set(column.subarray(start, end))
      return larger
    }
    this.#t = moved(this.#t) as Float64Array<ArrayBuffer>
    this.#columns.forEach((column, index) => {
      if (column instanceof Float64Array) this.#columns[index] = moved(column)
      else {
        column.splice(0, start)
        column.length = length
      }
    })
    this.#start = 0
    this.#end = length
  }
}
