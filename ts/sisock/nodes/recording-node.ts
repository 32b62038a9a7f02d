import { basename, resolve } from 'node:path'
import { type Batch, MeasurementBatch, nativeIdText, nsToSeconds, rowsOf, secondsToNs } from '../../batch/index.js'
import type { LossRecord } from '../../session/ledger.js'
import { FileExtents, openRecording, type ReadOptions, type RecordingSource, recordingInfo } from '../../store/index.js'
import { extremeRows, strideRows } from '../min-stride.js'
import { secondsOf } from './seconds.js'
import { nodeName } from './source-node.js'
import {
  type Span,
  type Table,
  type TableField,
  TableNode,
  type TableNodeConfig,
  type TableRequest,
  type TableSamples,
  type TableWindow,
} from './table-node.js'
import { TimelineBuffer } from './timeline-buffer.js'

/** What a node of a recording can be told. */
export interface RecordingNodeConfig extends TableNodeConfig {
  /** The source in the recording. */
  readonly source: string
}

interface Known {
  readonly tables: readonly Table[]
  readonly signals: ReadonlyMap<string, number>
  readonly losses: readonly LossRecord[]
  /** `undefined` where it is still written. */
  readonly until: number | undefined
}

/** Samples that are gathered before they are thinned, of all signals. */
const GATHERED = 1 << 20

/**
 * The measurements of a recorded source as a data node, each signal a field with a timeline of its own. Files that are
 * still being written are read up to what has come.
 *
 * ```ts
 * for (const node of await RecordingNode.of('monday', { url: 'ws://127.0.0.1:8080/ws' })) await node.connect()
 * ```
 */
export class RecordingNode extends TableNode {
  readonly #directory: string
  readonly #source: string
  /** Files are opened where they have rows of a window: a recording may have thousands. */
  readonly #extents = new FileExtents()
  #known: Known | undefined
  /** What is written no more: its tables are read once. */
  #finished: RecordingSource | undefined
  #readAt = 0

  constructor(directory: string, config: RecordingNodeConfig) {
    const from = `recorded in ${basename(resolve(directory))}`
    super({ node: nodeName(config.source), description: from, ...config })
    this.#directory = directory
    this.#source = config.source
  }

  /** A node for each source with measurements. */
  static async of(directory: string, config: TableNodeConfig = {}): Promise<RecordingNode[]> {
    const { sources } = await recordingInfo(directory)
    const nodes: RecordingNode[] = []
    for (const { name, tables } of sources) {
      if (!tables.some(({ table }) => table === 'measurement')) continue
      const node = new RecordingNode(directory, { ...config, source: name })
      await node.#state()
      nodes.push(node)
    }
    return nodes
  }

  override *losses(): Iterable<LossRecord> {
    yield* this.#known?.losses ?? []
    yield* super.losses()
  }

