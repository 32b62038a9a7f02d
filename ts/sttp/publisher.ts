import { Block, COLUMN, MeasurementBatch, SignalTable, TIME_UNKNOWN } from '../batch/index.js'
import { type Listener, type Policy, Session, type Transport } from '../session/index.js'
import { ClientConnection, type ConnectionEvent } from './client-connection.js'
import type { SttpSubscription } from './codec.js'
import { sttpWriteResponse } from './codec.js'
import { CohortMember } from './cohort-member.js'
import type { DataSet, MeasurementRecord } from './data-set.js'
import { sttpError } from './error-codes.js'
import { guidBytes, type Measurement } from './measurement.js'
import { PublisherMetadata } from './publisher-metadata.js'
import type { PublisherEndpoint, PublisherOptions } from './publisher-options.js'
import type { ServedSubscription } from './served-subscription.js'
import { SubscriptionRouting } from './subscription-routing.js'
import { Ticks } from './ticks.js'

const QUEUE_BYTES = 16 << 20

/**
 * Serves measurements to any number of STTP subscribers.
 *
 * ```ts
 * const publisher = new Publisher()
 * const [dataset, error] = DataSet.fromXml(await readFile('Metadata.xml'))
 * if (dataset === null) throw error
 * publisher.defineMetadata(dataset)
 * await publisher.start(7165)
 * const measurement = new Measurement('28bbb1fc-3434-48d3-87a8-bf5024c089d5', 59.98, Ticks.utcNow())
 * publisher.publishMeasurements([measurement])
 * ```
 */
export class Publisher extends Session {
  readonly system = 'sttp'
  /** The signals that it has: a batch that is published has this table, or one whose native ids are in it. */
  readonly signals = new SignalTable()
  readonly policy: Policy
  /** Calls for each command of a user's own, with its number 0 to 15. */
  onUserCommand: ((connection: ClientConnection, number: number, payload: Uint8Array) => void) | undefined
  readonly #options: PublisherOptions
  readonly #metadata: PublisherMetadata
  readonly #routing: SubscriptionRouting
  readonly #connections = new Set<ClientConnection>()
  readonly #drops = new Map<ClientConnection, number>()
  readonly #foreign = new WeakMap<SignalTable, Uint32Array>()
  #listener: Listener | undefined
  #rows: Block | undefined

