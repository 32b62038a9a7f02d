import { gunzipSync } from 'node:zlib'
import { COLUMN, type MeasurementBatch } from '../batch/index.js'
import {
  type MeasurandError,
  ringFor,
  type SourceDescription,
  type SourceOptions,
  SourceSession,
  type Timer,
  type TlsOptions,
} from '../session/index.js'
import { asSttpError, type SttpControl, type SttpFault, sttpCodeName } from './codec.js'
import { DataSet } from './data-set.js'
import { sttpError } from './error-codes.js'
import { guidText } from './measurement.js'
import { MeasurementReader } from './measurement-reader.js'
import { type PublisherAddress, parseAddress } from './publisher-address.js'
import { type SignalDetails, signalDetails } from './signal-details.js'
import { SubscriberConnection } from './subscriber-connection.js'
import {
  checkedSubscription,
  joinedStatements,
  operationalModes,
  type SubscriptionSettings,
  type WantedSubscription,
  wireSubscription,
} from './subscription.js'

/** What a subscriber can be given. */
export interface SubscriberOptions extends SourceOptions {
  /** Whether metadata is asked for at every connection; it is unless told. */
  readonly autoRequestMetadata?: boolean
  /** Whether what `subscribe` was given is subscribed at every connection; it is unless told. */
  readonly autoSubscribe?: boolean
  /** The same as `reconnect: false` where it is `false`. */
  readonly autoReconnect?: boolean
  /** Filters of the metadata, one for a table, separated by `;`. */
  readonly metadataFilters?: string
  /** Secures the connection. */
  readonly tls?: TlsOptions
  /** ms without a byte after which the publisher is taken for dead (it sends one every 5 s); 30,000 unless told, 0: never. */
  readonly silence?: number
  /** ms that an answer of the publisher may take; 30,000 unless told. */
  readonly answerTimeout?: number
  /** ms that undecodable packets are endured before the subscription is made anew; 2,000 unless told. */
  readonly resetTimeout?: number
  /** Rows of a batch at most; 16,384 unless told. */
  readonly batchRows?: number
  /** Bytes of a data packet, a signal index cache and metadata (as they come) at most; 1, 64 and 256 MiB unless told. */
  readonly frameBytes?: number
  readonly cacheBytes?: number
  readonly metadataBytes?: number
  /** Where messages for people go: stdout unless told; `false`: nowhere. */
  readonly statusMessage?: ((text: string) => void) | false
  /** Where messages of trouble go: stderr unless told; `false`: nowhere. */
  readonly errorMessage?: ((text: string) => void) | false
}

const BATCH_ROWS = 16_384
const QUEUE_BYTES = 16 << 20
const METADATA_XML_BYTES = 1 << 30
const COMMAND = { metadataRefresh: 1, subscribe: 2, defineOperationalModes: 6 } as const

/**
 * Receives measurements from an STTP publisher.
 *
 * ```ts
 * const subscriber = new Subscriber()
 * subscriber.subscribe("FILTER ActiveMeasurements WHERE SignalType = 'FREQ'")
 * await subscriber.connect('localhost:7165')
 * for await (const batch of subscriber) {
 *   for (let row = 0; row < batch.length; row++) {
 *     process.stdout.write(`${batch.signals.at(batch.signal[row])?.name} ${batch.value[row]}\n`)
 *   }
 * }
 * ```
 *
 * Row by row, as the other implementations do it: `connectionEstablished` and {@link Subscriber.readMeasurements}.
 */
