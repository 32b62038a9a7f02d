import {
  type Batch,
  MeasurementBatch,
  nativeIdText,
  nsToSeconds,
  type Row,
  rowsOf,
  TIME_UNKNOWN,
} from '../../batch/index.js'
import type { LossRecord } from '../../session/ledger.js'
import type { Source } from '../../session/source.js'
import { isNodeName } from '../uri.js'
import { secondsOf } from './seconds.js'
import { type Table, type TableField, TableNode, type TableNodeConfig, type TableSamples } from './table-node.js'
import { TimelineBuffer } from './timeline-buffer.js'

/** What a node of a live source can be told. */
export interface SourceNodeConfig extends TableNodeConfig {
  /** How long samples are kept, s; 3600 unless told. */
  readonly keep?: number
  /** Bytes of samples that are kept at most; 256 MiB unless told: then the oldest quarter goes. */
  readonly bufferBytes?: number
  /** How late a sample may come, s: what is older than the newest one of the source by more is final. 2 unless told. */
  readonly settle?: number
}

interface Field {
  readonly table: string
  readonly info: TableField
  readonly buffer: TimelineBuffer
}

/**
 * A live source of any system as a data node: its newest samples, each signal a field with a timeline of its own.
 * Measurements are numbers or texts; of events each number, text and boolean of the payload is a field
 * `STREAM/NAME`; of records the bytes, `SENDER/bytes`.
 *
 * ```ts
 * const subscriber = new Subscriber()
 * await subscriber.connect('sttp://127.0.0.1:7165')
 * const node = new SourceNode(subscriber, { node: 'grid', url: 'ws://127.0.0.1:8080/ws' })
 * await node.connect()
 * ```
 *
 * The node is the source's one consumer. What the source lost is in `losses()`; samples that are not kept any longer are
 * no loss, and gone.
 */
export class SourceNode extends TableNode {
  readonly #source: Source
  readonly #settings: SourceNodeConfig
  readonly #fields = new Map<string, Field>()
  /** Fields by the row of the signal table. */
  readonly #bySignal: Field[] = []
  #newest = Number.NEGATIVE_INFINITY
  #pushed = 0
  /** Resolves when the source is over: with the error that ended it, or nothing. */
  readonly ended: Promise<Error | undefined>

