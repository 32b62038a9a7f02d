import type { LossRecord } from '../../session/ledger.js'
import type { Column, DataReply, FieldInfo, FieldsReply, TimelineInfo, TimelineSamples } from '../data.js'
import { type DataNodeConfig, DataNodeServer } from '../data-node-server.js'
import { extremeRows, lowerBound, pick, strideRows } from '../min-stride.js'
import { sisockToUnixTime } from '../uri.js'

/** What a field of a table is; its timeline is the table's. */
export type TableField = Omit<FieldInfo, 'timeline'>

/** Fields that share a timeline, without their samples. */
export interface Table {
  /** The timeline. */
  readonly name: string
  /** Seconds between samples, on average; `null` where there is no rule. */
  readonly interval: number | null
  readonly fields: Readonly<Record<string, TableField>>
  /** Seconds since 1970 of the first and of the last sample; `undefined` where it has none. */
  readonly span: Span | undefined
}

/** Seconds since 1970, both inclusive. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** Samples of some fields of a table. */
export interface TableSamples {
  /** Seconds since 1970, ascending. */
  readonly t: Float64Array
  readonly values: Readonly<Record<string, Float64Array | readonly unknown[]>>
  /** Samples before this time will not change any more; `null`: none will. */
  readonly finalizedUntil: number | null
}

/** What a read is asked for: seconds since 1970, `[from, to)`. */
export interface TableWindow {
  readonly from: number
  readonly to: number
  /** Seconds; what a reader thins already need not be held. */
  readonly minStride: number | null
}

/** Fields of a table that are to be read. */
export interface TableRequest {
  readonly table: Table
  readonly fields: readonly string[]
}

/** What a node of tables can be told. */
export interface TableNodeConfig extends DataNodeConfig {
  /** The node's name. */
  readonly node?: string
  readonly description?: string
  /**
   * How samples are thinned: `first` keeps the first one of every `min_stride`, as the protocol says. `extremes` keeps
   * the least and the greatest one, so that a plot loses no spike; it applies where a number is alone on its timeline.
   */
  readonly decimation?: 'first' | 'extremes'
}

/**
 * A data node whose fields are columns of tables: a subclass says which tables there are and reads them; windows, strides,
 * the allowance and the shape of the replies are done here.
 *
 * ```ts
 * class Ramp extends TableNode {
 *   override name = 'ramp'
 *   protected override tables() {
 *     return [{ name: 't', interval: 1, span: { from: 1, to: 100 },
 *               fields: { x: { description: null, type: 'number', units: null } } }] as const
 *   }
 *   protected override read(_table, _fields, { from, to }) {
 *     const t = Float64Array.from({ length: 100 }, (_, k) => k + 1).filter((time) => time >= from && time < to)
 *     return { t, values: { x: t }, finalizedUntil: null }
 *   }
 * }
 * ```
 */
export abstract class TableNode extends DataNodeServer {
  override readonly config: TableNodeConfig

  constructor(config: TableNodeConfig = {}) {
    super(config)
    this.config = config
    this.name = config.node ?? null
    this.description = config.description ?? null
  }

  /** Samples beyond which `getData` answers `false`. */
  protected get allowance(): number {
    return this.config.allowance ?? 10_000_000
  }

  /** The tables that there are now. */
  protected abstract tables(): readonly Table[] | Promise<readonly Table[]>

  /** Samples of some fields of a table. A field without samples at all may be left out. */
  protected abstract read(
    table: Table,
    fields: readonly string[],
    window: TableWindow,
  ): TableSamples | Promise<TableSamples>

  /** The samples of each request, in this order: table by table, unless a subclass can read several in one pass. */
  protected async *samples(requests: readonly TableRequest[], window: TableWindow): AsyncGenerator<TableSamples> {
    for (const { table, fields } of requests) yield await this.read(table, fields, window)
  }

  /** What is known to be missing. */
  losses(): Iterable<LossRecord> {
    return this.ledger
  }

  /** From the first to the last sample; `undefined` where there is none. */
  async span(): Promise<Span | undefined> {
    const spans = (await this.tables()).flatMap(({ span }) => span ?? [])
    if (spans.length === 0) return undefined
    return {
      from: spans.reduce((least, { from }) => Math.min(least, from), Number.POSITIVE_INFINITY),
      to: spans.reduce((greatest, { to }) => Math.max(greatest, to), Number.NEGATIVE_INFINITY),
    }
  }

  override async getFields(start: number, end: number): Promise<FieldsReply> {
    const { from, to } = window(start, end)
    const fields: Record<string, FieldInfo> = {}
    const timelines: Record<string, TimelineInfo> = {}
    for (const table of await this.tables()) {
      if (table.span === undefined || table.span.from >= to || table.span.to < from) continue
      for (const [name, info] of Object.entries(table.fields)) fields[name] = { ...info, timeline: table.name }
      timelines[table.name] = { interval: table.interval, field: Object.keys(table.fields) }
    }
    return [fields, timelines]
  }

  override async getData(
    names: readonly string[],
    start: number,
    end: number,
    minStride: number | null,
  ): Promise<DataReply | false> {
    const { from, to } = window(start, end)
    const data: Record<string, Column> = Object.fromEntries(names.map((name) => [name, []]))
    const timeline: Record<string, TimelineSamples> = {}
    if (!(to > from)) return { data, timeline }
    const requests = (await this.tables()).flatMap((table): TableRequest[] => {
      const fields = names.filter((name) => Object.hasOwn(table.fields, name))
      return fields.length === 0 ? [] : [{ table, fields }]
    })
    let [left, next] = [this.allowance, 0]
    for await (const samples of this.samples(requests, { from, to, minStride })) {
      const { table, fields } = requests[next++] as TableRequest
      const rows = this.#rows(table, fields, samples, minStride)
      if (rows.length === 0) continue
      for (const name of fields) {
        const values = samples.values[name]
        if (values === undefined) continue
        data[name] = pick(values, rows) as Column
        left -= rows.length
      }
      if (left < 0) return false
      const { finalizedUntil } = samples
      const isFinal = finalizedUntil === null || finalizedUntil >= to
      timeline[table.name] = { t: pick(samples.t, rows), finalizedUntil: isFinal ? null : finalizedUntil }
    }
    return { data, timeline }
  }

  #rows(table: Table, wanted: readonly string[], { t, values }: TableSamples, minStride: number | null): Uint32Array {
    const [name] = wanted as [string]
    const column = values[name]
    if (this.config.decimation !== 'extremes' || wanted.length > 1 || column === undefined) {
      return strideRows(t, minStride)
    }
    return table.fields[name]?.type === 'number'
      ? extremeRows(t, column as ArrayLike<number | null>, minStride === null ? null : 2 * minStride)
      : strideRows(t, minStride)
  }
}

function window(start: number, end: number): Span {
  const now = Date.now() / 1000
  return { from: sisockToUnixTime(start, now), to: sisockToUnixTime(end, now) }
}

/** The rows of sorted times in `[from, to)`. */
export function rowsBetween(t: Float64Array, { from, to }: { from: number; to: number }): readonly [number, number] {
  return [lowerBound(t, from), lowerBound(t, to)]
}
