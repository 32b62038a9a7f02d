import type { MeasurementBatch, Signal } from '../batch/index.js'
import {
  COUNT,
  checkNumbers,
  describeError,
  type Listener,
  type MeasurandError,
  type Policy,
  type TlsOptions,
  type Transport,
  WAIT,
} from '../session/index.js'
import { cacheSignals } from './cache-signals.js'
import { checkDataChannel, openChannel } from './channel-opening.js'
import { ClientConnection } from './client-connection.js'
import { type SttpSubscription, sttpWriteResponse } from './codec.js'
import { cohortFormat } from './cohort-format.js'
import { CohortMember } from './cohort-member.js'
import type { ClientDescription, ConnectionEvent } from './connection-host.js'
import { sttpError } from './error-codes.js'
import { HistoricalSubscription } from './historical-subscription.js'
import { type History, isHistorical } from './history.js'
import type { Measurement } from './measurement.js'
import { PublicationGather } from './publication-gather.js'
import { PublishedRows } from './published-rows.js'
import { parseAddress } from './publisher-address.js'
import { PublisherDefinitions } from './publisher-definitions.js'
import type { PublisherEndpoint, PublisherOptions, PublisherPermissions } from './publisher-options.js'
import { ReverseConnection } from './reverse-connection.js'
import type { ServedSubscription } from './served-subscription.js'
import { EVERYTHING, SubscriptionRouting } from './subscription-routing.js'

const QUEUE_BYTES = 16 << 20
/** Subscribers take frames of 1 MiB unless told. */
const BUFFER_BLOCK_BYTES = 1_000_000

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
export class Publisher extends PublisherDefinitions implements PublisherPermissions {
  readonly policy: Policy
  maximumAllowedConnections: number
  isMetadataRefreshAllowed: boolean
  isNaNValueFilterAllowed: boolean
  isNaNValueFilterForced: boolean
  useBaseTimeOffsets: boolean
  /** Called when a subscriber has connected and said its operational modes. */
  clientConnected: ((connection: ClientConnection) => void) | undefined
  /** Called when a subscriber's connection is over. */
  clientDisconnected: ((connection: ClientConnection) => void) | undefined
  /** Called for each command of a user's own, with its number 0 to 15. */
  userCommandReceived: ((connection: ClientConnection, number: number, payload: Uint8Array) => void) | undefined
  /** Called for each buffer block that a subscriber has confirmed: the number of the block, from 0 on each connection. */
  bufferBlockConfirmed: ((connection: ClientConnection, sequence: number) => void) | undefined
  /** Called when a subscriber has changed the speed of its history, ms between frames. */
  processingIntervalChanged: ((connection: ClientConnection, interval: number) => void) | undefined
  /** Where the measurements of historical subscriptions come from; without, such subscriptions are refused. */
  history: History | undefined
  /** What `*` stands for in the limits of a history, ns since 1970-01-01 UTC; the clock's time unless told. */
  historyTime: () => bigint = () => this.clock.now()
  readonly #options: PublisherOptions
  readonly #rows: PublishedRows
  readonly #routing: SubscriptionRouting
  readonly #connections = new Set<ClientConnection>()
  readonly #drops = new Map<ClientConnection, number>()
  readonly #gather: PublicationGather | undefined
  readonly #reverse = new Map<ClientConnection, ReverseConnection>()
  #listener: Listener | undefined
  /** What is said to those who subscribe when everything was published. */
  #ending: string | undefined
  #notifications = 0

