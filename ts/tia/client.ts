import { type BlockRing, COLUMN, type MeasurementBatch } from '../batch/index.js'
import {
  COUNT,
  checkNumbers,
  type MeasurandError,
  ringFor,
  type SourceDescription,
  type SourceOptions,
  SourceSession,
  sessionError,
  type Transport,
  WAIT,
} from '../session/index.js'
import { call, type Message } from './codec.js'
import { ControlConnection, type ControlLimits, expectOk, messageReader, portOf } from './control-connection.js'
import { addSignal, DataConnection, type DataOptions } from './data-connection.js'
import { tiaError } from './error-codes.js'
import { type MetaInfo, readMetaInfo, type SignalChoice, writeChoice } from './meta-info.js'
import type { TiAPacket } from './packet.js'
import type { PacketBatch } from './packet-batch.js'

/** What a client can be given. */
export interface TiAClientOptions extends SourceOptions, ControlLimits, DataOptions {
  /** How long a reply may take, ms; 10,000 unless told. */
  readonly requestTimeout?: number
  /** Stands for the subject in recordings; `false` leaves the subject out. */
  readonly subject?: string | false
}

/** What is streamed. */
export interface StreamOptions {
  /** `tcp` unless told. */
  readonly transport?: 'tcp' | 'udp'
  /** Chooses channels and downsamples at the server (libtia; TCP only). */
  readonly choose?: readonly SignalChoice[]
}

interface Stream {
  readonly transport: 'tcp' | 'udp'
  readonly choose: readonly SignalChoice[] | undefined
  /** Where the data connection is, if not at the server's own address. */
  readonly address: string
  /** The port that was asked for by the caller; anew on each connection otherwise. */
  port: number | undefined
}

type Form = 'measurements' | 'packets'

const ROWS = 4096
/** ms without data after which a data connection whose control connection has ended is over too. */
const LINGER = 1000
/** Clocks of earlier starts of the server that the session table names. */
const CLOCKS = 100

/**
 * Receives from a TiA server.
 *
 * ```ts
 * const client = new TiAClient('127.0.0.1', 9000)
 * await client.connect()
 * await client.startStreaming()
 * for await (const batch of client) {
 *   for (const { time, signal, value } of batch) console.log(time, client.signals.at(signal)?.name, value)
 * }
 * ```
 *
 * Instead of measurements it gives packets, by `packets()` or `getData()`: samples as 32-bit floats and headers as
 * they are on the wire. A client gives one of the two.
 */
export class TiAClient extends SourceSession<MeasurementBatch> {
  readonly system = 'tia'
  readonly #host: string
  readonly #port: number
  readonly #options: TiAClientOptions
  readonly #quirks = new Set<string>()
  #control: ControlConnection | undefined
  /** It has ended by itself, while nobody read what the server had sent before. */
  #endedControl: ControlConnection | undefined
  #metaInfo: MetaInfo | undefined
  #stream: Stream | undefined
  #transport: Transport | undefined
  #data: DataConnection | undefined
  #form: Form | undefined
  #ring: BlockRing | undefined
  #state: Transport | undefined
  #hasShutDown = false
  /** The stream's end was asked for: pytia closes the data connection with its answer, in whichever order they come. */
  #isStopping = false
  readonly #clocks: Readonly<Record<string, unknown>>[] = []
  #onData: (() => void)[] = []

  constructor(host: string, port = 9000, options: TiAClientOptions = {}) {
    super(`tia-${host}-${port}`, options)
    checkNumbers(options, { requestTimeout: WAIT, lineLimit: COUNT, contentLimit: COUNT, packetLimit: COUNT })
    this.#host = host
    this.#port = port
    this.#options = options
  }

  /** Connects to the server's control port. */
  async connect(): Promise<true> {
    await this.start()
    return true
  }

  /** Asks whether the server speaks TiA 1.0; what else it says is an error. */
  async cmdCheckProtocolVersion(): Promise<true> {
    const reply = await this.#request('CheckProtocolVersion')
    if (reply.command !== 'OK') throw tiaError('ERR_TIA_PROTOCOL_VERSION', `the server answers ${reply.command}`)
    return true
  }

