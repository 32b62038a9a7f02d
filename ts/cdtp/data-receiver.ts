import { type Clock, sleep, systemClock } from '../session/clock.js'
import { Delivery } from '../session/delivery.js'
import { tell } from '../session/diagnostics.js'
import { sessionError } from '../session/error-codes.js'
import { fromNative } from '../session/errors.js'
import { Ledger } from '../session/ledger.js'
import { COUNT, checkNumbers } from '../session/number-options.js'
import { Stats } from '../session/stats.js'
import { StatusStream } from '../session/status.js'
import { type CdtpFault, encodeRunMessage, encodeValue, Indexer } from './codec.js'
import type { DataReceiverOptions } from './data-receiver-options.js'
import { InvalidCDTPMessageType, RecvTimeoutError } from './errors.js'
import { hostId } from './host-id.js'
import { MessageIndex } from './message-index.js'
import { MessageType, RecordBatch } from './record-batch.js'
import { conditionName, RunCondition } from './run-condition.js'
import { type MessageHandler, type PullSocket, SenderConnection } from './sender-connection.js'
import { SenderRun, type SequenceRange } from './sender-run.js'
import type { DiscoveredService } from './service.js'
import { TransmitterState, type TransmitterStateSeq } from './transmitter-state.js'
import type { Values } from './value.js'
import { highWaterMark, type Zmq, zeromq } from './zeromq.js'

const DRAIN_MS = 100
const MESSAGE_BYTES = 256 << 20

/**
 * Receives the runs of several transmitters.
 *
 * ```ts
 * const receiver = new DataReceiver()
 * receiver.startReceiving()
 * await receiver.addSender({ hostUuid: hostId('Camera.front'), serviceId: Service.DATA, address: '127.0.0.1', port })
 * for await (const batch of receiver) {
 *   if (batch.kind === MessageType.EOR) break
 *   for (const record of batch) use(record.sequenceNumber, record.tags, record.blocks)
 * }
 * await receiver.stopReceiving()
 * ```
 *
 * Either the three callbacks or a loop takes the records, never both. What is missing, doubled or late is in
 * `receiver.ledger`, with the exact numbers.
 */
