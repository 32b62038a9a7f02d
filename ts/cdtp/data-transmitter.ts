import { type Clock, systemClock, type Timer } from '../session/clock.js'
import { Ledger } from '../session/ledger.js'
import { Stats } from '../session/stats.js'
import { StatusStream } from '../session/status.js'
import { collectEarlier, encodeRunMessage, encodeValue } from './codec.js'
import { NewDataRecord } from './data-record.js'
import { cdtpError } from './error-codes.js'
import { SendTimeoutError } from './errors.js'
import type { Logger } from './logger.js'
import { type DataMessage, MessageWriter } from './message-writer.js'
import { watchPeers } from './push-peers.js'
import { MessageType } from './record-batch.js'
import { TransmitterState } from './transmitter-state.js'
import { EncodedTags, type Values } from './value.js'
import { highWaterMark, isTimeout, portOf, timeoutMs, type Zmq, zeromq } from './zeromq.js'

/** ms that a producer waits for a receiver that is slow, and how much earlier the garbage collector begins then, bytes. */
const [SLOW_MS, EARLIER_BYTES] = [5, 48 << 20]
/** Messages in ZeroMQ's pipe at most. */
const MAX_MARK = 16

/** ZeroMQ's flag for a send that does not wait. */
export const DONTWAIT = 1

/** The part of a ZeroMQ socket that a transmitter uses. */
export interface PushSocket {
  sendTimeout: number
  send(message: Uint8Array): Promise<void>
}

/** What a transmitter is made of: the seed's arguments by name, and options. */
export interface DataTransmitterOptions {
  /** The canonical name, `Type.Name`. */
  readonly name: string
  /** A bound PUSH socket. */
  readonly socket: PushSocket
  readonly logger?: Logger
  /** Told when a DATA message was not taken in time; what was queued is lost then, and in the ledger. */
  readonly failureCb?: (reason: string) => void
  /** Writes only values that the C++ framework reads; true unless told. */
  readonly portable?: boolean
  /** Bytes of messages that may wait to be given to ZeroMQ; 16 MiB unless told. */
  readonly queueBytes?: number
  /** How long records may gather in a message, ms; 100 unless told. */
  readonly flushInterval?: number
  readonly clock?: Clock
}

/** What {@link DataTransmitter.bind} is made of. */
export interface BindOptions extends Omit<DataTransmitterOptions, 'socket'> {
  /** Where to listen, such as `tcp://127.0.0.1:50101`; port `*` lets the system choose. */
  readonly endpoint: string
  /** KiB, as the property. */
  readonly payloadThreshold?: number
}

/** How a record is made. */
export interface NewRecordOptions {
  /** Bytes of room for its one block inside the message: `record.reserved` is filled instead of copied from. */
  readonly reserve?: number
}

/**
 * Sends the records of runs to one receiver.
 *
 * ```ts
 * const transmitter = await DataTransmitter.bind({ name: 'Camera.front', endpoint: 'tcp://127.0.0.1:50101' })
 * await transmitter.sendBor({ operator: 'me' }, { exposure: 0.5 })
 * transmitter.startSending()
 * for (const image of images) {
 *   const record = transmitter.newDataRecord({ n: image.number })
 *   record.addBlock(image.bytes)
 *   await transmitter.sendDataRecord(record)
 * }
 * await transmitter.stopSending()
 * await transmitter.sendEor({}, { condition_code: RunCondition.GOOD, data_records: transmitter.sequenceNumber })
 * await transmitter.close()
 * ```
 *
 * A record takes its number when it is made: one that is never sent is missed by the receiver. Timeouts are seconds;
 * negative ones wait for ever.
 */
export class DataTransmitter {
  readonly name: string
  readonly stats = new Stats()
  /** Records that were made and could not be sent. */
  readonly ledger: Ledger
  readonly status: StatusStream
  borTimeout = -1
  dataTimeout = -1
  eorTimeout = -1
  /** KiB of payload at which a message is sent; 0 sends each record by itself. Read by `startSending`. */
  payloadThreshold = 128
  /** Records that may wait. Read by `startSending`. */
  queueSize = 32_768
  /** Whether nothing is sent at all: records are thrown away, BOR and EOR left out. */
  transmissionDisabled = false
  readonly #socket: PushSocket
  readonly #options: DataTransmitterOptions
  readonly #clock: Clock
  readonly #portable: boolean
  readonly #queueBytes: number
  readonly #flushInterval: number
  #writer: MessageWriter
  #threshold = 0
  #queueLimit = 32_768
  readonly #queue: DataMessage[] = []
  #queuedRecords = 0
  #queuedBytes = 0
  #sequence = 0
  #recordsTransmitted = 0
  #bytesTransmitted = 0
  #state: TransmitterState = TransmitterState.NOT_CONNECTED
  #isSending = false
  /** Cleared in the same turn in which the queue was seen empty, so that no message is left behind. */
  #isPumping = false
  #pump: Promise<void> | undefined
  #room: { promise: Promise<void>; resolve: () => void; since: number } | undefined
  #timer: Timer | undefined
  #exception: SendTimeoutError | Error | undefined
  #own: Zmq.Push | undefined

