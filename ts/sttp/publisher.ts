import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { Block, COLUMN, MeasurementBatch, SignalTable, TIME_UNKNOWN } from '../batch/index.js'
import { type Listener, type Policy, Session, type SessionOptions, type TlsOptions } from '../session/index.js'
import { ClientConnection, type ConnectionEvent } from './client-connection.js'
import type { SttpSubscription } from './codec.js'
import { sttpWriteResponse } from './codec.js'
import { hasModes, MODE } from './codes.js'
import { type CacheSignals, Cohort } from './cohort.js'
import { DataSet, type MeasurementRecord, type Precedence } from './data-set.js'
import { sttpError } from './error-codes.js'
import { FrameMemory } from './frame-memory.js'
import { guidBytes, guidText, type Measurement } from './measurement.js'
import { Ticks } from './ticks.js'

/** What a publisher can be given. */
export interface PublisherOptions extends SessionOptions {
  /** Subscribers at most; no limit unless told. */
  readonly maxConnections?: number
  /** Bytes that may wait for one subscriber; 16 MiB unless told. */
  readonly queueBytes?: number
  /**
   * What happens when more would wait for a subscriber: `drop-oldest` (unless told) gives up what cannot be sent until
   * everything that waits has gone, and harms nobody else; `disconnect` closes the connection; `block` lets
   * {@link Publisher.publish} give `false`, and all wait for the slowest.
   */
  readonly policy?: Policy
  /** How operators bind in the subscribers' filters. */
  readonly precedence?: Precedence
}

/** Where a publisher listens. */
export interface PublisherEndpoint {
  /** All addresses of the machine unless told. */
  readonly host?: string
  /** 0 for a free one. */
  readonly port: number
  readonly tls?: TlsOptions
}