  constructor(options: PublisherOptions = {}) {
    super('sttp-publisher', options)
    this.#options = options
    this.policy = options.policy ?? 'drop-oldest'
    this.#metadata = new PublisherMetadata(options.precedence)
    this.#routing = new SubscriptionRouting({
      clock: this.clock,
      signals: this.signals,
      name: this.name,
      signalIds: (filter) => this.#metadata.signalIds(filter),
      joined: (member) => this.#drops.delete(member.host as ClientConnection),
    })
  }

  /** The subscribers that are connected. */
  get connections(): readonly ClientConnection[] {
    return [...this.#connections]
  }

  /** Listens for subscribers; resolves to true and the port. */
  async start(endpoint: number | PublisherEndpoint): Promise<[true, number]> {
    const { host = '', port, tls } = typeof endpoint === 'number' ? { port: endpoint } : endpoint
    this.begin('listening')
    try {
      const at = { host, port, ...(tls === undefined ? {} : { tls }) }
      this.#listener = await this.network.listen(at, (transport) => this.#accept(transport))
    } catch (error) {
      this.fail(error as Error)
      throw error
    }
    return [true, this.#listener.port]
  }

  /** Sends what is queued, then closes every connection. */
  async stop(): Promise<true> {
    await this.drain()
    return true
  }

  /**
   * Sets the metadata: what subscribers can filter and are told. Who is connected is told that it has changed.
   * `ActiveMeasurements` is derived; what the set has of its own under that name is replaced.
   */
  defineMetadata(dataSet: DataSet): void {
    this.#metadata.define(dataSet)
    for (const record of dataSet.records('MeasurementDetail')) {
      const nativeId = guidBytes(String(record['signalId']))
      if (nativeId === undefined) continue
      const text = (name: string): string => String(record[name] ?? '')
      const kind = text('signalAcronym')
      const meta = { id: text('id'), device: text('deviceAcronym'), description: text('description') }
      this.signals.add({ nativeId, source: this.name, name: text('pointTag'), kind, meta })
    }
    for (const connection of this.#connections) {
      if (connection.modes !== 0) {
        connection.sendFrame(sttpWriteResponse({ type: 'configurationChanged' }, connection.modes))
      }
    }
  }

  /** The metadata. */
  get metadata(): DataSet {
    return this.#metadata.dataSet
  }

  /** The measurements that a filter selects, such as `SignalAcronym <> 'STAT'`, with their columns in camelCase. */
  filterMetadata(filter: string): MeasurementRecord[] {
    return this.#metadata.measurements(filter)
  }

  /**
   * Publishes a batch; its memory is the caller's again at once. Gives `false` under the policy `block` when a subscriber
   * has more waiting than it should: await {@link ready} before the next.
   */
  publish(batch: MeasurementBatch): boolean {
    this.#routing.publish(this.#own(batch))
    if (this.policy !== 'block') return true
    for (const connection of this.#connections) if (connection.isFull) return false
    return true
  }

  /** Resolves when no subscriber has more waiting than it should. */
  async ready(): Promise<void> {
    await this.#routing.ready()
    await Promise.all([...this.#connections].map((connection) => connection.ready()))
  }

  /** Publishes measurements, of which each carries its signal's id; what {@link publish} says holds. */
  publishMeasurements(measurements: Iterable<Measurement>): boolean {
    const rows = Array.isArray(measurements) ? (measurements as Measurement[]) : [...measurements]
    if (rows.length === 0) return true
    if (this.#rows === undefined || this.#rows.capacity < rows.length)
      this.#rows = new Block(rows.length, COLUMN.rawTime)
    const block = this.#rows
    block.clear()
    let isExact = true
    for (const [row, { signalId, value, timestamp, flags }] of rows.entries()) {
      const time = Ticks.toNs(timestamp)
      if (time === TIME_UNKNOWN || (timestamp & ~Ticks.VALUE_MASK) !== 0n) isExact = false
      block.time[row] = time
      block.rawTime[row] = timestamp
      block.value[row] = value
      block.signal[row] = this.#rowOf(signalId)
      block.flags[row] = flags
    }
    block.count = rows.length
    if (!isExact) block.present = COLUMN.rawTime
    return this.publish(new MeasurementBatch(block, this.signals, 'f32'))
  }

  protected async deliverRest(): Promise<void> {
    await this.#listener?.close()
    await Promise.all([...this.#connections].map((connection) => connection.end()))
    await new Promise<void>((resolve) => {
      if (this.#connections.size === 0) resolve()
      else this.#onEmpty = resolve
    })
  }

  protected async shut(): Promise<void> {
    this.#routing.close()
    for (const connection of this.#connections) connection.close()
    await this.#listener?.close()
  }

  #onEmpty: () => void = () => {}
  readonly #rowsOfText = new Map<string, number>()

  /** The row of a signal's id, added where it is new. */
  #rowOf(signalId: string): number {
    const known = this.#rowsOfText.get(signalId)
    if (known !== undefined) return known
    const nativeId = guidBytes(signalId)
    if (nativeId === undefined) throw sttpError('ERR_STTP_SIGNAL_ID', `"${signalId}" is no GUID`)
    const row = this.signals.add({ nativeId, source: this.name })
    this.#rowsOfText.set(signalId, row)
    return row
  }

  /** The batch with rows of this publisher's signal table. */
  #own(batch: MeasurementBatch): MeasurementBatch {
    if (batch.signals === this.signals) return batch
    let rows = this.#foreign.get(batch.signals)
    if (rows === undefined || rows.length < batch.signals.length) {
      rows = Uint32Array.from(batch.signals, ({ nativeId, name, kind }) => {
        if (nativeId.length !== 16) throw sttpError('ERR_STTP_SIGNAL_ID', `"${name}" has no GUID as its id`)
        return this.signals.add({ nativeId, source: this.name, name, kind })
      })
      this.#foreign.set(batch.signals, rows)
    }
    const { block } = batch.copy()
    for (let row = 0; row < batch.length; row++) block.signal[row] = rows[block.signal[row] as number] ?? 0xffff_ffff
    return new MeasurementBatch(block, this.signals, 'f32')
  }

  #accept(transport: Transport): void {
    const { maxConnections = Number.POSITIVE_INFINITY, queueBytes = QUEUE_BYTES } = this.#options
    if (this.#connections.size >= maxConnections) {
      this.status.emit('peer-refused', { peer: transport.peer, maxConnections })
      transport.close()
      return
    }
    const connection = new ClientConnection(transport, {
      clock: this.clock,
      queueBytes,
      policy: this.policy,
      stats: this.stats,
      metadata: (filters, modes) => this.#metadata.payload(filters, modes),
      serve: (connection, subscription, before) => this.#serve(connection, subscription, before),
      told: (connection, event) => this.#told(connection, event),
      dropped: (connection, rows) => this.#dropped(connection, rows),
      malformed: (_, code, offset, length) => this.malformed(code, offset, length),
    })
    this.#connections.add(connection)
  }

  #serve(
    connection: ClientConnection,
    subscription: SttpSubscription,
    before: ServedSubscription | undefined,
  ): ServedSubscription {
    if (subscription.startTimeConstraint || subscription.stopTimeConstraint) {
      throw sttpError('ERR_STTP_SUBSCRIPTION_REFUSED', 'This publisher serves no historical subscriptions.')
    }
    const member = before instanceof CohortMember ? before : undefined
    return this.#routing.subscribe(connection, connection.modes, subscription, member)
  }

  #told(connection: ClientConnection, event: ConnectionEvent): void {
    const { peer } = connection
    if (event.kind === 'user-command') {
      this.onUserCommand?.(connection, event.number, event.payload)
      return
    }
    const signals = event.kind === 'subscribed' ? { signals: event.signals } : {}
    const source = connection.subscription?.source
    this.status.emit(`peer-${event.kind}`, { peer, ...signals, ...(source ? { program: source } : {}) })
    if (event.kind !== 'left') return
    this.#connections.delete(connection)
    this.#drops.delete(connection)
    if (this.#connections.size === 0) this.#onEmpty()
  }

  /** Rows that are given up for a subscriber one after the other are one loss. */
  #dropped(connection: ClientConnection, count: number): void {
    const known = this.#drops.get(connection)
    if (known !== undefined) this.loseMore(known, { count })
    else this.#drops.set(connection, this.lose({ cause: 'queue', count }))
  }
}