  constructor(options: DataTransmitterOptions) {
    this.name = options.name
    this.#socket = options.socket
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#portable = options.portable ?? true
    this.#queueBytes = options.queueBytes ?? 16 << 20
    this.#flushInterval = options.flushInterval ?? 100
    this.ledger = new Ledger(options.name, this.#clock)
    this.status = new StatusStream(options.name, this.#clock)
    this.#writer = new MessageWriter(this.name, 0)
  }

  /** Makes a transmitter with a socket of its own, whose high-water mark follows `queueBytes`. */
  static async bind(options: BindOptions): Promise<DataTransmitter> {
    const { Push } = await zeromq()
    const threshold = options.payloadThreshold ?? 128
    // ZeroMQ counts messages, and records may be longer than the threshold: a few are enough to keep it busy. A mark
    // that is lowered later stalls the socket for good, as the other end of its pipe goes on reckoning with the old one.
    const mark = Math.min(MAX_MARK, highWaterMark(options.queueBytes ?? 16 << 20, threshold * 1024))
    const socket = new Push({ sendHighWaterMark: mark, linger: 10_000 })
    await socket.bind(options.endpoint)
    const transmitter = new DataTransmitter({ ...options, socket })
    transmitter.payloadThreshold = threshold
    watchPeers(socket, transmitter.name, transmitter.status, options.logger)
    transmitter.#own = socket
    return transmitter
  }

  /** The port of a transmitter made by {@link bind}. */
  get port(): number {
    return this.#own === undefined ? 0 : portOf(this.#own)
  }

  get state(): TransmitterState {
    return this.#state
  }

  /** The last number handed out. */
  get sequenceNumber(): bigint {
    return BigInt(this.#sequence)
  }

  /** Records that ZeroMQ has taken in this run. */
  get recordsTransmitted(): bigint {
    return BigInt(this.#recordsTransmitted)
  }

  /** Bytes of their blocks. */
  get bytesTransmitted(): bigint {
    return BigInt(this.#bytesTransmitted)
  }

  /** Sends the begin of a run; waits for a receiver as long as `borTimeout` says, or not at all with `DONTWAIT`. */
  async sendBor(userTags: Values, configuration: Values, flags = 0): Promise<void> {
    if (this.transmissionDisabled) return
    await this.#sendRunMessage(MessageType.BOR, userTags, configuration, this.borTimeout, flags)
    this.#state = TransmitterState.BOR_RECEIVED
  }

  /** Sends the end of a run, behind everything that was sent before. */
  async sendEor(userTags: Values, runMetadata: Values, flags = 0): Promise<void> {
    if (this.transmissionDisabled) return
    await this.#sendRunMessage(MessageType.EOR, userTags, runMetadata, this.eorTimeout, flags)
    this.#state = TransmitterState.EOR_RECEIVED
  }

  /** Begins a run's records: numbers and counters start anew. */
  startSending(): void {
    if (this.#isSending) throw cdtpError('ERR_CDTP_STATE_WRONG', 'startSending was called before')
    this.#threshold = this.payloadThreshold * 1024
    this.#writer = new MessageWriter(this.name, this.#threshold)
    this.#queueLimit = this.queueSize
    this.#queue.length = 0
    this.#exception = undefined
    this.#sequence = this.#recordsTransmitted = this.#bytesTransmitted = this.#queuedRecords = this.#queuedBytes = 0
    this.#socket.sendTimeout = timeoutMs(this.dataTimeout)
    this.#isSending = true
  }

  /** Sends what waits; resolves when ZeroMQ has all of it. */
  async stopSending(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#flush()
    while (this.#isPumping) await this.#pump
    this.#isSending = false
  }

  /** Makes a record, which takes the next number. */
  newDataRecord(tags?: Values | EncodedTags, options?: NewRecordOptions): NewDataRecord {
    let encoded: Uint8Array | undefined
    if (tags !== undefined) encoded = tags instanceof EncodedTags ? tags.bytes : this.#encodeTags(tags)
    const sequence = ++this.#sequence
    if (options?.reserve === undefined) return new NewDataRecord(sequence, encoded)
    return new NewDataRecord(sequence, encoded, this.#writer.reserve(sequence, encoded, options.reserve))
  }

  /** Whether there is room for a record. */
  canSendRecord(): boolean {
    return this.#queuedRecords < this.#queueLimit && this.#queuedBytes < this.#queueBytes
  }

  /**
   * Takes a record; its bytes are copied, and may be changed afterwards. What it gives resolves when there is room for
   * another: `await` it. A record sent all the same is refused with `ERR_CDTP_QUEUE_FULL`.
   */
  sendDataRecord(record: NewDataRecord): Promise<void> | undefined {
    if (!this.#isSending) throw cdtpError('ERR_CDTP_STATE_WRONG', 'a record was sent before startSending')
    if (this.transmissionDisabled) return undefined
    if (this.#exception !== undefined) throw this.#exception
    if (!this.canSendRecord()) {
      throw cdtpError('ERR_CDTP_QUEUE_FULL', `${this.#queuedRecords} records, ${this.#queuedBytes} bytes wait`)
    }
    const writer = this.#writer
    const message = record.message
    if (message !== undefined && record.blocks.length === 1 && message.payload.length >= this.#threshold / 2) {
      this.#flush()
      this.#enqueue(writer.finishReserved(record, message))
    } else {
      if (!writer.fits(record)) this.#flush()
      writer.append(record)
      if (writer.payloadBytes >= this.#threshold) this.#flush(true)
      else this.#timer ??= this.#clock.after(this.#flushInterval, this.#onTimer)
    }
    this.#queuedRecords++
    return this.canSendRecord() ? undefined : this.#whenRoom()
  }

  /** Throws what went wrong with a DATA message. */
  checkException(): void {
    if (this.#exception !== undefined) throw this.#exception
  }

  /** Closes the socket of a transmitter made by {@link bind}; ZeroMQ goes on with what it has for up to 10 s. */
  async close(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    this.status.end()
    this.#own?.close()
    this.#own = undefined
  }

  #encodeTags(tags: Values): Uint8Array | undefined {
    for (const _ in tags) return encodeValue(tags, this.#portable)
    return undefined
  }

  readonly #onTimer = (): void => {
    this.#timer = undefined
    this.#flush()
  }

  /** Sends the open message. */
  #flush(isWhole = false): void {
    const message = this.#writer.finish(isWhole)
    if (message !== undefined) this.#enqueue(message)
  }

  #enqueue(message: DataMessage): void {
    this.#queue.push(message)
    this.#queuedBytes += message.bytes.length
    if (!this.#isPumping) this.#pump = this.#send()
  }

  /** Gives ZeroMQ one message after the other. */
  async #send(): Promise<void> {
    this.#isPumping = true
    for (let message = this.#queue[0]; message !== undefined; message = this.#queue[0]) {
      try {
        await this.#socket.send(message.bytes)
      } catch (error) {
        this.#isPumping = false
        this.#failed(isTimeout(error) ? new SendTimeoutError('DATA message', this.dataTimeout) : (error as Error))
        return
      }
      this.#queue.shift()
      this.#queuedBytes -= message.bytes.length
      this.#queuedRecords -= message.records
      this.#recordsTransmitted += message.records
      this.#bytesTransmitted += message.payloadBytes
      this.stats.messagesOut++
      this.stats.bytesOut += message.bytes.length
      this.stats.queuedBytes = this.#queuedBytes
      if (this.#room !== undefined && this.canSendRecord()) this.#makeRoom()
    }
    this.#isPumping = false
  }

  /** What waits is lost; the ledger says which records. */
  #failed(error: Error): void {
    this.#exception = error
    const open = this.#writer.finish()
    if (open !== undefined) this.#queue.push(open)
    for (const message of this.#queue.splice(0)) {
      const { firstSequence, lastSequence, records: count, payloadBytes: bytes } = message
      const range = { firstSeq: BigInt(firstSequence), lastSeq: BigInt(lastSequence), count, bytes }
      this.ledger.add({ cause: 'queue', run: this.#writer, ...range })
      this.stats.dropped += message.records
    }
    this.#queuedBytes = this.#queuedRecords = 0
    this.#makeRoom()
    this.#options.logger?.log('CRITICAL', error.message)
    this.status.emit('failed', { message: error.message })
    this.#options.failureCb?.(error.message)
  }

  #whenRoom(): Promise<void> {
    if (this.#room === undefined) {
      let resolve = (): void => {}
      const promise = new Promise<void>((done) => {
        resolve = done
      })
      this.#room = { promise, resolve, since: this.#clock.elapsed() }
      // Records that wait in the open message would wait for its timer.
      this.#flush()
    }
    return this.#room.promise
  }

  #makeRoom(): void {
    if (this.#room === undefined) return
    // Messages that are gone are memory until the collector comes, which costs a fast receiver's transmitter its speed.
    if (this.#clock.elapsed() - this.#room.since >= SLOW_MS) collectEarlier(EARLIER_BYTES)
    this.#room.resolve()
    this.#room = undefined
  }

  async #sendRunMessage(
    kind: MessageType,
    userTags: Values,
    run: Values,
    timeout: number,
    flags: number,
  ): Promise<void> {
    const what = kind === MessageType.BOR ? 'BOR' : 'EOR'
    const encode = (map: Values): Uint8Array => encodeValue(map, this.#portable)
    const message = encodeRunMessage(this.name, kind, encode(userTags), encode(run))
    while (this.#isPumping) await this.#pump
    this.#socket.sendTimeout = flags & DONTWAIT ? 0 : timeoutMs(timeout)
    try {
      await this.#socket.send(message)
    } catch (error) {
      this.#state = TransmitterState.NOT_CONNECTED
      throw isTimeout(error) ? new SendTimeoutError(what, flags & DONTWAIT ? 0 : timeout) : error
    } finally {
      this.#socket.sendTimeout = timeoutMs(this.dataTimeout)
    }
    this.stats.messagesOut++
    this.stats.bytesOut += message.length
  }
}