  constructor(options: PublisherOptions = {}) {
    super(options)
    checkDataChannel(options.dataChannel)
    checkNumbers(options, { queueBytes: COUNT, bufferBlockBytes: COUNT, maxDelay: WAIT })
    this.#options = options
    this.policy = options.policy ?? 'drop-oldest'
    this.maximumAllowedConnections = options.maximumAllowedConnections ?? -1
    this.isMetadataRefreshAllowed = options.isMetadataRefreshAllowed ?? true
    this.isNaNValueFilterAllowed = options.isNaNValueFilterAllowed ?? true
    this.isNaNValueFilterForced = options.isNaNValueFilterForced ?? false
    this.useBaseTimeOffsets = options.useBaseTimeOffsets ?? true
    this.#rows = new PublishedRows(this.signals, this.name)
    this.#routing = new SubscriptionRouting({
      clock: this.clock,
      signals: this.signals,
      name: this.name,
      signalIds: (filter) => this.published.signalIds(filter),
      permissions: this,
      joined: (member) => this.#drops.delete(member.host as ClientConnection),
    })
    const { maxDelay = 0 } = options
    if (maxDelay > 0) {
      this.#gather = new PublicationGather(this.clock, maxDelay, this.signals, (batch) => this.#routing.publish(batch))
    }
  }

  /** The subscribers that are connected. */
  get connections(): readonly ClientConnection[] {
    return [...this.#connections]
  }

  /** What each subscriber is and does, with its counters. */
  get subscribers(): readonly ClientDescription[] {
    return this.connections.map((connection) => connection.describe())
  }

  /** Listens for subscribers; resolves to true and the port. */
  async start(endpoint: number | PublisherEndpoint): Promise<[true, number]> {
    const { host = '', port, tls } = typeof endpoint === 'number' ? { port: endpoint } : endpoint
    this.begin('listening')
    try {
      const onRefused = (peer: string, { message }: Error): void => this.#refused(peer, { reason: message }, message)
      const at = { host, port, onRefused, ...(tls === undefined ? {} : { tls }) }
      this.#listener = await this.network.listen(at, (transport) => this.#accept(transport))
    } catch (error) {
      this.fail(error as Error)
      throw error
    }
    return [true, this.#listener.port]
  }

  /**
   * Connects to a subscriber that listens at `host:port` (a reverse connection), and again when that is over; resolves to
   * true when the first connection stands. It may be called for several, and beside {@link start}.
   *
   * @param wait how long the first connection is tried, ms; once unless told
   */
  async connect(address: string, { tls, wait = 0 }: { tls?: TlsOptions; wait?: number } = {}): Promise<true> {
    const endpoint = { ...parseAddress(address), ...(tls === undefined ? {} : { tls }) }
    const isFirst = this.state === 'idle'
    if (isFirst) this.begin('connecting')
    const { network, clock, status, signal } = this
    const reverse: ReverseConnection = new ReverseConnection({
      ...{ network, clock, status, signal, endpoint, wait },
      serve: (transport) => {
        const connection = this.#accept(transport)
        if (connection !== undefined) this.#reverse.set(connection, reverse)
      },
    })
    try {
      await reverse.open()
    } catch (error) {
      if (isFirst) this.fail(error as Error)
      throw error
    }
    if (isFirst) this.setState('connected')
    return true
  }

  /** Sends what is queued, then closes every connection. */
  async stop(): Promise<true> {
    await this.drain()
    return true
  }

  /**
   * Publishes a batch; its memory is the caller's again at once. Gives `false` under the policy `block` when a subscriber
   * has more waiting than it should: await {@link ready} before the next.
   */
  publish(batch: MeasurementBatch): boolean {
    this.stats.received += batch.length
    const own = this.#rows.own(batch)
    if (this.#gather === undefined) this.#routing.publish(own)
    else this.#gather.add(own)
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
    return this.publish(this.#rows.batchOf(rows))
  }

  /**
   * Sends bytes of a signal to every subscriber that has subscribed to it, again and again until they are confirmed
   * (unless told not to); gives how many they are.
   */
  broadcastBufferBlock(signalId: string, bytes: Uint8Array, confirm = true): number {
    const row = this.#rowOfBlock(signalId, bytes)
    return this.connections.filter((connection) => connection.sendBufferBlock(row, bytes, confirm)).length
  }

  /**
   * Sends bytes of a signal to one subscriber. Gives `false`, and sends nothing, where it is not subscribed to the signal
   * or has more waiting than it should.
   */
  sendBufferBlock(connection: ClientConnection, signalId: string, bytes: Uint8Array, confirm = true): boolean {
    return connection.sendBufferBlock(this.#rowOfBlock(signalId, bytes), bytes, confirm)
  }

  /**
   * Says that nothing more will be published, as at the end of a recording that is played: to those who are subscribed,
   * and to those who subscribe later. Histories are served on.
   */
  complete(text: string): void {
    this.#gather?.flush()
    this.#ending = text
    for (const connection of this.#connections) connection.complete(text)
  }

  /** Sends a response of your own, 0 to 15, to every subscriber. */
  broadcastUserResponse(number: number, payload?: Uint8Array): void {
    for (const connection of this.#joined()) connection.sendUserResponse(checkedNumber(number), payload)
  }

  /** Sends a response of your own, 0 to 15, to one subscriber. */
  sendUserResponse(connection: ClientConnection, number: number, payload?: Uint8Array): void {
    connection.sendUserResponse(checkedNumber(number), payload)
  }

  /** Sends a text for people to all subscribers, or to some; resolves to how many have confirmed it. */
  async notify(text: string, connections: readonly ClientConnection[] = this.connections): Promise<number> {
    const hash = ++this.#notifications >>> 0
    const joined = this.#joined().filter((connection) => connections.includes(connection))
    const confirmed = await Promise.all(joined.map((connection) => connection.notify(hash, text)))
    return confirmed.filter(Boolean).length
  }

  /** What `permit` says has changed: every subscriber is served anew by it. */
  updatePermissions(): void {
    for (const connection of this.#connections) connection.subscribeAgain()
  }

  protected async deliverRest(): Promise<void> {
    this.#gather?.flush()
    await this.#listener?.close()
    await Promise.all([...this.#connections].map((connection) => connection.end()))
    await new Promise<void>((resolve) => {
      if (this.#connections.size === 0) resolve()
      else this.#onEmpty = resolve
    })
  }

  protected async shut(): Promise<void> {
    this.#gather?.flush()
    this.#routing.close()
    for (const connection of this.#connections) connection.close()
    await this.#listener?.close()
  }

  #rowOfBlock(signalId: string, { length }: Uint8Array): number {
    const { bufferBlockBytes = BUFFER_BLOCK_BYTES } = this.#options
    if (length > bufferBlockBytes) {
      throw sttpError('ERR_STTP_BUFFER_BLOCK_LENGTH', `a block of ${length} bytes is longer than ${bufferBlockBytes}`)
    }
    return this.#rows.rowOf(signalId)
  }

  /** The subscribers that have said their operational modes. */
  #joined(): ClientConnection[] {
    return this.connections.filter(({ modes }) => modes !== 0)
  }

  protected tellChange(): void {
    for (const connection of this.#joined()) {
      connection.sendFrame(sttpWriteResponse({ type: 'configurationChanged' }, connection.modes))
    }
  }

  #onEmpty: () => void = () => {}

  #accept(transport: Transport): ClientConnection | undefined {
    const { queueBytes = QUEUE_BYTES } = this.#options
    const most = this.maximumAllowedConnections
    if (most >= 0 && this.#connections.size >= most) {
      const detail = { maximumAllowedConnections: most }
      this.#refused(transport.peer, detail, `there are ${most} connections, as many as are allowed.`)
      transport.close()
      return undefined
    }
    const connection = new ClientConnection(transport, {
      clock: this.clock,
      queueBytes,
      policy: this.policy,
      stats: this.stats,
      metadata: async (filters, modes) => {
        if (this.isMetadataRefreshAllowed) return this.published.payload(filters, modes)
        throw sttpError('ERR_STTP_METADATA_REFUSED', 'This publisher gives no metadata.')
      },
      serve: (connection, subscription, before) => this.#serve(connection, subscription, before),
      openChannel: (connection, subscription) =>
        openChannel(connection, subscription, {
          network: this.network,
          clock: this.clock,
          options: this.#options.dataChannel,
          maxBytes: queueBytes,
          stats: connection.stats,
          onClose: (error) => this.#channelBroke(connection, error),
        }),
      told: (connection, event) => this.#told(connection, event),
      dropped: (connection, rows) => this.#dropped(connection, rows),
      lostBlock: (_, bytes) => this.lose({ cause: 'disconnect', bytes }),
      malformed: (_, code, offset, length) => this.malformed(code, offset, length),
    })
    this.#connections.add(connection)
    return connection
  }

  #refused(peer: string, detail: Readonly<Record<string, unknown>>, why: string): void {
    this.status.emit('peer-refused', { peer, ...detail })
    this.#say('errorMessage', `${peer} is refused: ${why}`)
  }

  #serve(
    connection: ClientConnection,
    subscription: SttpSubscription,
    before: ServedSubscription | undefined,
  ): ServedSubscription {
    const { permit: permits } = this.#options
    const permit = permits === undefined ? undefined : (signal: Signal) => permits(connection, signal)
    if (isHistorical(subscription)) return this.#serveHistory(connection, subscription, permit)
    return this.#routing.subscribe({
      host: connection,
      modes: connection.dataModes,
      subscription,
      before: before instanceof CohortMember ? before : undefined,
      permit,
    })
  }

  #serveHistory(
    connection: ClientConnection,
    subscription: SttpSubscription,
    permit: ((signal: Signal) => boolean) | undefined,
  ): HistoricalSubscription {
    const { history, clock, signals, name } = this
    if (history === undefined) {
      throw sttpError('ERR_STTP_SUBSCRIPTION_REFUSED', 'This publisher serves no historical subscriptions.')
    }
    const ids = this.published.signalIds(subscription.filterExpression ?? EVERYTHING)
    const { peer } = connection
    return new HistoricalSubscription({
      ...{ host: connection, subscription, history, clock },
      format: cohortFormat(connection.dataModes, subscription, this, connection.frameBytes),
      signals: cacheSignals(ids, { signals, name, permit }),
      cacheIndex: connection.cohort?.cacheIndex === 0 ? 1 : 0,
      now: this.historyTime(),
      own: (batch) => this.#rows.own(batch),
      ended: (measurements, error) =>
        this.status.emit('history-ended', { peer, measurements, ...(error ? describeError(error) : {}) }),
    })
  }

  /** A subscriber whose datagrams cannot be sent is better off with a new connection. */
  #channelBroke(connection: ClientConnection, error: MeasurandError | undefined): void {
    if (error === undefined) return
    this.status.emit('data-channel-failed', { peer: connection.peer, ...describeError(error) })
    connection.close()
  }

  #told(connection: ClientConnection, event: ConnectionEvent): void {
    const { peer } = connection
    const { kind, ...rest } = event
    if (event.kind === 'user-command') {
      this.userCommandReceived?.(connection, event.number, event.payload)
      this.status.emit('peer-user-command', { peer, number: event.number, bytes: event.payload.length })
      return
    }
    if (event.kind === 'buffer-block-confirmed') {
      this.bufferBlockConfirmed?.(connection, event.sequence)
      return
    }
    const program = connection.subscription?.source
    const detail = event.kind === 'left' ? (event.error === undefined ? {} : describeError(event.error)) : rest
    this.status.emit(`peer-${kind}`, { peer, ...detail, ...(program ? { program } : {}) })
    switch (event.kind) {
      case 'joined':
        this.#say('statusMessage', `${peer} connected.`)
        this.clientConnected?.(connection)
        break
      case 'subscribed':
        this.#say('statusMessage', `${peer} subscribed to ${event.signals} signals.`)
        if (this.#ending !== undefined) connection.complete(this.#ending)
        break
      case 'stalled':
        this.#say('errorMessage', `${peer} reads too slowly: ${event.queuedBytes} bytes wait for it.`)
        break
      case 'processing-interval':
        this.processingIntervalChanged?.(connection, event.interval)
        break
      case 'left': {
        this.#say('statusMessage', `${peer} disconnected.`)
        this.#connections.delete(connection)
        const reverse = this.#reverse.get(connection)
        this.#reverse.delete(connection)
        if (this.state !== 'draining') reverse?.again()
        this.#drops.delete(connection)
        this.clientDisconnected?.(connection)
        if (this.#connections.size === 0) this.#onEmpty()
        break
      }
    }
  }

  #say(where: 'statusMessage' | 'errorMessage', text: string): void {
    this.#options[where]?.(text)
  }

  /** Rows that are given up for a subscriber one after the other are one loss. */
  #dropped(connection: ClientConnection, count: number): void {
    const known = this.#drops.get(connection)
    if (known !== undefined) this.loseMore(known, { count })
    else this.#drops.set(connection, this.lose({ cause: 'queue', count }))
  }
}

function checkedNumber(number: number): number {
  if (Number.isInteger(number) && number >= 0 && number <= 15) return number
  throw sttpError('ERR_STTP_USER_CODE', `a user command or response has a number from 0 to 15, not ${number}`)
}
