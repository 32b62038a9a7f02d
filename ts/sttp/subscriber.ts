import { COLUMN } from '../batch/index.js'
import { checkNumbers, type MeasurandError, ringFor, type SourceDescription } from '../session/index.js'
import { type SttpControl, type SttpFault, sttpCodeName } from './codec.js'
import { COMMAND } from './codes.js'
import { sttpError } from './error-codes.js'
import type { HistoryReader } from './history-fetch.js'
import { guidText, swapGuids } from './measurement.js'
import { MeasurementReader } from './measurement-reader.js'
import { AcceptedPublisher, DialledPublisher, type PublisherAccess } from './publisher-access.js'
import { parseAddress } from './publisher-address.js'
import { PublisherQuirks } from './publisher-quirks.js'
import { SubscriberBufferBlocks } from './subscriber-buffer-blocks.js'
import { SubscriberConnection } from './subscriber-connection.js'
import { NUMBERS, type SubscriberOptions } from './subscriber-options.js'
import {
  channelMeta,
  checkedSubscription,
  checkVersion,
  constraintText,
  datagramPlace,
  isHistorical,
  joinedStatements,
  operationalModes,
  type PayloadEncoding,
  payloadEncoding,
  type SubscriptionSettings,
  type WantedSubscription,
  wireSubscription,
} from './subscription.js'
import { TsscReset } from './tssc-reset.js'
import { WireLosses } from './wire-losses.js'