export class Subscriber extends SourceSession<MeasurementBatch> {
  readonly system = 'sttp'
  /** Called at every connection, also at one that came about again. */
  connectionEstablished: () => void = () => this.defaultConnectionEstablished()
  /** Called when a connection is over. */
  connectionTerminated: () => void = () => this.defaultConnectionTerminated()
  /** Called with the metadata when they have come. */
  metadataReceived: ((metadata: DataSet) => void) | undefined
  /** Called for each buffer block; without, a block is a loss. */
  bufferBlockReceived: ((block: SttpControl) => void) | undefined
  /** Says something to people. */
  statusMessage: (text: string) => void
  /** Says of trouble to people. */
  errorMessage: (text: string) => void
  readonly #options: SubscriberOptions
  readonly #ring: ReturnType<typeof ringFor>
  readonly #quirks = new Set<string>()
  readonly #losses = new Map<string, number>()
  #address: PublisherAddress | undefined
  #wanted: WantedSubscription | undefined
  #connection: SubscriberConnection | undefined
  #isEstablished = false
  #peer = ''
  #metadata: DataSet | undefined
  #details: SignalDetails = new Map()
  #reader: MeasurementReader | undefined
  #resetTimer: Timer | undefined
  #resets = 0

  constructor(options: SubscriberOptions = {}) {
    super('sttp', options.autoReconnect === false ? { ...options, reconnect: false } : options)
    this.#options = options
    this.#ring = ringFor(options.queueBytes ?? QUEUE_BYTES, options.batchRows ?? BATCH_ROWS, COLUMN.rawTime)
    const stream = (target: NodeJS.WriteStream) => (text: string) => void target.write(`${text}\n`)
    const quiet = (): void => {}
    const { statusMessage = stream(process.stdout), errorMessage = stream(process.stderr) } = options
    this.statusMessage = statusMessage === false ? quiet : statusMessage
    this.errorMessage = errorMessage === false ? quiet : errorMessage
  }

  /** Whether there is a connection to a publisher now. */
  get connected(): boolean {
    return this.#isEstablished
  }

  /** Measurements received so far. */
  get totalMeasurementsReceived(): number {
    return this.stats.received
  }

  /** The metadata that came last. */
  get metadata(): DataSet | undefined {
    return this.#metadata
  }