const QUEUE_BYTES = 16 << 20
/** What is derived for the filters is not sent. */
const PUBLIC = { without: ['ActiveMeasurements'] }
/** How long after a subscription those that could share frames are brought together, ms. */
const MERGE_DELAY = 1000

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
  readonly #memory = new FrameMemory()
  readonly #connections = new Set<ClientConnection>()
  readonly #cohorts = new Set<Cohort>()
  readonly #drops = new Map<ClientConnection, number>()
  readonly #foreign = new WeakMap<SignalTable, Uint32Array>()
  #listener: Listener | undefined
  #dataSet = DataSet.metadata()
  #xml: Promise<Uint8Array> | undefined
  #zipped: Promise<Uint8Array> | undefined
  #rows: Block | undefined
  #isMerging = false

  constructor(options: PublisherOptions = {}) {
    super('sttp-publisher', options)
    this.#options = options
    this.policy = options.policy ?? 'drop-oldest'
    this.#dataSet.deriveActiveMeasurements()
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
      this.#listener = await this.network.listen(at, (transport) => {
        const { maxConnections = Number.POSITIVE_INFINITY } = this.#options
        if (this.#connections.size >= maxConnections) {
          this.status.emit('peer-refused', { peer: transport.peer, maxConnections })
          transport.close()
          return
        }
        this.#connections.add(new ClientConnection(transport, this.#host()))
      })
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
    dataSet.deriveActiveMeasurements()
    this.#dataSet = dataSet
    this.#xml = undefined
    this.#zipped = undefined
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
    return this.#dataSet
  }

  /** The measurements that a filter selects, such as `SignalAcronym <> 'STAT'`, with their columns in camelCase. */
  filterMetadata(filter: string): MeasurementRecord[] {
    const rows = this.#dataSet.select(filter, 'MeasurementDetail', this.#options.precedence)
    return this.#dataSet.records('MeasurementDetail', rows) as unknown as MeasurementRecord[]
  }

  /**
   * Publishes a batch; its memory is the caller's again at once. Gives `false` under the policy `block` when a subscriber
   * has more waiting than it should: await {@link ready} before the next.
   */
  publish(batch: MeasurementBatch): boolean {
    const own = this.#own(batch)
    for (const cohort of this.#cohorts) cohort.publish(own.block)
    let isReady = true
    for (const connection of this.#connections) {
      connection.hold(own)
      if (this.policy === 'block' && connection.isFull) isReady = false
    }
    return isReady
  }

  /** Resolves when no subscriber has more waiting than it should. */
  async ready(): Promise<void> {
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

  #host(): ConstructorParameters<typeof ClientConnection>[1] {
    return {
      clock: this.clock,
      queueBytes: this.#options.queueBytes ?? QUEUE_BYTES,
      policy: this.policy,
      stats: this.stats,
      metadata: (filters, modes) => this.#metadataFor(filters, modes),
      cohort: (connection, subscription) => this.#cohortFor(connection, subscription),
      joined: (connection) => this.#joined(connection),
      relieved: (connection) => this.#offerAlone(connection),
      told: (connection, event) => this.#told(connection, event),
      dropped: (connection, rows) => this.#dropped(connection, rows),
      malformed: (_, code, offset, length) => this.malformed(code, offset, length),
    }
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
    this.#forgetEmpty()
    if (this.#connections.size === 0) this.#onEmpty()
  }

  /** Rows that are given up for a subscriber one after the other are one loss. */
  #dropped(connection: ClientConnection, count: number): void {
    const known = this.#drops.get(connection)
    if (known !== undefined) this.loseMore(known, { count })
    else this.#drops.set(connection, this.lose({ cause: 'queue', count }))
  }

  async #metadataFor(filters: string, modes: number): Promise<Uint8Array> {
    const isZipped = hasModes(modes, MODE.compressMetadata | MODE.gzip)
    if (filters !== '') {
      const xml = this.#dataSet.filtered(filters, this.#options.precedence).toXml(PUBLIC)
      return isZipped ? promisify(gzip)(xml) : xml
    }
    this.#xml ??= Promise.resolve(this.#dataSet.toXml(PUBLIC))
    if (!isZipped) return this.#xml
    this.#zipped ??= this.#xml.then((xml) => promisify(gzip)(xml))
    return this.#zipped
  }

  #cohortFor(connection: ClientConnection, subscription: SttpSubscription): Cohort {
    const { includeTime = true, useMillisecondResolution: milliseconds = false } = subscription
    const filter = subscription.filterExpression ?? 'FILTER ActiveMeasurements WHERE True'
    const ids = this.#dataSet.signalIds(filter, 'ActiveMeasurements', this.#options.precedence)
    const signals = this.#cacheOf(ids)
    const format = { modes: connection.modes, includeTime, milliseconds }
    const digest = createHash('sha256').update(signals.ids).digest('hex')
    const key = `${format.modes} ${includeTime} ${milliseconds} ${digest}`
    const inUse = connection.cohort?.cacheIndex
    return this.#newCohort(key, format, signals, inUse === 0 ? 1 : 0)
  }

  #newCohort(...[key, format, signals, cacheIndex]: [string, Cohort['format'], CacheSignals, number]): Cohort {
    const cohort = new Cohort(key, format, signals, cacheIndex, this.#memory)
    this.#cohorts.add(cohort)
    return cohort
  }

  #cacheOf(ids: readonly Uint8Array[]): CacheSignals {
    const rows = new Uint32Array(ids.length)
    const keyIds = new BigUint64Array(ids.length)
    const sources = ids.map((nativeId, index) => {
      const known = this.signals.rowOf(nativeId)
      const row = known ?? this.signals.add({ nativeId, source: this.name })
      rows[index] = row
      const key = String(this.signals.at(row)?.meta['id'] ?? '')
      const [, source = '', number = ''] = /^(.*):(\d{1,19})$/.exec(key) ?? []
      keyIds[index] = number === '' ? BigInt(row) : BigInt(number)
      return source === '' ? guidText(nativeId) : source
    })
    return { rows, ids: Buffer.concat(ids), sources, keyIds }
  }

  #joined(connection: ClientConnection): void {
    this.#drops.delete(connection)
    this.#forgetEmpty()
    if (this.#isMerging) return
    this.#isMerging = true
    this.clock.after(MERGE_DELAY, () => {
      this.#isMerging = false
      if (this.state === 'listening') this.#merge()
    })
  }

  /** Gives a subscriber that has caught up a cache, and so a start, of its own. */
  #offerAlone(connection: ClientConnection): void {
    const { cohort } = connection
    if (cohort === undefined) return
    this.#newCohort(cohort.key, cohort.format, cohort.signals, cohort.cacheIndex ^ 1).offer([connection])
  }

  /**
   * Brings subscribers together who could share frames, by a cache that all of them get. A new cache takes the place of
   * the one that is not in use, so that those who use one and those who use the other are brought to one first.
   */
  #merge(): void {
    const groups = new Map<string, Cohort[]>()
    for (const cohort of this.#cohorts) groups.set(cohort.key, [...(groups.get(cohort.key) ?? []), cohort])
    for (const [key, cohorts] of groups) {
      const settled = cohorts.filter((cohort) => cohort.members.size > 0 && cohort.isSettled)
      if (settled.length < 2) continue
      const largest = settled.reduce((a, b) => (b.members.size > a.members.size ? b : a))
      const [together, apart] = [largest.cacheIndex, largest.cacheIndex ^ 1]
      const using = (index: number): ClientConnection[] =>
        settled.filter((cohort) => cohort.cacheIndex === index).flatMap((cohort) => [...cohort.members])
      const stray = using(apart).filter((member) => member.isSteady)
      if (stray.length > 0) {
        this.#newCohort(key, largest.format, largest.signals, together).offer(stray)
        continue
      }
      const members = using(together).filter((member) => member.isSteady)
      if (members.length > 1) this.#newCohort(key, largest.format, largest.signals, apart).offer(members)
    }
  }

  #forgetEmpty(): void {
    for (const cohort of this.#cohorts) {
      if (cohort.members.size === 0 && cohort.isSettled) this.#cohorts.delete(cohort)
    }
  }
}