const BATCH_ROWS = 16_384
/** What is wrong with a compressed packet, so that those behind it cannot be decoded either. */
const OF_TSSC = /^ERR_STTP_(TSSC_|PACKET_COUNT$)/
const QUEUE_BYTES = 16 << 20

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
export class Subscriber extends SubscriberBufferBlocks {
  readonly #options: SubscriberOptions
  /** There is one connection and no other. */
  readonly #isLast: boolean
  readonly #ring: ReturnType<typeof ringFor>
  readonly #quirks = new PublisherQuirks(this.status)
  readonly #losses = new WireLosses({
    status: this.status,
    stats: this.stats,
    now: () => this.clock.now(),
    lose: (gap) => this.lose(gap),
    loseMore: (id, gap) => this.loseMore(id, gap),
    malformed: (code, offset, length) => this.malformed(code, offset, length),
    missed: (record) => this.missed(record),
  })
  #access: PublisherAccess | undefined
  #wanted: WantedSubscription | undefined
  #connection: SubscriberConnection | undefined
  #isEstablished = false
  #peer = ''
  #subscriberId: string | undefined
  #isSubscribed = false
  /** The newest subscription was answered with success. */
  #isServed = false
  #reader: MeasurementReader | undefined
  #tsscReset: TsscReset | undefined

  constructor(options: SubscriberOptions = {}) {
    checkVersion(options.version)
    const { autoReconnect, retryInterval = 1, maxRetryInterval = 30 } = options
    const reconnect = { minDelay: retryInterval * 1000, maxDelay: maxRetryInterval * 1000, ...options.reconnect }
    const isLast = autoReconnect === false || options.reconnect === false
    super('sttp', { ...options, reconnect: isLast ? false : reconnect })
    checkNumbers(options, NUMBERS)
    this.#isLast = isLast
    this.#options = options
    this.#ring = ringFor(options.queueBytes ?? QUEUE_BYTES, options.batchRows ?? BATCH_ROWS, COLUMN.rawTime)
  }

  /** Whether there is a connection to a publisher now. */
  get connected(): boolean {
    return this.#isEstablished
  }

  /** Where the publisher is, `host:port`. */
  get peer(): string {
    return this.#peer
  }

  /** Whether a subscription is served now. */
  get subscribed(): boolean {
    return this.#isSubscribed
  }

  /** GUID that the publisher gave this subscriber. */
  get subscriberId(): string | undefined {
    return this.#subscriberId
  }

  /** Measurements received so far. */
  get totalMeasurementsReceived(): number {
    return this.stats.received
  }

  /** Sends a command of your own, 0 to 15; what answers it comes to `userResponseReceived`. */
  sendUserCommand(number: number, payload: Uint8Array = new Uint8Array(0)): void {
    if (!Number.isInteger(number) || number < 0 || number > 15) {
      throw sttpError('ERR_STTP_USER_CODE', `a user command has a number from 0 to 15, not ${number}`)
    }
    this.#standing().send({ type: 'userCommand', number, payload: Buffer.from(payload) })
  }

  /** Asks for new keys of the encrypted data channel; resolves when the publisher has sent them. */
  async rotateCipherKeys(): Promise<void> {
    await this.#standing().rotateCipherKeys()
  }

  /**
   * Says what to subscribe to: now, if connected, and at every later connection. Resolves when the publisher has
   * answered, or at once where there is no connection.
   */
  subscribe(filterExpression: string, settings: SubscriptionSettings = {}): Promise<void> {
    const before = this.#encoding(this.#wanted?.settings)
    this.#wanted = checkedSubscription(filterExpression, settings)
    const connection = this.#connection
    if (connection === undefined || !this.#isEstablished) return Promise.resolve()
    if (before !== this.#encoding(settings)) this.#sendModes(connection)
    const subscribed = this.#subscribeAt(connection)
    subscribed.catch((error: Error) => this.errorMessage(error.message))
    return subscribed
  }

  /** Ends the subscription; the connection stays. */
  unsubscribe(): void {
    this.#wanted = undefined
    this.#isSubscribed = false
    this.#connection?.send({ type: 'unsubscribe' })
  }

  /**
   * Changes the speed of a historical subscription: ms between frames, 0 as fast as possible, -1 as the publisher thinks
   * fit. Resolves when the publisher has done so.
   */
  async updateProcessingInterval(processingInterval: number): Promise<void> {
    const wanted = this.#wanted ?? checkedSubscription('', {})
    const changed = checkedSubscription(wanted.filterExpression, { ...wanted.settings, processingInterval })
    if (this.#wanted !== undefined) this.#wanted = changed
    await this.#standing().updateProcessingInterval(processingInterval)
  }

  /** Connects to `host:port` or `sttp://host:port`; resolves when it stands and what `subscribe` was given is subscribed. */
  async connect(address: string): Promise<true> {
    const { host, port } = parseAddress(address)
    const { tls, socketTimeout = 2 } = this.#options
    const place = { host, port, connectTimeout: socketTimeout * 1000, ...(tls === undefined ? {} : { tls }) }
    this.#access = new DialledPublisher(this.network, place)
    await this.start()
    return true
  }

  /**
   * Listens for a publisher that connects by itself (a reverse connection), and for it again when it is gone; resolves to
   * true and the port when the first one is there and what `subscribe` was given is subscribed. The status event
   * `listening` has the port before. One publisher is served at a time.
   */
  async listen({ host = '', port }: { readonly host?: string; readonly port: number }): Promise<[true, number]> {
    const { tls, wait = 0 } = this.#options
    const place = { host, port, ...(tls === undefined ? {} : { tls }) }
    const access = new AcceptedPublisher(this.network, place, this.clock, this.status, wait)
    this.#access = access
    const bound = await access.listen()
    this.status.emit('listening', { port: bound })
    await this.start()
    return [true, bound]
  }

  /** Asks for the metadata again. */
  requestMetadata(): Promise<void> {
    try {
      return this.#requestMetadata(this.#standing())
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Reads measurement by measurement what this connection brings. */
  readMeasurements(): MeasurementReader {
    this.#reader = new MeasurementReader(() => this[Symbol.asyncIterator](), this.#reader)
    if (!this.#isEstablished) this.#reader.end()
    return this.#reader
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
      quirks: this.#quirks.names,
      clock: { source: 'publisher', unitNs: 100 },
      meta:
        filter === undefined
          ? {}
          : {
              filter,
              encoding: this.#encoding(this.#wanted?.settings),
              ...channelMeta(this.#wanted?.settings, this.#losses.datagrams),
            },
    }
  }

  protected async open(attempt: number): Promise<void> {
    this.#countRetry(attempt)
    const { silence = 30_000, answerTimeout = 30_000, frameBytes, cacheBytes, metadataBytes } = this.#options
    const transport = await (this.#access as PublisherAccess).next(this.signal)
    const limits = Object.fromEntries(
      Object.entries({ frameBytes, cacheBytes, metadataBytes }).filter(([, bytes]) => bytes !== undefined),
    )
    const connection = new SubscriberConnection({
      transport,
      clock: this.clock,
      handler: {
        onControl: (control) => this.#onControl(connection, control),
        onFault: (fault) => this.#onFault(fault),
        onDropped: (datagrams, bytes) => this.#losses.dropped(datagrams, bytes),
        onLate: (datagrams) => this.#losses.late(datagrams),
        onEnd: (error) => this.#onEnd(connection, error),
      },
      modes: this.#modes(),
      silence,
      answerTimeout,
      limits,
      delivery: this.delivery,
      ring: this.#ring,
      stats: this.stats,
      signals: this.signals,
      ...(this.#options.queueBytes === undefined ? {} : { datagramBytes: this.#options.queueBytes }),
    })
    this.connecting(connection.downlink)
    this.#connection = connection
    this.#peer = transport.peer
    this.#losses.settle()
    this.#tsscReset = this.#resetOf(connection)
    this.beginBlocks(connection)
    connection.start()
    this.#isEstablished = true
    this.#sendModes(connection)
    this.connectionEstablished()
    if (this.#options.autoRequestMetadata !== false) await this.#requestMetadata(connection)
    if (this.#options.autoSubscribe !== false && this.#wanted !== undefined) await this.#subscribeAt(connection)
  }

  protected hangUp(): void {
    this.#tsscReset?.stop()
    const connection = this.#connection
    this.#connection = undefined
    connection?.close()
    this.endBlocks()
    if (!this.#isEstablished) return
    this.#isEstablished = false
    this.#isSubscribed = false
    this.#reader?.end()
    this.connectionTerminated()
  }

  protected override shut(error: Error | undefined): void {
    super.shut(error)
    this.#access?.close()
  }

  /** Ends the session where a connection was tried again as often as it may be. */
  #countRetry(attempt: number): void {
    const { maxRetries = -1 } = this.#options
    if (this.state !== 'reconnecting' || maxRetries < 0 || attempt <= maxRetries) return
    const error = sttpError('ERR_STTP_RETRIES', `${this.#peer} did not come back in ${maxRetries} retries`)
    this.fail(error)
    throw error
  }

  /** How a subscription's measurements are to be packed. */
  #encoding(settings: SubscriptionSettings | undefined): PayloadEncoding {
    return payloadEncoding(settings, this.#options.compressPayloadData)
  }

  #modes(): number {
    return operationalModes(this.#encoding(this.#wanted?.settings), this.#options)
  }

  #sendModes(connection: SubscriberConnection): void {
    const modes = this.#modes()
    connection.downlink.setModes(modes)
    connection.send({ type: 'defineOperationalModes', modes })
  }

  async #requestMetadata(connection: SubscriberConnection): Promise<void> {
    const started = this.clock.elapsed()
    const payload = await connection.refreshMetadata(this.#options.metadataFilters)
    if (payload !== undefined) await this.takeMetadata(payload, started, (quirk) => this.#quirks.add(quirk))
  }

  async #subscribeAt(connection: SubscriberConnection): Promise<void> {
    const wanted = this.#wanted
    if (wanted === undefined) return
    const { includeTime = true, useMillisecondResolution = false } = wanted.settings
    const { filterExpression } = wanted
    const filter = this.#quirks.isSttpapi ? joinedStatements(filterExpression) : filterExpression
    this.#quirks.filterJoined(filterExpression, filter)
    const port = await connection.openDatagrams(this.network, datagramPlace(wanted.settings))
    connection.downlink.setTimeForm(includeTime, useMillisecondResolution)
    this.#isServed = false
    await connection.subscribe(wireSubscription(wanted, filter, port))
    this.#isSubscribed = true
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
        this.#losses.take(control)
        if (control.cause === 'undecodable') this.#tsscReset?.await()
        break
      case 'quirk':
        this.#quirks.add(control.quirk as string)
        break
      case 'cipherKeys':
        this.#quirks.keysCame(control, connection.isSecure)
        break
      case 'noOp':
        if (this.#quirks.hasStopped(connection.downlink.lastSequence)) {
          connection.end(sttpError('ERR_STTP_TSSC_LOST', `${this.#peer} cannot send more than 65,536 packets`))
        }
        break
      case 'dataStartTime':
        this.status.emit('data-start', { ticks: String(control.ticks) })
        this.dataStartTimeReceived?.(control.ticks as bigint)
        break
      case 'processingComplete':
        this.historicalReadComplete(control.text as string)
        this.complete()
        break
      case 'bufferBlock':
        this.takeBlock(connection, control)
        break
      case 'notification':
        this.status.emit('notification', { text: control.text })
        this.notificationReceived(control.text as string)
        if (!this.#quirks.isSttpapi) connection.send({ type: 'confirmNotification', hash: control.hash as number })
        break
      case 'userResponse': {
        const { number = 0, command = 0, payload = Buffer.alloc(0) } = control
        this.status.emit('user-response', { number, command, bytes: payload.length })
        this.userResponseReceived?.(number, payload, command)
        break
      }
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
    if (command !== COMMAND.subscribe) return
    if (type === 'failed' && this.#isServed && isHistorical(this.#wanted)) {
      this.historyLost(sttpError('ERR_STTP_HISTORY_BROKEN', `${this.#peer} broke off the history: ${text}`))
    }
    this.#isServed = type === 'succeeded'
  }

  #onCache(connection: SubscriberConnection, control: SttpControl): void {
    const { signalIds, subscriberId, unauthorized: denied, cacheIndex } = control as Required<SttpControl>
    if (this.#options.swapGuidEndianness) [signalIds, subscriberId, denied].forEach(swapGuids)
    const rows = this.rowsOf(control)
    connection.downlink.assignRows(rows)
    this.useCacheForBlocks(connection, control, rows)
    this.#losses.settle()
    if (this.#options.version !== 1) connection.send({ type: 'confirmUpdateSignalIndexCache' })
    const unauthorized = Array.from({ length: denied.length / 16 }, (_, at) => guidText(denied.subarray(at * 16)))
    this.#subscriberId = guidText(subscriberId)
    this.status.emit('subscribed', { signals: rows.length, unauthorized: unauthorized.length, cacheIndex })
    this.subscriptionUpdated?.({ signals: rows.length, unauthorized })
  }

  #onFault(fault: SttpFault): void {
    this.errorMessage(`${this.#peer} sent bytes that cannot be read: ${fault.message}`)
    this.#losses.failed(fault)
    this.#quirks.packetFailed(fault.code)
    if (this.#connection?.downlink.awaitsReset && OF_TSSC.test(fault.code)) this.#tsscReset?.await()
  }

  #resetOf(connection: SubscriberConnection): TsscReset {
    return new TsscReset(this.clock, this.#options.resetTimeout ?? 2000, {
      isAwaited: () => connection.downlink.awaitsReset,
      subscribe: () => {
        this.status.emit('resubscribing', { reason: 'tssc' })
        this.#subscribeAt(connection).catch((error: Error) => this.errorMessage(error.message))
      },
      fail: () => connection.end(sttpError('ERR_STTP_TSSC_LOST', `${this.#peer} does not start its compression anew`)),
    })
  }

  /** The connection to send on; throws where there is none. */
  #standing(): SubscriberConnection {
    if (this.#connection !== undefined) return this.#connection
    throw sttpError('ERR_STTP_SUBSCRIBER_DISCONNECTED', 'there is no connection to ask on')
  }

  #onConfigurationChanged(connection: SubscriberConnection): void {
    this.statusMessage('Received notification from publisher that configuration has changed.')
    this.status.emit('configuration-changed')
    this.configurationChanged?.()
    const { autoRequestMetadata, autoSubscribe } = this.#options
    const renew = async (): Promise<void> => {
      if (autoRequestMetadata !== false) await this.#requestMetadata(connection)
      if (autoSubscribe !== false) await this.#subscribeAt(connection)
    }
    renew().catch((error: Error) => this.errorMessage(error.message))
  }

  #onEnd(connection: SubscriberConnection, error: MeasurandError | undefined): void {
    if (this.#connection !== connection) return
    if (isHistorical(this.#wanted)) this.historyLost(error)
    else if (error === undefined && this.#isLast && this.state === 'connected') this.#ended(connection)
    else this.connectionLost(error)
  }

  /**
   * STTP has no farewell. Where no other connection is wanted, the publisher's orderly close ends the session as it ends
   * the data; what it cut off is a loss.
   */
  #ended(connection: SubscriberConnection): void {
    this.status.emit('publisher-closed', { peer: this.#peer })
    void this.delivery.drained.then(() => {
      const bytes = connection.downlink.pendingBytes
      if (bytes > 0) this.lose({ cause: 'disconnect', from: this.clock.now(), bytes })
    })
    this.finished()
  }

  /** sttpapi's publisher does not regard limits; one that has dialled us is not to be dialled; a history has no other. @internal */
  protected get servesHistory(): boolean {
    return !this.#quirks.isSttpapi && this.#access instanceof DialledPublisher && !isHistorical(this.#wanted)
  }

  /** @internal */
  protected async readHistory(start: bigint, stop: bigint): Promise<HistoryReader> {
    const { host, port } = (this.#access as DialledPublisher).endpoint
    const { filterExpression, settings } = this.#wanted as WantedSubscription
    // What is fetched back must not be lost again.
    const { udpPort: _, udpInterface: _interface, udpGroup: _group, ...reliable } = settings
    const history = new Subscriber({
      ...this.#options,
      ...{ name: `${this.name} history`, wait: 0, reconnect: false, gapRecovery: false, maxDelay: 0, policy: 'block' },
      ...{ autoRequestMetadata: false, statusMessage: false, errorMessage: false, signal: this.signal },
      ...{ onStatus: () => {}, recordBufferBlocks: false },
    })
    const limits = { startTime: constraintText(start), stopTime: constraintText(stop), processingInterval: 0 }
    void history.subscribe(filterExpression, { ...reliable, ...limits, throttled: false })
    await history.connect(host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)
    return history
  }
}