  /**
   * Says what to subscribe to: now, if connected, and at every later connection. Resolves when the publisher has
   * answered, or at once where there is no connection.
   */
  subscribe(filterExpression: string, settings: SubscriptionSettings = {}): Promise<void> {
    const before = this.#wanted?.settings.encoding ?? 'tssc'
    this.#wanted = checkedSubscription(filterExpression, settings)
    const connection = this.#connection
    if (connection === undefined || !this.#isEstablished) return Promise.resolve()
    if (before !== (settings.encoding ?? 'tssc')) this.#sendModes(connection)
    const subscribed = this.#subscribeAt(connection)
    subscribed.catch((error: Error) => this.errorMessage(error.message))
    return subscribed
  }

  /** Ends the subscription; the connection stays. */
  unsubscribe(): void {
    this.#wanted = undefined
    this.#connection?.send({ type: 'unsubscribe' })
  }

  /** Connects to `host:port` or `sttp://host:port`; resolves when it stands and what `subscribe` was given is subscribed. */
  async connect(address: string): Promise<true> {
    this.#address = parseAddress(address)
    await this.start()
    return true
  }

  /** Asks for the metadata again. */
  requestMetadata(): Promise<void> {
    if (this.#connection === undefined) {
      return Promise.reject(sttpError('ERR_STTP_SUBSCRIBER_DISCONNECTED', 'there is no connection to ask on'))
    }
    return this.#requestMetadata(this.#connection)
  }

  /** Reads measurement by measurement what this connection brings. */
  readMeasurements(): MeasurementReader {
    this.#reader = new MeasurementReader(() => this[Symbol.asyncIterator](), this.#reader)
    if (!this.#isEstablished) this.#reader.end()
    return this.#reader
  }

  /** What `connectionEstablished` does unless it is assigned. */
  defaultConnectionEstablished(): void {
    this.statusMessage(`Connection to ${this.#peer} established.`)
  }

  /** What `connectionTerminated` does unless it is assigned. */
  defaultConnectionTerminated(): void {
    this.errorMessage(`Connection to ${this.#peer} terminated.`)
  }

  /** Disconnects and ends the session. */
  disconnect(): Promise<void> {
    return this.close()
  }

  /** Disconnects and ends the session. */
  dispose(): Promise<void> {
    return this.close()
  }

  describe(): SourceDescription {
    const filter = this.#wanted?.filterExpression
    return {
      peer: this.#peer,
      quirks: [...this.#quirks],
      clock: { source: 'publisher', unitNs: 100 },
      meta: filter === undefined ? {} : { filter, encoding: this.#wanted?.settings.encoding ?? 'tssc' },
    }
  }

  protected async open(): Promise<void> {
    const { host, port } = this.#address as PublisherAddress
    const { tls, silence = 30_000, answerTimeout = 30_000, frameBytes, cacheBytes, metadataBytes } = this.#options
    const transport = await this.network.dial(tls === undefined ? { host, port } : { host, port, tls }, this.signal)
    const limits = Object.fromEntries(
      Object.entries({ frameBytes, cacheBytes, metadataBytes }).filter(([, bytes]) => bytes !== undefined),
    )
    const connection = new SubscriberConnection({
      transport,
      clock: this.clock,
      handler: {
        onControl: (control) => this.#onControl(connection, control),
        onFault: (fault) => this.#onFault(fault),
        onEnd: (error) => this.#onEnd(connection, error),
      },
      modes: operationalModes(this.#wanted?.settings.encoding),
      silence,
      answerTimeout,
      limits,
      delivery: this.delivery,
      ring: this.#ring,
      stats: this.stats,
      signals: this.signals,
    })
    this.#connection = connection
    this.#peer = transport.peer
    this.#losses.clear()
    connection.start()
    this.#isEstablished = true
    this.#sendModes(connection)
    this.connectionEstablished()
    if (this.#options.autoRequestMetadata !== false) await this.#requestMetadata(connection)
    if (this.#options.autoSubscribe !== false && this.#wanted !== undefined) await this.#subscribeAt(connection)
  }

  protected hangUp(): void {
    this.#resetTimer?.cancel()
    this.#resetTimer = undefined
    const connection = this.#connection
    this.#connection = undefined
    connection?.close()
    if (!this.#isEstablished) return
    this.#isEstablished = false
    this.#reader?.end()
    this.connectionTerminated()
  }

  #sendModes(connection: SubscriberConnection): void {
    const modes = operationalModes(this.#wanted?.settings.encoding)
    connection.downlink.setModes(modes)
    connection.send({ type: 'defineOperationalModes', modes })
  }

  async #requestMetadata(connection: SubscriberConnection): Promise<void> {
    const started = this.clock.elapsed()
    const filters = this.#options.metadataFilters
    connection.send({ type: 'metadataRefresh', ...(filters === undefined ? {} : { filters }) })
    const answer = await connection.answer(
      (control) =>
        control.type === 'metadata' || (control.type === 'failed' && control.command === COMMAND.metadataRefresh),
      'the request for metadata',
    )
    if (answer.type === 'metadata') await this.#readMetadata(answer.payload as Uint8Array, started)
  }

  /** Metadata that cannot be read are told and done without: measurements do not need them. */
  async #readMetadata(payload: Uint8Array, requested: number): Promise<void> {
    const seconds = (from: number): string => ((this.clock.elapsed() - from) / 1000).toFixed(3)
    const thousands = (count: number): string => count.toLocaleString('en-US')
    const isGzip = payload[0] === 0x1f && payload[1] === 0x8b
    const received = `Received ${thousands(payload.length)} bytes of metadata in ${seconds(requested)} seconds.`
    this.statusMessage(`${received} ${isGzip ? 'Decompressing' : 'Parsing'}...`)
    if (payload.length === 0) return
    try {
      let xml = payload
      if (isGzip) {
        const started = this.clock.elapsed()
        xml = gunzipSync(payload, { maxOutputLength: METADATA_XML_BYTES })
        const text = `Decompressed ${thousands(xml.length)} bytes of metadata in ${seconds(started)} seconds.`
        this.statusMessage(`${text} Parsing...`)
      }
      const started = this.clock.elapsed()
      const set = await DataSet.read(xml, METADATA_XML_BYTES)
      this.#takeMetadata(set)
      const rows = set.tables.reduce((sum, table) => sum + table.rows, 0)
      const found = set.tables.map((table) => `        ${thousands(table.rows)} ${table.name} records\n`).join('')
      const version = set.table('SchemaVersion')?.rows ? set.records('SchemaVersion')[0]?.['versionNumber'] : undefined
      this.statusMessage(
        `Parsed ${thousands(rows)} metadata records in ${seconds(started)} seconds\n    Discovered:\n${found}${
          version === undefined ? 'No SchemaVersion table found in metadata' : `Metadata schema version: ${version}`
        }`,
      )
    } catch (thrown) {
      const { code, message } = asSttpError(thrown)
      this.errorMessage(`Failed to parse metadata: ${message}`)
      this.status.emit('metadata-failed', { code, message })
    }
  }

  #takeMetadata(set: DataSet): void {
    this.#metadata = set
    this.#details = signalDetails(set, this.name)
    for (const signal of this.signals) {
      const details = this.#details.get(guidText(signal.nativeId))
      if (details !== undefined) this.signals.add(details)
    }
    this.metadataReceived?.(set)
  }

  async #subscribeAt(connection: SubscriberConnection): Promise<void> {
    const wanted = this.#wanted
    if (wanted === undefined) return
    const { includeTime = true, useMillisecondResolution = false } = wanted.settings
    const filter = this.#isSttpapi ? joinedStatements(wanted.filterExpression) : wanted.filterExpression
    connection.downlink.setTimeForm(includeTime, useMillisecondResolution)
    connection.send({ type: 'subscribe', subscription: wireSubscription(wanted, filter) })
    const answer = await connection.answer(
      ({ type, command }) => (type === 'succeeded' || type === 'failed') && command === COMMAND.subscribe,
      'the subscription',
    )
    if (answer.type === 'failed') {
      throw sttpError('ERR_STTP_SUBSCRIPTION_REFUSED', `${this.#peer} refuses the subscription: ${answer.text ?? ''}`)
    }
  }

  /** Texts with their length in front are the mark of its publisher. */
  get #isSttpapi(): boolean {
    return this.#quirks.has('text-length-prefix')
  }

  #onControl(connection: SubscriberConnection, control: SttpControl): void {
    switch (control.type) {
      case 'succeeded':
      case 'failed':
        this.#onAnswer(connection, control)
        break
      case 'signalIndexCache':
        this.#onCache(connection, control)
        break
      case 'loss':
        this.#onLoss(connection, control)
        break
      case 'quirk':
        this.#quirks.add(control.quirk as string)
        this.status.emit('quirk', { quirk: control.quirk })
        break
      case 'dataStartTime':
        this.status.emit('data-start', { ticks: String(control.ticks) })
        break
      case 'processingComplete':
        this.statusMessage(control.text as string)
        this.finished()
        break
      case 'bufferBlock':
        this.#onBufferBlock(connection, control)
        break
      case 'notification':
        this.statusMessage(`NOTIFICATION: ${control.text}`)
        if (!this.#isSttpapi) connection.send({ type: 'confirmNotification', hash: control.hash as number })
        break
      case 'configurationChanged':
        this.#onConfigurationChanged(connection)
        break
    }
  }

  #onAnswer(connection: SubscriberConnection, { type, command = 0, text = '' }: SttpControl): void {
    const behind = text === '' ? '' : `\n${text}`
    if (type === 'failed') {
      this.errorMessage(`Received failure code in response to server command: ${sttpCodeName(command)}${behind}`)
      if (command === COMMAND.defineOperationalModes || command === 0) {
        connection.end(sttpError('ERR_STTP_MODES_REFUSED', `${this.#peer} refuses the connection: ${text}`))
      }
    } else if (command !== COMMAND.defineOperationalModes) {
      this.statusMessage(`Received success code in response to server command: ${sttpCodeName(command)}${behind}`)
    }
  }

  #onCache(connection: SubscriberConnection, control: SttpControl): void {
    const ids = control.signalIds as Uint8Array
    const sources = control.sources as string[]
    const keys = control.keyIds as BigUint64Array
    const rows = new Uint32Array(sources.length)
    for (let record = 0; record < rows.length; record++) {
      // A copy: the table keeps it, and the cache's bytes need not stay with it.
      const nativeId = ids.slice(record * 16, record * 16 + 16)
      const key = `${sources[record]}:${keys[record]}`
      const details = this.#details.get(guidText(nativeId)) ?? { type: 'f32', timeline: 'utc', meta: { key } }
      rows[record] = this.signals.add({ source: this.name, name: key, ...details, nativeId })
    }
    connection.downlink.assignRows(rows)
    this.#losses.clear()
    connection.send({ type: 'confirmUpdateSignalIndexCache' })
    const unauthorized = (control.unauthorized as Uint8Array).length / 16
    this.status.emit('subscribed', { signals: rows.length, unauthorized, cacheIndex: control.cacheIndex })
  }

  #onLoss(connection: SubscriberConnection, control: SttpControl): void {
    const { cause = '', firstSequence, lastSequence, measurements, bytes } = control
    const gap = {
      ...(firstSequence === undefined ? {} : { firstSeq: BigInt(firstSequence) }),
      ...(lastSequence === undefined ? {} : { lastSeq: BigInt(lastSequence) }),
      ...(measurements === undefined ? {} : { count: measurements }),
      ...(bytes === undefined || bytes === 0 ? {} : { bytes }),
    }
    if (cause === 'missing') this.lose({ cause: 'wire', ...gap })
    else {
      const known = this.#losses.get(cause)
      if (known === undefined) this.#losses.set(cause, this.lose({ cause: 'decoder', ...gap }))
      else this.loseMore(known, gap)
    }
    if (cause === 'undecodable') this.#awaitReset(connection)
  }

