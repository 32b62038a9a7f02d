import {
  Block,
  MeasurementBatch,
  type MeasurementBatch as Measurements,
  secondsToNs,
  type TableBatch,
  TableBuilder,
} from '../batch/index.js'
import { sleep } from '../session/clock.js'
import type { SourceDescription } from '../session/source.js'
import { type SourceOptions, SourceSession } from '../session/source-session.js'
import { after, type FieldsReply } from './data.js'
import { DataNodeConsumer, type DataNodeConsumerConfig } from './data-node-consumer.js'
import type { DataResult } from './data-reader.js'
import { sisockError } from './error-codes.js'
import { sisockToUnixTime } from './uri.js'

/** What a source is made of. */
export interface DataNodeSourceOptions extends SourceOptions {
  /** How the router is joined. */
  readonly wamp: DataNodeConsumerConfig
  readonly node: string
  /** All fields unless told. */
  readonly fields?: readonly string[]
  /** A sisock time: where to begin; -3600 unless told. */
  readonly since?: number
  /** A sisock time: where to end; goes on with what comes unless told. */
  readonly until?: number
  /** Seconds that successive samples are apart at least. */
  readonly minStride?: number
  /** Seconds that are asked for at once; 3600 unless told. */
  readonly chunk?: number
  /** How often new samples are asked for, ms; 1000 unless told. */
  readonly pollInterval?: number
}

interface Line {
  readonly name: string
  readonly fields: readonly string[]
  /** Seconds since 1970: what lies before has been delivered. */
  cursor: number
}

/** Rows of a batch. */
const ROWS = 1 << 14
/** Batches that the consumer may have before more is asked for. */
const AHEAD = 4

/** Numbers as measurements; texts are a table of their own. */
export type Samples = Measurements | TableBatch

/**
 * The samples of a data node as measurements: a window, then what becomes final. Signals are named `NODE/FIELD`;
 * numbers and booleans (0 and 1) are values, texts are `text`, gaps are NaN.
 *
 * ```ts
 * const source = new DataNodeSource({ wamp: { url: 'ws://127.0.0.1:8080/ws', user: 'simonsobs' }, node: 'weather', since: -3600 })
 * await source.connect()
 * for await (const batch of source) console.log(batch.length)
 * ```
 */
export class DataNodeSource extends SourceSession<Samples> {
  readonly system = 'sisock'
  readonly #options: DataNodeSourceOptions
  #consumer: DataNodeConsumer | undefined
  #lines: Line[] = []
  #rows = new Map<string, number>()
  #types = new Map<string, FieldsReply[0][string]['type']>()
  #since: number | undefined
  #out = 0
  #wake: () => void = () => {}
  #gap: number | undefined

  constructor(options: DataNodeSourceOptions) {
    super(`sisock-${options.node}`, options)
    this.#options = options
  }

  /** Joins, finds the node and begins to ask. */
  connect(): Promise<void> {
    return this.start()
  }

  describe(): SourceDescription {
    const { wamp, node, fields, since, until } = this.#options
    return {
      peer: wamp.url ?? '',
      quirks: [],
      clock: { kind: 'node', unit: 's' },
      meta: { node, fields: fields ?? null, since: since ?? -3600, until: until ?? null },
    }
  }