export class DataReceiver implements AsyncIterable<RecordBatch> {
  readonly stats: Stats
  readonly ledger: Ledger
  readonly status: StatusStream
  /** Seconds that `stopReceiving` waits for missing EORs. */
  eorTimeout = 10
  /** The run that batches belong to; empty unless somebody knows it. With `manyRuns` empty becomes run_1, run_2, ... */
  run = ''
  readonly #options: DataReceiverOptions
  readonly #clock: Clock
  readonly #delivery: Delivery<RecordBatch>
  readonly #indexes: MessageIndex[] = []
  #dataTransmitters: ReadonlySet<string> | null
  readonly #connections = new Map<string, SenderConnection>()
  readonly #runs = new Map<string, SenderRun>()
  #begun = 0
  #bytesReceived = 0
  #running = false
  #exception: Error | undefined
  #room: { promise: Promise<void>; resolve: () => void } | undefined
  #isDegraded = false
  /** What every connection gives its messages to. */
  readonly #handler: MessageHandler = {
    takeIndex: () => this.#takeIndex(),
    onFrames: (_frames, bytes) => {
      this.stats.messagesIn++
      this.stats.bytesIn += bytes
    },
    onMessage: (message, index) => this.#handle(message, index),
    onMalformed: (fault, bytes, index) => {
      if (index !== undefined) this.#indexes.push(index)
      this.#malformed(fault, bytes)
    },
    onError: (error) => this.#fail(error),
  }

  constructor(options: DataReceiverOptions = {}) {
    const name = options.name ?? 'cdtp'
    checkNumbers(options, { queueBytes: COUNT, maxMessageBytes: COUNT, maxRecords: COUNT, maxBlocks: COUNT })
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#dataTransmitters = options.dataTransmitters ?? null
    this.stats = options.stats ?? new Stats()
    this.ledger = options.ledger ?? new Ledger(name, this.#clock)
    this.status = options.status ?? new StatusStream(name, this.#clock)
    this.#delivery = options.delivery ?? this.#newDelivery(name)
    this.#delivery.attach(this.#filler())
    if (options.receiveBorCb || options.receiveDataCb || options.receiveEorCb) this.#callBack()
  }

  /** Canonical names of the transmitters that are taken; null: all. */
  get dataTransmitters(): ReadonlySet<string> | null {
    return this.#dataTransmitters
  }

  set dataTransmitters(names: ReadonlySet<string> | null) {
    this.#dataTransmitters = names
  }

  /** Bytes of blocks that came in this run. */
  get bytesReceived(): bigint {
    return BigInt(this.#bytesReceived)
  }

  /** Whether it is receiving; also while it has to be stopped because of an error. */
  get running(): boolean {
    return this.#running
  }

  /** What is known of each transmitter, by canonical name. */
  get transmitterStates(): ReadonlyMap<string, TransmitterStateSeq> {
    return new Map(Array.from(this.#runs, ([sender, run]) => [sender, run.stateSeq]))
  }

  /** The numbers of a sender's run that came twice, and those that came behind later ones. */
  rangesOf(sender: string): { readonly duplicates: readonly SequenceRange[]; readonly late: readonly SequenceRange[] } {
    return this.#runs.get(sender) ?? { duplicates: [], late: [] }
  }

  /** Begins a run: states and counters start anew. */
  startReceiving(): void {
    if (this.#running) return
    this.#runs.clear()
    for (const name of this.#dataTransmitters ?? []) this.#runs.set(name, this.#newRun(name))
    this.#bytesReceived = 0
    this.#exception = undefined
    this.#isDegraded = false
    this.#running = true
  }

  /** Connects to a transmitter, unless it is not one of those to be taken or is connected already. */
  async addSender(service: DiscoveredService): Promise<void> {
    if (!this.#running || !this.#takes(service.hostUuid)) return
    const known = this.#connections.get(service.hostUuid)
    if (known !== undefined) {
      if (known.service.port === service.port && known.service.address === service.address) return
      this.removeSender(known.service)
    }
    const socket = await this.newSocket()
    if (!this.#running || this.#connections.has(service.hostUuid)) {
      socket.close()
      return
    }
    socket.connect(`tcp://${service.address}:${service.port}`)
    this.addSocket(service, socket)
  }

  /**
   * A socket with this receiver's bounds, connected to nothing.
   *
   * @internal
   */
  async newSocket(): Promise<Zmq.Pull> {
    const { Pull } = await zeromq()
    const { context } = this.#options
    return new Pull({
      receiveHighWaterMark: highWaterMark(this.#delivery.queueBytes, 131_072),
      linger: 0,
      maxMessageSize: this.#maxMessageBytes,
      ...(context === undefined ? {} : { context }),
    })
  }

  /** Receives from a socket that is connected already. */
  addSocket(service: DiscoveredService, socket: PullSocket): void {
    const { clock, observe } = { clock: this.#clock, observe: this.#options.observe }
    const base = { service, socket, handler: this.#handler, maxMessageBytes: this.#maxMessageBytes, clock }
    const connection = new SenderConnection(observe === undefined ? base : { ...base, observe })
    this.#connections.set(service.hostUuid, connection)
    this.status.emit('peer-joined', { address: service.address, port: service.port })
  }

  /** Closes the connection to a transmitter. */
  removeSender(service: DiscoveredService): void {
    const connection = this.#connections.get(service.hostUuid)
    if (connection === undefined) return
    this.#connections.delete(service.hostUuid)
    connection.close()
    this.status.emit('peer-left', { address: service.address, port: service.port })
  }

  /** A member of the constellation was lost: the runs that end from now on are DEGRADED. */
  markDegraded(): void {
    this.#isDegraded = true
  }

  /**
   * Ends the run: waits until nothing comes any more, then up to `eorTimeout` for the EORs. For those that are missing
   * it gives a substitute and rejects with a {@link RecvTimeoutError}.
   *
   * @param isHurried whether `eorTimeout` counts from now on, although records still come: a transmitter that was not
   *   stopped would be waited for without end
   */
  async stopReceiving(isHurried = false): Promise<void> {
    if (!this.#running) return
    const timeout = this.eorTimeout * 1000
    let end = isHurried ? this.#clock.elapsed() + timeout : Number.POSITIVE_INFINITY
    const isDue = (): boolean => this.#exception !== undefined || this.#clock.elapsed() >= end
    try {
      while (!isDue() && this.quietFor < DRAIN_MS) await sleep(this.#clock, DRAIN_MS / 4)
      if (!isHurried) end = this.#clock.elapsed() + timeout
      while (!isDue() && this.#open().length > 0) await sleep(this.#clock, 10)
      this.checkException()
      const missing = this.#open()
      for (const run of missing) await this.#substituteEor(run)
      if (missing.length > 0) {
        const names = missing.map((run) => `'${run.sender}'`).join(', ')
        throw new RecvTimeoutError(`EOR messages from [${names}]`, this.eorTimeout)
      }
    } finally {
      await this.abortReceiving()
    }
  }

  /** Gives a substitute for every EOR that has not come. */
  async endOpenRuns(): Promise<void> {
    for (const run of this.#open()) await this.#substituteEor(run)
  }

  /** ms since the last message of any connection; 0 while some wait for the consumer. */
  get quietFor(): number {
    if (this.#delivery.queuedBytes > 0) return 0
    let quiet = Number.POSITIVE_INFINITY
    for (const { lastMessage } of this.#connections.values()) {
      quiet = Math.min(quiet, this.#clock.elapsed() - lastMessage)
    }
    return quiet
  }

  /** Whether some run has begun and not ended. */
  get isInRun(): boolean {
    return this.#open().length > 0
  }

  /** Ends the run at once, without substitutes. */
  async abortReceiving(): Promise<void> {
    const connections = [...this.#connections.values()]
    for (const { service } of connections) this.removeSender(service)
    this.#running = false
    this.#room?.resolve()
    await Promise.all(connections.map(({ done }) => done))
  }

  /** Throws what ended the receiving: a malformed message where that is fatal, an order error, a callback's error. */
  checkException(): void {
    if (this.#exception !== undefined) throw this.#exception
  }

  [Symbol.asyncIterator](): AsyncIterator<RecordBatch, undefined> {
    return this.#delivery[Symbol.asyncIterator]()
  }

  /** Gives every batch to a function. */
  consume(call: (batch: RecordBatch) => void | Promise<void>): Promise<void> {
    return this.#delivery.consume(call)
  }

  /** Ends it for good: a loop over it ends when it has what there is. */
  async close(): Promise<void> {
    await this.abortReceiving()
    this.#delivery.end(this.#exception)
    this.status.end()
  }

  get #maxMessageBytes(): number {
    return this.#options.maxMessageBytes ?? MESSAGE_BYTES
  }

  #newDelivery(name: string): Delivery<RecordBatch> {
    const { policy, queueBytes } = this.#options
    return new Delivery<RecordBatch>({
      source: name,
      clock: this.#clock,
      stats: this.stats,
      ...(policy === undefined ? {} : { policy }),
      ...(queueBytes === undefined ? {} : { queueBytes }),
      onDrop: ({ batch, rows }) => {
        const { sender: source, run } = batch
        for (const range of batch.ranges()) this.ledger.add({ cause: 'queue', source, run, ...range })
        this.stats.dropped += rows
      },
      onOverflow: (error) => this.#fail(error),
    })
  }

  /** Batches are handed over whole: there is never an open one, only receivers that wait for room. */
  #filler(): Parameters<Delivery<RecordBatch>['attach']>[0] {
    const isHolding = (): boolean => this.#room !== undefined
    const goOn = (): void => {
      while (this.#delivery.isFull) if (!this.#delivery.makeRoom()) return
      this.#room?.resolve()
      this.#room = undefined
    }
    return {
      rows: 0,
      get isHolding() {
        return isHolding()
      },
      seal: () => {
        throw sessionError('ERR_SESSION_BLOCK_BYTES', 'a receiver has no open batch')
      },
      room: goOn,
      discard: () => {
        this.#room?.resolve()
        this.#room = undefined
        return 0
      },
    }
  }

  #callBack(): void {
    const { receiveBorCb, receiveDataCb, receiveEorCb } = this.#options
    this.#delivery
      .consume(async (batch) => {
        if (batch.kind === MessageType.BOR) await receiveBorCb?.(batch.sender, batch.userTags, batch.configuration)
        else if (batch.kind === MessageType.EOR) await receiveEorCb?.(batch.sender, batch.userTags, batch.runMetadata)
        else if (receiveDataCb !== undefined) {
          for (const record of batch) {
            const pending = receiveDataCb(batch.sender, record)
            if (pending !== undefined) await pending
          }
        }
      })
      .catch((error: Error) => this.#fail(error))
  }

  #takes(hostUuid: string): boolean {
    if (this.#dataTransmitters === null) return true
    for (const name of this.#dataTransmitters) if (hostId(name) === hostUuid) return true
    return false
  }

  #newRun(sender: string): SenderRun {
    const run = this.run === '' && this.#options.manyRuns ? `run_${++this.#begun}` : this.run
    return new SenderRun(sender, run, { ledger: this.ledger, stats: this.stats, status: this.status })
  }

  /** Runs that have begun and not ended. */
  #open(): SenderRun[] {
    return [...this.#runs.values()].filter((run) => run.state === TransmitterState.BOR_RECEIVED)
  }

  #takeIndex(): MessageIndex {
    return (
      this.#indexes.pop() ?? new MessageIndex(this.#options.maxRecords ?? 16_384, this.#options.maxBlocks ?? 65_536)
    )
  }

  #malformed({ code, reason, offset }: CdtpFault, length: number): void {
    tell('malformed', () => ({ source: this.#options.name ?? 'cdtp', code, offset, length }))
    this.status.emit('malformed', { code, reason, offset, length })
    this.#options.logger?.log('WARNING', `put aside a message of ${length} bytes: ${reason}`)
    this.ledger.add({ cause: 'decoder', bytes: length })
    if (this.#options.malformedIsFatal)
      this.#fail(fromNative(Object.assign(new Error(reason), { code }), 'cdtp', offset))
  }

  #handle(message: Uint8Array, index: MessageIndex): Promise<void> | undefined {
    const start = index.senderOffset
    const sender = Buffer.from(message.buffer, message.byteOffset + start, index.senderLength).toString('utf8')
    const kind = index.kind as MessageType
    if (kind === MessageType.DATA) {
      this.#bytesReceived += index.payloadBytes
      const run = this.#runOf(sender)
      this.stats.received += index.records
      if (run?.state !== TransmitterState.BOR_RECEIVED) {
        this.stats.failed += index.records
        throw new InvalidCDTPMessageType('DATA', `did not receive BOR from ${sender}`)
      }
      run.observe(index)
      return index.records === 0 ? this.#release(index) : this.#deliver(kind, sender, run.condition, message, index)
    }
    if (index.trailing > 0) this.status.emit('trailing', { bytes: index.trailing })
    return kind === MessageType.BOR ? this.#begin(sender, message, index) : this.#end(sender, message, index)
  }

  /**
   * The run of a message that is not its first. Where many runs are taken, a receiver that came late, or that shares
   * its transmitter with a second one, gets what there is: what it did not see of the run is in the ledger.
   */
  #runOf(sender: string): SenderRun | undefined {
    const run = this.#runs.get(sender)
    if (!this.#options.manyRuns || run?.state === TransmitterState.BOR_RECEIVED) return run
    const joined = this.#newRun(sender)
    joined.begin()
    this.#runs.set(sender, joined)
    const text = `joined a run of ${sender} without its begin: it was running before, or a second receiver shares it`
    this.#options.logger?.log('WARNING', text)
    this.status.emit('joined-late', { sender })
    return joined
  }

  #begin(sender: string, message: Uint8Array, index: MessageIndex): Promise<void> | undefined {
    const known = this.#runs.get(sender)
    if (known !== undefined && known.state !== TransmitterState.NOT_CONNECTED) {
      if (!this.#options.manyRuns) throw new InvalidCDTPMessageType('BOR', `already received BOR from ${sender}`)
      if (known.state === TransmitterState.BOR_RECEIVED) return this.#beginAfterLoss(known, sender, message, index)
    }
    const run = this.#newRun(sender)
    run.begin()
    this.#runs.set(sender, run)
    return this.#deliver(MessageType.BOR, sender, RunCondition.GOOD, message, index)
  }

  /** A transmitter began anew without an end: the run before it was cut off. */
  async #beginAfterLoss(cut: SenderRun, sender: string, message: Uint8Array, index: MessageIndex): Promise<void> {
    await this.#substituteEor(cut)
    await this.#begin(sender, message, index)
  }

  #end(sender: string, message: Uint8Array, index: MessageIndex): Promise<void> | undefined {
    const run = this.#runOf(sender)
    if (run?.state !== TransmitterState.BOR_RECEIVED) {
      throw new InvalidCDTPMessageType('EOR', `did not receive BOR from ${sender}`)
    }
    const arrived = new RecordBatch(MessageType.EOR, sender, run.run, 0n, 0, message, index)
    const metadata = arrived.runMetadata
    const condition = run.end(metadata, this.#isDegraded)
    if (condition === undefined) return this.#deliver(MessageType.EOR, sender, run.condition, message, index)
    const changed = { ...metadata, condition_code: condition, condition: conditionName(condition) }
    this.#indexes.push(index)
    return this.#deliverEor(sender, condition, arrived.tagsBytes(0), changed)
  }

  #substituteEor(run: SenderRun): Promise<void> | undefined {
    const condition = run.abort(this.#isDegraded)
    const metadata = { condition_code: condition, condition: conditionName(condition) }
    this.status.emit('aborted', { sender: run.sender, condition: metadata.condition })
    return this.#deliverEor(run.sender, condition, Uint8Array.of(0x80), metadata)
  }

  /** Gives an EOR that is not the one of the wire. */
  #deliverEor(sender: string, condition: number, userTags: Uint8Array, metadata: Values): Promise<void> | undefined {
    const message = encodeRunMessage(sender, MessageType.EOR, userTags, encodeValue(metadata, false))
    const index = this.#takeIndex()
    new Indexer(message.length).index(message, index.bytes)
    return this.#deliver(MessageType.EOR, sender, condition, message, index)
  }

  #deliver(
    kind: MessageType,
    sender: string,
    condition: number,
    message: Uint8Array,
    index: MessageIndex,
  ): Promise<void> | undefined {
    const run = this.#runs.get(sender)?.run ?? this.run
    const batch = new RecordBatch(kind, sender, run, this.#clock.now(), condition, message, index)
    // The books count records; the rows of BOR and EOR are none.
    const rows = kind === MessageType.DATA ? batch.length : 0
    const isRoom = this.#delivery.push({ batch, rows, bytes: message.length, release: () => this.#release(index) })
    this.#options.onBatch?.(batch)
    if (isRoom || !this.#delivery.isFull) return undefined
    this.#delivery.scheduleRoom()
    if (this.#room === undefined) {
      let resolve = (): void => {}
      const promise = new Promise<void>((done) => {
        resolve = done
      })
      this.#room = { promise, resolve }
    }
    return this.#room.promise
  }

  #release(index: MessageIndex): undefined {
    this.#indexes.push(index)
    return undefined
  }

  #fail(error: Error): void {
    if (this.#exception !== undefined) return
    this.#exception = error
    this.#options.logger?.log('CRITICAL', error.message)
    this.status.emit('failed', { message: error.message })
    if (this.#options.delivery === undefined && this.#options.receiveBorCb === undefined) this.#delivery.end(error)
    for (const connection of this.#connections.values()) connection.stop()
    this.#room?.resolve()
  }
}