  #onFault(fault: SttpFault): void {
    const { code, offset, length, measurements } = fault
    this.errorMessage(`${this.#peer} sent bytes that cannot be read: ${fault.message}`)
    if (measurements === undefined) this.malformed(code, offset, length)
    else {
      this.status.emit('malformed', { code, offset, length })
      this.lose({ cause: 'decoder', count: measurements, bytes: length })
    }
    const connection = this.#connection
    if (connection?.downlink.awaitsReset && code.startsWith('ERR_STTP_TSSC')) this.#awaitReset(connection)
  }

  /** There is no way to ask for packets again: the subscription is made anew, and where that does not help, the connection. */
  #awaitReset(connection: SubscriberConnection): void {
    if (this.#resetTimer !== undefined) return
    this.#resetTimer = this.clock.after(this.#options.resetTimeout ?? 2000, () => {
      this.#resetTimer = undefined
      if (this.#connection !== connection) return
      if (!connection.downlink.awaitsReset) {
        this.#resets = 0
        return
      }
      if (this.#resets++ > 0) {
        this.#resets = 0
        connection.end(sttpError('ERR_STTP_TSSC_LOST', `${this.#peer} does not start its compression anew`))
        return
      }
      this.status.emit('resubscribing', { reason: 'tssc' })
      this.#awaitReset(connection)
      this.#subscribeAt(connection).catch((error: Error) => this.errorMessage(error.message))
    })
  }

  #onBufferBlock(connection: SubscriberConnection, control: SttpControl): void {
    const { sequence = 0, flags = 0 } = control
    if (flags & 1) connection.send({ type: 'confirmBufferBlock', sequence })
    if (this.bufferBlockReceived !== undefined) this.bufferBlockReceived(control)
    else this.lose({ cause: 'decoder', bytes: control.length as number })
  }

  #onConfigurationChanged(connection: SubscriberConnection): void {
    this.statusMessage('Received notification from publisher that configuration has changed.')
    this.status.emit('configuration-changed')
    const { autoRequestMetadata, autoSubscribe } = this.#options
    const renew = async (): Promise<void> => {
      if (autoRequestMetadata !== false) await this.#requestMetadata(connection)
      if (autoSubscribe !== false) await this.#subscribeAt(connection)
    }
    renew().catch((error: Error) => this.errorMessage(error.message))
  }

  #onEnd(connection: SubscriberConnection, error: MeasurandError | undefined): void {
    if (this.#connection !== connection) return
    this.connectionLost(error)
  }
}