  protected async open(): Promise<void> {
    const consumer = new DataNodeConsumer({
      ...this.#options.wamp,
      reconnect: false,
      cacheBytes: 0,
      network: this.network,
      signal: this.signal,
    })
    this.#consumer = consumer
    await consumer.connect()
    const { node, fields } = this.#options
    if (!consumer.nodes.some(({ name }) => name === node)) {
      const known = consumer.nodes.map(({ name }) => name).join(', ') || 'none'
      throw sisockError('ERR_SISOCK_NODE_MISSING', `the hub lists no node ${node}; it has ${known}`)
    }
    const reply = await consumer.getFields(node)
    this.#learn(reply, fields ?? Object.keys(reply[0]))
    void consumer.closed.then((error) => {
      if (this.#consumer === consumer) this.connectionLost(error)
    })
    void this.#pump(consumer)
  }

  protected hangUp(): void {
    const consumer = this.#consumer
    this.#consumer = undefined
    this.#wake()
    void consumer?.close()
  }

  protected override reconnected(gap: number): void {
    this.#gap = gap
  }

  #learn([fields, timelines]: FieldsReply, names: readonly string[]): void {
    const now = this.#now()
    this.#since ??= sisockToUnixTime(this.#options.since ?? -3600, now)
    const lines = new Map<string, string[]>()
    for (const name of names) {
      const info = fields[name]
      if (info === undefined) throw sisockError('ERR_SISOCK_NODE_MISSING', `${this.#options.node} has no field ${name}`)
      const interval = timelines[info.timeline]?.interval ?? null
      const id = `${this.#options.node}/${name}`
      const row = this.signals.add({
        nativeId: Buffer.from(id),
        source: this.name,
        name,
        type: info.type,
        unit: info.units ?? '',
        timeline: info.timeline,
        rateHz: interval === null || interval <= 0 ? null : 1 / interval,
        meta: info.description === null ? {} : { description: info.description },
      })
      this.#rows.set(name, row)
      this.#types.set(name, info.type)
      lines.set(info.timeline, [...(lines.get(info.timeline) ?? []), name])
    }
    this.#lines = Array.from(lines, ([name, list]) => ({
      name,
      fields: list,
      cursor: this.#lines.find((line) => line.name === name)?.cursor ?? (this.#since as number),
    }))
  }

  #now(): number {
    return Number(this.clock.now() / 1000n) / 1e6
  }

  /** Asks for one window after the other, then for what has come, until the end. */
  async #pump(consumer: DataNodeConsumer): Promise<void> {
    const { until, pollInterval = 1000 } = this.#options
    const end = until === undefined ? Number.POSITIVE_INFINITY : sisockToUnixTime(until, this.#now())
    try {
      while (this.#consumer === consumer) {
        const now = this.#now()
        // Nothing is asked behind the end: what may still change is given out as it is then.
        const [to, isLast] = [Math.min(now, end), now >= end]
        for (const line of this.#lines) await this.#catchUp(consumer, line, to, isLast)
        this.#closeGap()
        if (now >= end) {
          this.finished()
          return
        }
        await sleep(this.clock, pollInterval, this.signal)
      }
    } catch (error) {
      if (this.#consumer !== consumer || this.signal.aborted) return
      this.status.emit('request-failed', { message: (error as Error).message })
      this.connectionLost(error as Error)
    }
  }

  async #catchUp(consumer: DataNodeConsumer, line: Line, end: number, isLast: boolean): Promise<void> {
    const { node, chunk = 3600, minStride } = this.#options
    let from = line.cursor
    let size = chunk
    while (from < end && this.#consumer === consumer) {
      const to = Math.min(from + size, end)
      const result = await consumer.getData(node, line.fields, from, to, minStride === undefined ? {} : { minStride })
      const limit = await this.#deliver(line, result, isLast)
      if (limit < to) {
        // Behind samples that may still change nothing is final either.
        line.cursor = Math.max(line.cursor, limit)
        return
      }
      from = to
      // Years without a sample are not gone through hour by hour.
      size = result.timeline[line.name] === undefined ? 2 * size : chunk
      if (result.timeline[line.name] !== undefined && to < end) line.cursor = Math.max(line.cursor, to)
    }
  }

  /** Gives out what is final; gives the time up to which it is. */
  async #deliver(line: Line, { data, timeline }: DataResult, isLast: boolean): Promise<number> {
    const { t, finalizedUntil } = timeline[line.name] ?? { t: new Float64Array(0), finalizedUntil: null }
    const limit = isLast ? Number.POSITIVE_INFINITY : (finalizedUntil ?? Number.POSITIVE_INFINITY)
    let [first, last] = [0, t.length]
    while (first < last && (t[first] as number) < line.cursor) first++
    while (last > first && (t[last - 1] as number) >= limit) last--
    if (last === first) return limit
    const times = new BigInt64Array(last - first)
    for (let row = first; row < last; row++) times[row - first] = secondsToNs(t[row] as number)
    for (const name of line.fields) {
      const values = data[name] ?? []
      if (values.length !== t.length) continue
      for (let row = first; row < last; row += ROWS) {
        const end = Math.min(row + ROWS, last)
        const part = times.subarray(row - first, end - first)
        await this.#push(name, values.slice(row, end) as ArrayLike<unknown>, part)
      }
    }
    line.cursor = after(t[last - 1] as number)
    return limit
  }

  async #push(name: string, values: ArrayLike<unknown>, times: BigInt64Array): Promise<void> {
    while (this.#out >= AHEAD && !this.signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    const signal = this.#rows.get(name) as number
    const { batch, bytes } =
      this.#types.get(name) === 'string' ? textBatch(values, times, signal) : this.#numberBatch(values, times, signal)
    this.stats.received += batch.length
    this.#out++
    this.delivery.push({
      batch,
      rows: batch.length,
      bytes,
      release: () => {
        this.#out--
        this.#wake()
      },
    })
  }

  #numberBatch(values: ArrayLike<unknown>, times: BigInt64Array, signal: number): { batch: Samples; bytes: number } {
    const block = new Block(times.length)
    block.time.set(times)
    if (values instanceof Float64Array) block.value.set(values)
    else
      for (let row = 0; row < times.length; row++)
        block.value[row] = values[row] === null ? Number.NaN : Number(values[row])
    block.signal.fill(signal)
    block.flags.fill(0)
    block.count = times.length
    return { batch: new MeasurementBatch(block, this.signals), bytes: block.bytes.byteLength }
  }

  /** What a broken connection missed has been asked for again. */
  #closeGap(): void {
    if (this.#gap === undefined) return
    this.ledger.complete(this.#gap, { count: 0 })
    this.#gap = undefined
  }
}

function textBatch(
  values: ArrayLike<unknown>,
  times: BigInt64Array,
  signal: number,
): { batch: Samples; bytes: number } {
  const builder = new TableBuilder('measurement')
  for (let row = 0; row < times.length; row++) {
    const text = values[row]
    builder.push({ time: times[row], value: null, signal, flags: 0, text: typeof text === 'string' ? text : null })
  }
  const bytes = builder.byteLength
  return { batch: builder.finish(), bytes }
}