  protected async tables(): Promise<readonly Table[]> {
    return (await this.#state()).tables
  }

  protected async read(table: Table, fields: readonly string[], window: TableWindow): Promise<TableSamples> {
    const { value } = await this.samples([{ table, fields }], window).next()
    return value as TableSamples
  }

  /** Reads the files once for all signals that are asked for. */
  protected override async *samples(
    requests: readonly TableRequest[],
    window: TableWindow,
  ): AsyncGenerator<TableSamples> {
    const { signals, until } = await this.#state()
    const gathered = new Map<number, Gathered>()
    for (const { table, fields } of requests) {
      const [field] = fields as [string]
      const type = table.fields[field]?.type ?? 'number'
      const limit = Math.max(GATHERED / requests.length, 1024)
      const { decimation } = this.config
      gathered.set(signals.get(field) as number, new Gathered(type, { ...window, decimation, limit }))
    }
    const source = await this.#open({
      // A double near a time may be beyond its ns: the window is cut in doubles, below.
      since: secondsToNs(window.from) - 1000n,
      until: secondsToNs(window.to) + 1000n,
      signals: Array.from(gathered.keys(), String),
    })
    for await (const batch of source) {
      gather(batch, gathered)
      // What is more than is given at once need not be read to its end; what is thinned is not that much.
      if (window.minStride === null && sum(gathered) > this.allowance) break
    }
    for (const { fields } of requests) {
      const [field] = fields as [string]
      const { t, values } = (gathered.get(signals.get(field) as number) as Gathered).all()
      yield { t, values: { [field]: values['value'] ?? [] }, finalizedUntil: until ?? null }
    }
  }

  async #open(selection: ReadOptions): Promise<RecordingSource> {
    if (this.#finished !== undefined) return this.#finished.again(selection)
    const options = { sources: [this.#source], extents: this.#extents }
    const [source] = await openRecording(this.#directory, { ...options, ...selection })
    return source as RecordingSource
  }

  /** What the recording says; asked again while it is written. */
  async #state(): Promise<Known> {
    const now = Date.now()
    if (this.#known !== undefined && (this.#known.until === undefined || now - this.#readAt < 1000)) return this.#known
    this.#readAt = now
    // In this order: what is finished for the first is finished for the second.
    const source = await this.#open({})
    const { sources } = await recordingInfo(this.#directory, this.#extents)
    const info = sources.find(({ name }) => name === this.#source)
    const measurements = info?.tables.find(({ table }) => table === 'measurement')
    const { firstTime = null, lastTime = null } = measurements ?? {}
    const span = firstTime === null || lastTime === null ? undefined : spanOf(firstTime, lastTime)
    const signals = new Map<string, number>()
    const tables = Array.from(source.signals, ({ id, name, nativeId, kind, type, unit, rateHz }) => {
      const native = nativeIdText(nativeId, source.system)
      const field = name === '' ? native : signals.has(name) ? `${name} (${native})` : name
      signals.set(field, id)
      const info: TableField = {
        description: kind || null,
        type: type === 'string' ? 'string' : 'number',
        units: unit || null,
      }
      return { name: field, interval: rateHz ? 1 / rateHz : null, fields: { [field]: info }, span }
    })
    const until = source.isFinished ? undefined : (span?.to ?? 0)
    if (source.isFinished) this.#finished = source
    this.#known = { tables, signals, losses: source.losses, until }
    return this.#known
  }
}

function spanOf(first: bigint, last: bigint): Span {
  return { from: nsToSeconds(first), to: nsToSeconds(last) }
}

/** Puts the rows of a batch to those of their signals. */
function gather(batch: Batch, gathered: ReadonlyMap<number, Gathered>): void {
  if (batch instanceof MeasurementBatch) {
    const { value, signal } = batch
    const seconds = secondsOf(batch.time)
    for (let row = 0; row < batch.length; row++)
      gathered.get(signal[row] as number)?.push(seconds[row] as number, value[row])
  } else if (batch.table === 'measurement') {
    for (const { time, signal, text, value } of rowsOf({ rows: batch.length, columns: batch.columns() })) {
      const samples = gathered.get(Number(signal))
      samples?.push(typeof time === 'bigint' ? nsToSeconds(time) : Number.NaN, samples.isText ? text : value)
    }
  }
}

function sum(gathered: ReadonlyMap<number, Gathered>): number {
  let count = 0
  for (const { length } of gathered.values()) count += length
  return count
}

interface Gathering extends TableWindow {
  readonly decimation: TableNodeConfig['decimation']
  /** Samples that are gathered before they are thinned. */
  readonly limit: number
}

/** The samples of one signal in a window, thinned whenever they become many. */
class Gathered {
  readonly isText: boolean
  readonly #thin: (t: Float64Array, values: TableSamples['values'][string]) => Uint32Array
  readonly #type: TableField['type']
  readonly #window: Pick<TableWindow, 'from' | 'to'>
  readonly #least: number
  #buffer: TimelineBuffer
  #limit: number

  constructor(type: TableField['type'], { from, to, minStride, decimation, limit }: Gathering) {
    this.#window = { from, to }
    this.isText = type === 'string'
    this.#type = type
    this.#buffer = new TimelineBuffer({ value: type })
    this.#least = limit
    this.#limit = minStride === null ? Number.POSITIVE_INFINITY : limit
    // What is left still has the extremes of every stride, and those are all that is wanted of it.
    this.#thin = (t, values) =>
      decimation === 'extremes' && type === 'number'
        ? extremeRows(t, values as Float64Array, minStride)
        : strideRows(t, minStride)
  }

  get length(): number {
    return this.#buffer.length
  }

  all(): Omit<TableSamples, 'finalizedUntil'> {
    return this.#buffer.window(this.#window)
  }

  push(time: number, value: unknown): void {
    const { from, to } = this.#window
    if (!(time >= from && time < to)) return
    this.#buffer.push(time, [value])
    if (this.#buffer.length < this.#limit) return
    const { t, values } = this.all()
    const column = values['value'] as TableSamples['values'][string]
    const rows = this.#thin(t, column)
    this.#limit = Math.max(this.#least, 2 * rows.length)
    this.#buffer = new TimelineBuffer({ value: this.#type })
    for (const row of rows) this.#buffer.push(t[row] as number, [column[row]])
  }
}