  /** Asks what the server offers. */
  async cmdGetMetaInfo(): Promise<MetaInfo> {
    const reply = await this.#request('GetMetaInfo')
    if (reply.command !== 'MetaInfo' || reply.content === undefined) {
      throw tiaError('ERR_TIA_REPLY_UNEXPECTED', `MetaInfo expected, not ${reply.command}`)
    }
    this.#metaInfo = readMetaInfo(reply.content.toString('utf8'))
    return this.#metaInfo
  }

  /** Asks for a TCP data connection; gives its port. */
  async cmdGetDataConnectionTcp(): Promise<[true, number]> {
    return [true, portOf(await this.#request('GetDataConnection', 'TCP'), 'DataConnectionPort')]
  }

  /** Asks for the UDP data connection; gives the port that its datagrams are sent to. */
  async cmdGetDataConnectionUdp(): Promise<[true, number]> {
    return [true, portOf(await this.#request('GetDataConnection', 'UDP'), 'DataConnectionPort')]
  }

  /** Asks for some of the channels, or fewer samples, before the data connection; once per connection. */
  async cmdSetCustomSignalInfo(choices: readonly SignalChoice[]): Promise<true> {
    const offered = this.#metaInfo ?? (await this.cmdGetMetaInfo())
    const content = Buffer.from(writeChoice(choices, offered))
    expectOk(await this.#request('SetCustomSignalInfo', undefined, content), 'SetCustomSignalInfo')
    await this.cmdGetMetaInfo()
    return true
  }

  /** Connects to the data port that the server gave, and starts the stream. */
  async startStreamingDataTcp(address: string, port: number): Promise<true> {
    await this.#begin({ transport: 'tcp', choose: undefined, address, port })
    return true
  }

  /** Receives on the port that the server gave, and starts the stream. */
  async startStreamingDataUdp(port: number): Promise<true> {
    await this.#begin({ transport: 'udp', choose: undefined, address: this.#host, port })
    return true
  }

  /** All requests from the protocol's version to the start of the stream. */
  async startStreaming({ transport = 'tcp', choose }: StreamOptions = {}): Promise<true> {
    await this.#begin({ transport, choose, address: this.#host, port: undefined })
    return true
  }

  /** The packets that have come since the last call; waits for one. Empty when the stream has ended. */
  async getData(): Promise<TiAPacket[]> {
    const batch = await this.#nextPackets()
    return batch === undefined ? [] : [...batch.copy()]
  }

  /** The packets as batches. */
  async *packets(): AsyncGenerator<PacketBatch, void, undefined> {
    for (let batch = await this.#nextPackets(); batch !== undefined; batch = await this.#nextPackets()) yield batch
  }

  /** Stops the stream; another can be started. */
  async stopStreamingData(): Promise<true> {
    if (this.#stream === undefined) throw tiaError('ERR_TIA_CONNECTION_MISSING', 'nothing is streamed')
    this.#isStopping = true
    try {
      expectOk(await this.#request('StopDataTransmission'), 'StopDataTransmission')
    } finally {
      this.#isStopping = false
    }
    this.#stream = undefined
    this.#closeData()
    return true
  }

  /** Watches the server's state: status `server-running` and `server-shutdown`. What it announces ends the session. */
  async watchServerState(): Promise<true> {
    const port = portOf(await this.#request('GetServerStateConnection'), 'ServerStateConnectionPort')
    const transport = await this.network.dial({ host: this.#host, port }, this.signal)
    const reader = messageReader(true, this.#options)
    this.#state?.close()
    this.#state = transport
    transport.start({
      onChunk: (bytes) => {
        try {
          call(() => reader.push(bytes))
          for (let message = call(() => reader.next()); message; message = call(() => reader.next())) {
            this.#serverState(message.command)
          }
        } catch (error) {
          this.malformed((error as MeasurandError).code, 0, bytes.length)
          transport.close()
        }
      },
      onClose: () => {},
    })
    return true
  }

  /** Ends the session. */
  async disconnect(): Promise<true> {
    await this.close()
    return true
  }

  /** What the server offers, as far as it was asked. */
  get metaInfo(): MetaInfo | undefined {
    return this.#metaInfo
  }

  override consume(use: (batch: MeasurementBatch) => void | Promise<void>): Promise<void> {
    this.#choose('measurements')
    return super.consume(use)
  }

  override [Symbol.asyncIterator](): AsyncIterator<MeasurementBatch, undefined> {
    this.#choose('measurements')
    return super[Symbol.asyncIterator]()
  }

  describe(): SourceDescription {
    const { subject: code } = this.#options
    const subject = code === undefined ? this.#metaInfo?.subject : code === false ? undefined : { id: code }
    if (this.#control !== undefined && this.#control.skipped > 0) this.#quirks.add('content-length-short')
    return {
      peer: `${this.#host}:${this.#port}`,
      quirks: [...this.#quirks],
      clock: { ...this.#data?.clock, ...(this.#clocks.length === 0 ? {} : { earlier: this.#clocks }) },
      meta: {
        transport: this.#stream?.transport ?? 'tcp',
        ...(subject === undefined ? {} : { subject }),
        ...(this.#metaInfo?.master === undefined ? {} : { master: this.#metaInfo.master }),
        signals: (this.#metaInfo?.signals ?? []).map(({ labels, ...signal }) => signal),
      },
    }
  }

  protected async open(): Promise<void> {
    const { requestTimeout = 10_000, lineLimit, contentLimit } = this.#options
    const transport = await this.network.dial({ host: this.#host, port: this.#port }, this.signal)
    const control = new ControlConnection(transport, {
      clock: this.clock,
      requestTimeout,
      signal: this.signal,
      ...(lineLimit === undefined ? {} : { lineLimit }),
      ...(contentLimit === undefined ? {} : { contentLimit }),
    })
    this.#control = control
    void control.closed.then((error) => {
      if (this.#control === control) this.#controlLost(control, error)
    })
    if (this.#stream !== undefined) {
      this.#stream.port = undefined
      this.#metaInfo = undefined
      await this.#open(this.#stream)
    }
  }

  protected hangUp(): void {
    const control = this.#control
    this.#control = undefined
    this.#endedControl = undefined
    control?.close()
    this.#closeData()
  }

  protected override shut(error: Error | undefined): void {
    super.shut(error)
    this.#state?.close()
    this.stats.received -= this.#data?.packets?.discard() ?? 0
    for (const wake of this.#onData.splice(0)) wake()
  }

  protected override async deliverRest(): Promise<void> {
    this.hangUp()
    await super.deliverRest()
  }

  async #request(command: string, parameter?: string, content?: Uint8Array): Promise<Message> {
    const control = this.#control
    if (control === undefined) throw sessionError('ERR_SESSION_NOT_CONNECTED', `${this.name} is not connected`)
    return control.request(command, parameter, content)
  }

  async #begin(stream: Stream): Promise<void> {
    this.#closeData()
    await this.#open(stream)
    this.#stream = stream
  }

  /** From a control connection to a running stream. */
  async #open(stream: Stream): Promise<void> {
    const { transport: kind, choose, address } = stream
    if (stream.port === undefined) {
      await this.cmdCheckProtocolVersion()
      await this.cmdGetMetaInfo()
      if (choose !== undefined) await this.cmdSetCustomSignalInfo(choose)
      const asked = kind === 'tcp' ? this.cmdGetDataConnectionTcp() : this.cmdGetDataConnectionUdp()
      stream.port = (await asked)[1]
    } else if (this.#metaInfo === undefined) await this.cmdGetMetaInfo()
    for (const signal of this.#metaInfo?.signals ?? []) if (signal.bit >= 0) addSignal(this.signals, this.name, signal)
    const { port } = stream
    const transport =
      kind === 'tcp'
        ? await this.network.dial({ host: address, port }, this.signal)
        : await this.network.datagrams({ port })
    this.#transport = transport
    try {
      expectOk(await this.#request('StartDataTransmission'), 'StartDataTransmission')
    } catch (error) {
      this.#closeData()
      throw error
    }
    this.#attach(stream)
  }

  /** Reads the data connection as soon as it is known what the consumer wants. */
  #attach(stream: Stream): void {
    const transport = this.#transport
    if (transport === undefined || this.#form === undefined || this.#data?.transport === transport) return
    this.#ring ??= ringFor(this.delivery.queueBytes, ROWS, COLUMN.seq | COLUMN.idx | COLUMN.rawTime)
    const data = new DataConnection(
      transport,
      this.#form,
      this.#metaInfo as MetaInfo,
      { name: this.name, isDatagram: stream.transport === 'udp', idsMaySkip: stream.choose !== undefined },
      this.#options,
      {
        clock: this.clock,
        stats: this.stats,
        signals: this.signals,
        delivery: this.delivery,
        ring: () => this.#ring as BlockRing,
        policy: () => this.policy,
        lose: (gap) => this.lose(gap),
        recover: (id, rows) => this.recover(id, rows),
        malformed: (code, offset, length) => this.malformed(code, offset, length),
        quirk: (name) => {
          if (this.#quirks.has(name)) return
          this.#quirks.add(name)
          this.status.emit('quirk', { name })
        },
        clockEnded: (clock) => this.#clockEnded(clock),
        lost: (error) => this.#lost(error),
        overflow: () => this.fail(sessionError('ERR_SESSION_QUEUE_FULL', `the consumer of ${this.name} is too slow`)),
      },
    )
    if (this.#data !== undefined) this.#clockEnded(this.#data.clock)
    this.#data = data
    data.start((error) => {
      if (this.#transport !== transport || this.#isStopping) return
      data.tellCut()
      this.#lost(error)
    })
    for (const wake of this.#onData.splice(0)) wake()
    this.#goOnEnding()
  }

  #choose(form: Form): void {
    if (this.#form !== undefined && this.#form !== form) {
      throw tiaError('ERR_TIA_CONSUMER_FORM', `${this.name} gives ${this.#form} already`)
    }
    this.#form = form
    if (this.#stream !== undefined) this.#attach(this.#stream)
  }

  async #nextPackets(): Promise<PacketBatch | undefined> {
    this.#choose('packets')
    for (;;) {
      const data = this.#data
      const batch = await data?.packets?.next()
      if (batch !== undefined) return batch
      if (this.state === 'closed') {
        const error = await this.closed
        if (error !== undefined) throw error
        return undefined
      }
      if (this.state === 'draining' || (this.#stream === undefined && this.#data === data)) return undefined
      // The connection broke: the next one has the next packets.
      if (this.#data === data) await new Promise<void>((resolve) => this.#onData.push(resolve))
    }
  }

  /** A server that ends closes both connections: what it has sent is read before the session ends with it. */
  #controlLost(control: ControlConnection, error: Error | undefined): void {
    if (error === undefined && this.#form === undefined && this.#transport !== undefined) {
      this.#endedControl = control
      return
    }
    const data = this.#data
    if (data === undefined || data.transport !== this.#transport || error !== undefined) {
      this.#lost(error)
      return
    }
    const bytes = this.stats.bytesIn
    this.clock.after(LINGER, () => {
      // The end of the data connection came meanwhile.
      if (this.#control !== control) return
      if (data.isHolding || this.stats.bytesIn > bytes) this.#controlLost(control, error)
      else this.#lost(error)
    })
  }

  #goOnEnding(): void {
    const control = this.#endedControl
    this.#endedControl = undefined
    if (control !== undefined) this.#controlLost(control, undefined)
  }

  #lost(error?: Error): void {
    if (this.#hasShutDown) this.finished()
    else this.connectionLost(error)
  }

  #clockEnded(clock: Readonly<Record<string, unknown>>): void {
    if ('anchor' in clock && this.#clocks.length < CLOCKS) this.#clocks.push(clock)
  }

  #closeData(): void {
    const transport = this.#transport
    this.#transport = undefined
    transport?.close()
    this.#goOnEnding()
  }

  #serverState(state: string): void {
    if (state === 'ServerStateRunning') this.status.emit('server-running')
    else if (state === 'ServerStateShutdown') {
      this.#hasShutDown = true
      this.status.emit('server-shutdown')
    }
  }
}
