import { after } from '../data.js'
import type { SessionDetails } from '../wamp-client.js'
import { type Table, TableNode, type TableNodeConfig, type TableSamples } from './table-node.js'
import { TimelineBuffer } from './timeline-buffer.js'

/** What a node of an OCS feed can be told. */
export interface OcsFeedNodeConfig extends TableNodeConfig {
  /** The agent's address: its `instance-id`. */
  readonly target: string
  /** The feed of the agent, as `temperatures`. */
  readonly feed: string
  /** How long samples are kept, s; 3600 unless told. */
  readonly keep?: number
}

/**
 * The newest samples of a feed of an OCS agent as a data node (the `data_feed` of sisock): subscribes
 * `observatory.TARGET.feeds.FEED`. A channel is a field, in small letters with `_` for blanks, on the timeline
 * `observatory.TARGET.CHANNEL`.
 *
 * ```ts
 * const node = new OcsFeedNode({ node: 'LSA22', target: 'LSA22', feed: 'temperatures', url: 'ws://127.0.0.1:8001/ws', anonymous: true })
 * await node.connect()
 * ```
 *
 * A message that is not of the shape that OCS has is a record of the ledger.
 */
export class OcsFeedNode extends TableNode {
  readonly #settings: OcsFeedNodeConfig
  readonly #channels = new Map<string, TimelineBuffer>()

  constructor(config: OcsFeedNodeConfig) {
    super({ node: config.target, description: `the feed ${config.feed} of ${config.target}`, ...config })
    this.#settings = config
  }

  override async afterOnJoin(_details: SessionDetails): Promise<void> {
    const { target, feed } = this.#settings
    await this.subscribe(`observatory.${target}.feeds.${feed}`, ([message]) => this.take(message))
  }

  /** Takes what a feed publishes: `[{ BLOCK: { timestamps, data: { CHANNEL: [] } } }, feed]`. */
  take(message: unknown): void {
    const [blocks] = Array.isArray(message) ? (message as unknown[]) : []
    if (typeof blocks !== 'object' || blocks === null) {
      this.#refuse('no blocks')
      return
    }
    for (const block of Object.values(blocks)) this.#takeBlock(block)
  }

  protected tables(): readonly Table[] {
    return Array.from(this.#channels, ([name, buffer]) => ({
      name: `observatory.${this.#settings.target}.${name}`,
      interval: buffer.interval,
      fields: { [name]: { description: null, type: 'number' as const, units: null } },
      span: buffer.span,
    }))
  }

  protected read(_table: Table, [name]: readonly string[], window: { from: number; to: number }): TableSamples {
    const { t, values } = (this.#channels.get(name as string) as TimelineBuffer).window(window)
    const last = this.#channels.get(name as string)?.span?.to ?? 0
    return { t, values: { [name as string]: values['value'] ?? [] }, finalizedUntil: after(last) }
  }

  #takeBlock(block: unknown): void {
    const { timestamps, data } = (block ?? {}) as { timestamps?: unknown; data?: unknown }
    const times = numbers(timestamps)
    if (times === undefined || typeof data !== 'object' || data === null) {
      this.#refuse('a block without timestamps and data')
      return
    }
    for (const [channel, column] of Object.entries(data)) {
      const values = numbers(column)
      if (values === undefined || values.length !== times.length) {
        this.#refuse(`${channel} has not a number for each of ${times.length} timestamps`)
        continue
      }
      const name = channel.toLowerCase().replaceAll(' ', '_')
      const buffer = this.#channels.get(name) ?? new TimelineBuffer({ value: 'number' })
      this.#channels.set(name, buffer)
      for (let row = 0; row < times.length; row++) buffer.push(times[row] as number, [values[row]])
      buffer.dropBefore((buffer.span?.to ?? 0) - (this.#settings.keep ?? 3600))
    }
  }

  #refuse(reason: string): void {
    this.ledger.add({ cause: 'decoder' })
    this.status.emit('feed-malformed', { feed: this.#settings.feed, reason })
  }
}

/** A list of numbers; agents send one number for a list of one. */
function numbers(value: unknown): ArrayLike<number> | undefined {
  if (typeof value === 'number') return [value]
  if (value instanceof Float64Array) return value
  if (!Array.isArray(value)) return undefined
  const all = value.map((one) => (one === null ? Number.NaN : one))
  return all.every((one) => typeof one === 'number') ? all : undefined
}