  constructor(source: Source, config: SourceNodeConfig = {}) {
    super({ node: nodeName(source.name), description: `live ${source.system}`, ...config })
    this.#source = source
    this.#settings = config
    this.ended = source
      .consume((batch) => this.#take(batch))
      .then(
        () => undefined,
        (error: Error) => error,
      )
  }

  override *losses(): Iterable<LossRecord> {
    yield* this.#source.ledger
    yield* super.losses()
  }

  /** Leaves, and ends the source. */
  override async close(): Promise<void> {
    await super.close()
    await this.#source.close()
    await this.ended
  }

  protected tables(): readonly Table[] {
    return Array.from(this.#fields, ([name, { table, info, buffer }]) => ({
      name: table,
      interval: buffer.interval,
      fields: { [name]: info },
      span: buffer.span,
    }))
  }

  protected read(_table: Table, [name]: readonly string[], window: { from: number; to: number }): TableSamples {
    const { buffer } = this.#fields.get(name as string) as Field
    return { ...buffer.window(window), finalizedUntil: this.#newest - (this.#settings.settle ?? 2) }
  }

  #take(batch: Batch): void {
    if (batch instanceof MeasurementBatch) this.#takeMeasurements(batch)
    else {
      for (const row of rowsOf({ rows: batch.length, columns: batch.columns() })) this.#takeRow(batch.table, row)
    }
    this.#trim(batch.length)
  }

  #takeMeasurements({ time, value, signal, length, rx }: MeasurementBatch): void {
    const [seconds, received] = [secondsOf(time), rx === undefined ? undefined : secondsOf(rx)]
    for (let row = 0; row < length; row++) {
      let at = seconds[row] as number
      if (Number.isNaN(at)) at = received?.[row] ?? Date.now() / 1000
      this.#push(this.#signal(signal[row] as number, 'number'), at, value[row])
    }
  }

  #takeRow(table: Batch['table'], row: Row): void {
    const { time, rx } = row as { time?: bigint | null; rx?: bigint | null }
    const ns = time ?? rx
    if (ns === null || ns === undefined || ns === TIME_UNKNOWN) return
    const seconds = nsToSeconds(ns)
    if (table === 'measurement') {
      const { signal, text, value } = row as { signal: number; text?: string | null; value: number | null }
      const isText = typeof text === 'string'
      this.#push(this.#signal(signal, isText ? 'string' : 'number'), seconds, isText ? text : value)
    } else if (table === 'event') {
      const { stream, payload } = row as { stream: string; payload: string }
      for (const [name, value] of scalars(payload)) {
        const type = typeof value === 'boolean' ? 'bool' : (typeof value as 'number' | 'string')
        const field = this.#field(`${stream}/${name}`, { description: null, type, units: null })
        this.#push(field, seconds, field.info.type === type ? value : null)
      }
    } else if (table === 'record') {
      const { sender, kind, blocks } = row as { sender: string; kind: number; blocks: readonly Uint8Array[] }
      if (kind !== 0) return
      const bytes = blocks.reduce((sum, { length }) => sum + length, 0)
      this.#push(
        this.#field(`${sender}/bytes`, { description: 'of a record', type: 'number', units: 'B' }),
        seconds,
        bytes,
      )
    }
  }

  #push({ buffer, info }: Field, seconds: number, value: unknown): void {
    buffer.push(seconds, [value ?? (info.type === 'number' ? Number.NaN : null)])
    if (seconds > this.#newest) this.#newest = seconds
  }

  #signal(row: number, type: TableField['type']): Field {
    const known = this.#bySignal[row]
    if (known !== undefined) return known
    const signal = this.#source.signals.at(row)
    const id = signal === undefined ? `signal ${row}` : nativeIdText(signal.nativeId, this.#source.system)
    const name = signal?.name || id
    const info = { description: signal?.kind || null, type, units: signal?.unit || null }
    const field = this.#field(this.#fields.has(name) ? `${name} (${id})` : name, info)
    this.#bySignal[row] = field
    return field
  }

  #field(name: string, info: TableField): Field {
    const known = this.#fields.get(name)
    if (known !== undefined) return known
    const field = { table: name, info, buffer: new TimelineBuffer({ [name]: info.type }) }
    this.#fields.set(name, field)
    return field
  }

  /** Looks at ages and bytes every so many rows. */
  #trim(rows: number): void {
    this.#pushed += rows
    if (this.#pushed < 4096) return
    this.#pushed = 0
    const { keep = 3600, bufferBytes = 256 << 20 } = this.#settings
    let [bytes, oldest] = [0, this.#newest]
    for (const { buffer } of this.#fields.values()) {
      buffer.dropBefore(this.#newest - keep)
      bytes += buffer.length * 16
      oldest = Math.min(oldest, buffer.span?.from ?? oldest)
    }
    if (bytes <= bufferBytes) return
    const cut = oldest + (this.#newest - oldest) / 4
    for (const { buffer } of this.#fields.values()) buffer.dropBefore(cut)
    this.status.emit('trimmed', { bytes, before: cut })
  }
}

/** A name of a source as one of a node: what URIs do not take is a dash. */
export function nodeName(name: string): string {
  const allowed = name.replaceAll(/[^A-Za-z0-9_-]+/g, '-').slice(0, 255)
  return isNodeName(allowed) ? allowed : 'source'
}

/** The numbers, texts and booleans of a JSON object. */
function scalars(payload: string): [string, number | string | boolean][] {
  let value: unknown
  try {
    value = JSON.parse(payload)
  } catch {
    return []
  }
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).filter((pair): pair is [string, number | string | boolean] =>
    ['number', 'string', 'boolean'].includes(typeof pair[1]),
  )
}
