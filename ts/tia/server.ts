import {
  COUNT,
  checkNumbers,
  type Listener,
  Pacer,
  type Policy,
  Session,
  type SessionOptions,
  sessionError,
  type Transport,
  WAIT,
} from '../session/index.js'
import { call, PacketBuilder, type Selection, type SourceSignal } from './codec.js'
import { type Host, TiAConnectionHandler } from './connection-handler.js'
import { tiaError } from './error-codes.js'
import { type MetaInfo, type Subject, writeMetaInfo } from './meta-info.js'
import { OutgoingStreams, type UdpOptions } from './outgoing-streams.js'
import { ServerState } from './server-state.js'
import type { TiASignalConfig } from './signal-config.js'
import { bitOf, type Dialect, nameOfBit } from './signal-type.js'

/** What a server can be given. */
export interface TiAServerOptions extends SessionOptions {
  /** Whose names of signal types it writes; `pytia` unless told. */
  readonly dialect?: Dialect
  /** What happens when a client does not keep up; `drop-oldest` unless told. Under `block`, `push` says so. */
  readonly policy?: Policy
  /**
   * Bytes that may wait for one client; 8 MiB unless told, under `block` 1 MiB: what waits longer is colder when the
   * kernel takes it.
   */
  readonly queueBytes?: number
  /** How long packets may gather before they are sent, ms; 1 unless told. Many clients are cheaper with more. */
  readonly maxDelay?: number
  readonly udp?: UdpOptions
  /** Bytes of a packet at most; 8 MiB unless told. */
  readonly packetLimit?: number
  /** Bytes of a request's content; 1 MiB unless told. */
  readonly contentLimit?: number
}

/** A class that answers control connections. */
export type HandlerClass = typeof TiAConnectionHandler

const FLUSH_BYTES = 256 * 1024
/** Samples of a push that are not gathered with others first. */
const DIRECT_BYTES = 64 * 1024
const NO_SAMPLES = new Float32Array(0)
const NO_SUBJECT: Subject = { id: 'subject0', firstName: 'ABC', surname: 'DEF' }

/**
 * Serves signals to any number of clients.
 *
 * ```ts
 * const server = new TiAServer(['', 9000], TiAConnectionHandler)
 * const callback = (id) => [Math.random(), Math.random(), Math.random()]
 * await server.start([new TiASignalConfig({ channels: 3, sampleRate: 50, blocksize: 1, callback, id: 0 })])
 * ```
 *
 * A signal with a callback is asked for its blocks when they are due; others are pushed. Packets go out once for every
 * block of the master; a signal without a block is absent from the packet. Header times count from the start, in us.
 */
export class TiAServer extends Session {
  readonly system = 'tia'
  readonly #address: readonly [string, number]
  readonly #Handler: HandlerClass
  readonly #options: TiAServerOptions
  readonly #handlers = new Set<TiAConnectionHandler>()
  readonly #streams: OutgoingStreams
  readonly #serverState: ServerState
  /** Header times of the packets that wait. */
  #times = new Float64Array(64)
  #waiting = 0
  readonly #pool: Uint8Array[] = []
  #signals: readonly TiASignalConfig[] = []
  #subject: Subject = NO_SUBJECT
  #builder: PacketBuilder | undefined
  #pacer: Pacer | undefined
  #listener: Listener | undefined
  #isSingle = false
  #startedAt = 0
  #sent = 0
  #lastTime = 0
  #pushedSamples = 0
  #isFlushScheduled = false

  /** @param address host (`''`: every address of the machine) and control port (0: any) */
  constructor(
    address: readonly [host: string, port: number],
    Handler: HandlerClass = TiAConnectionHandler,
    options: TiAServerOptions = {},
  ) {
    super(`tia-server-${address[1]}`, options)
    checkNumbers(options, { queueBytes: COUNT, maxDelay: WAIT, packetLimit: COUNT, contentLimit: COUNT })
    this.#address = address
    this.#Handler = Handler
    this.#options = options
    this.#serverState = new ServerState(this.network, this.#host)
    this.#streams = new OutgoingStreams({
      network: this.network,
      clock: this.clock,
      stats: this.stats,
      host: this.#host,
      policy: this.#policy,
      queueBytes: options.queueBytes ?? (this.#policy === 'block' ? 1 << 20 : 8 << 20),
      udp: options.udp ?? {},
      onOverflow: (code, message) => this.status.emit('peer-overflow', { code, message }),
    })
  }

  /**
   * Begins to serve.
   *
   * @param isSingle ends when its first client has gone
   */
  async start(signals: readonly TiASignalConfig[], isSingle = false, subject: Subject = NO_SUBJECT): Promise<void> {
    if (signals.filter((signal) => signal.isMaster).length !== 1) {
      throw tiaError('ERR_TIA_SIGNAL_MASTER', `one of ${signals.length} signals has to be the master`)
    }
    this.begin('connecting')
    try {
      // The master first, as pytia writes it; on the wire the order is that of the bits.
      this.#signals = [...signals].sort((a, b) => Number(b.isMaster) - Number(a.isMaster))
      this.#subject = subject
      this.#isSingle = isSingle
      const { packetLimit = 8 << 20 } = this.#options
      this.#builder = call(() => new PacketBuilder(this.#signals.map(sourceOf(this.#master)), 0, packetLimit))
      const endpoint = { host: this.#host, port: this.#address[1] }
      this.#listener = await this.network.listen(endpoint, (transport) => this.#accept(transport))
    } catch (error) {
      this.fail(error as Error)
      throw error
    }
    this.#startedAt = this.clock.elapsed()
    this.setState('listening', { port: this.port })
    const { sampleRate, blocksize, callback } = this.#master
    if (callback === undefined) return
    this.#pacer = new Pacer(this.clock, sampleRate / blocksize, (first, count) => this.#poll(first, count), this.#delay)
    this.#pacer.start()
  }

  /** The control port. */
  get port(): number {
    return this.#listener?.port ?? this.#address[1]
  }

  /** Clients with a control connection. */
  get clients(): number {
    return this.#handlers.size
  }

  /** Clients that packets go out to. */
  get receivers(): number {
    return this.#streams.running
  }

  /** Packets made so far. */
  get packets(): number {
    return this.#sent + this.#waiting
  }

  /** What clients are told. */
  get metaInfo(): MetaInfo {
    return this.#describe(
      this.#signals.map((signal) => ({
        bit: bitOf(signal.sigtype),
        channels: signal.labels.map((_, n) => n),
        factor: 1,
      })),
    )
  }

  /**
   * Takes whole blocks of a signal, each channel after channel. Every block of the master is a packet, with what the
   * other signals have.
   *
   * @param signal the signal, or its id
   * @param timestamps header times (us since the start) of the master's packets; by default as of now
   * @returns `false` while a client under the policy `block` has no room: await `ready()`
   */
  push(signal: TiASignalConfig | unknown, samples: ArrayLike<number>, timestamps?: ArrayLike<number>): boolean {
    const builder = this.#builder
    if (builder === undefined || this.state === 'closed') throw sessionError('ERR_SESSION_NOT_CONNECTED', 'not started')
    const index = this.#signals.findIndex((known) => known === signal || known.id === signal)
    const config = this.#signals[index]
    if (config === undefined) throw tiaError('ERR_TIA_SIGNAL_UNKNOWN', 'the server has no such signal')
    const floats = samples instanceof Float32Array ? samples : Float32Array.from(samples)
    const isWhole = floats.length > 0 && floats.length % config.samples === 0
    if (config.isMaster && isWhole && 4 * floats.length >= DIRECT_BYTES) {
      this.#stamp(floats.length / config.samples, timestamps)
      return this.#flush(floats)
    }
    call(() => builder.push(index, floats))
    this.#pushedSamples += floats.length
    if (!config.isMaster) return true
    this.#stamp(floats.length / config.samples, timestamps)
    if (builder.byteLength >= FLUSH_BYTES) return this.#flush()
    if (!this.#isFlushScheduled) {
      this.#isFlushScheduled = true
      setImmediate(() => {
        this.#isFlushScheduled = false
        this.#flush()
      })
    }
    return true
  }

  /** Sends what was pushed now, not with the turn of the event loop; `false` as from `push`. */
  flush(): boolean {
    return this.#flush()
  }

  /** Resolves when every client has room. */
  async ready(): Promise<void> {
    await this.#streams.ready()
  }

  /**
   * The meta info of a client that has chosen.
   *
   * @internal
   */
  describeSelection(selections: readonly Selection[]): string {
    return writeMetaInfo(this.#describe(selections), this.#options.dialect ?? 'pytia')
  }

  protected async deliverRest(): Promise<void> {
    this.#pacer?.stop()
    this.#flush()
    this.#serverState.end()
    await Promise.all([...this.#handlers].map((handler) => handler.end()))
  }

  protected async shut(): Promise<void> {
    this.#pacer?.stop()
    this.#serverState.end()
    for (const handler of this.#handlers) handler.close()
    this.#streams.close()
    await Promise.all([this.#listener?.close(), this.#serverState.close()])
  }

  get #master(): TiASignalConfig {
    return this.#signals[0] as TiASignalConfig
  }

  get #host(): string {
    const [host] = this.#address
    return host === '' ? '0.0.0.0' : host
  }

  get #policy(): Policy {
    return this.#options.policy ?? 'drop-oldest'
  }

  get #delay(): number {
    return this.#options.maxDelay ?? 1
  }

  #accept(transport: Transport): void {
    const handler = new this.#Handler(this, transport, this.#forHandlers)
    this.#handlers.add(handler)
    this.status.emit('peer-joined', { peer: transport.peer })
    handler.start(() => {
      this.#handlers.delete(handler)
      this.status.emit('peer-left', { peer: transport.peer })
      if (this.#isSingle) void this.close()
    })
  }

  readonly #forHandlers: Host = {
    metaInfoXml: () => writeMetaInfo(this.metaInfo, this.#options.dialect ?? 'pytia'),
    offered: () =>
      this.#signals.map(({ sigtype, channels, blocksize }) => ({ bit: bitOf(sigtype), channels, blocksize })),
    limits: () => ({ contentLimit: this.#options.contentLimit ?? 1 << 20 }),
    openTcp: (selection) => this.#streams.openTcp(selection),
    openUdp: (peer) => this.#streams.openUdp(peer, this.#packetBytes),
    release: (stream) => this.#streams.release(stream),
    openState: () => this.#serverState.open(),
  }

  /** Bytes of a packet with a block of every signal. */
  get #packetBytes(): number {
    return this.#signals.reduce((bytes, signal) => bytes + 4 * signal.samples, 33 + 4 * this.#signals.length)
  }

  /** Asks the callbacks for the packets that are due. */
  #poll(first: number, count: number): void {
    const hasAperiodic = this.#signals.some((signal) => signal.callback !== undefined && signal.sampleRate === 0)
    try {
      for (let packet = first; packet < first + count; packet++) {
        for (const signal of this.#signals) this.#ask(signal, packet)
        // A value without a rate of its own belongs to this packet, not to the next.
        if (hasAperiodic) this.#flush()
      }
      this.#flush()
    } catch (error) {
      this.fail(error as Error)
    }
  }

  #ask(signal: TiASignalConfig, packet: number): void {
    const { callback, id } = signal
    if (callback === undefined) return
    const master = this.#master
    const { blocks, packets } = sourceOf(master)(signal)
    const due =
      signal.isMaster || blocks === 0
        ? 1
        : Math.ceil(((packet + 1) * blocks) / packets) - Math.ceil((packet * blocks) / packets)
    for (let block = 0; block < due; block++) {
      const samples = callback(id)
      if (samples === null || samples === undefined || samples.length === 0) continue
      if (samples.length !== signal.samples) {
        const text = `the callback of signal ${String(id)} gave ${samples.length} values instead of ${signal.samples}`
        throw tiaError('ERR_TIA_SAMPLES_LENGTH', text)
      }
      const index = this.#signals.indexOf(signal)
      const floats = samples instanceof Float32Array ? samples : Float32Array.from(samples)
      call(() => (this.#builder as PacketBuilder).push(index, floats))
      this.#pushedSamples += floats.length
      // The block's last sample, cut to us.
      if (!signal.isMaster) continue
      const last = (packet + 1) * signal.blocksize - 1
      this.#makeRoom(1)
      this.#times[this.#waiting++] = Math.floor(Math.floor((last * 1e9) / signal.sampleRate) / 1000)
    }
  }

  /** Header times of packets that are pushed: the last is complete now, those before at their period. */
  #stamp(packets: number, timestamps: ArrayLike<number> | undefined): void {
    const { sampleRate, blocksize } = this.#master
    const now = Math.floor((this.clock.elapsed() - this.#startedAt) * 1000)
    const period = sampleRate > 0 ? (blocksize * 1e6) / sampleRate : 0
    this.#makeRoom(packets)
    for (let packet = 0; packet < packets; packet++) {
      const given = timestamps?.[packet]
      const time = given ?? Math.max(this.#lastTime, Math.floor(now - (packets - 1 - packet) * period))
      this.#lastTime = time
      this.#times[this.#waiting++] = time
    }
  }

  /** Makes room for the times of so many packets more. */
  #makeRoom(packets: number): void {
    const wanted = this.#waiting + packets
    if (wanted <= this.#times.length) return
    const times = new Float64Array(2 * wanted)
    times.set(this.#times)
    this.#times = times
  }

  /** Builds the packets that wait, with those of `direct` behind, and sends them; `false` where a client has no room. */
  #flush(direct: Float32Array = NO_SAMPLES): boolean {
    const builder = this.#builder
    const packets = this.#waiting
    if (builder === undefined || packets === 0) return true
    const buffer = this.#buffer(call(() => builder.byteLengthWith(direct.length)))
    const length = call(() => builder.build(direct, this.#times.subarray(0, packets), buffer))
    const samples = this.#pushedSamples + direct.length
    const build = {
      bytes: buffer.subarray(0, length),
      first: this.#sent,
      packets,
      samples,
      renumbered: new Map<number, Uint8Array>(),
    }
    this.#waiting = 0
    this.#pushedSamples = 0
    this.#sent += packets
    const mayGoOn = this.#streams.send(build, () => {
      if (this.#pool.length < 16) this.#pool.push(buffer)
    })
    return mayGoOn || this.#policy !== 'block'
  }

  #buffer(size: number): Uint8Array {
    for (let index = this.#pool.length - 1; index >= 0; index--) {
      const [buffer] = this.#pool.splice(index, 1) as [Uint8Array]
      if (buffer.length >= size && buffer.length <= 4 * size + FLUSH_BYTES) return buffer
    }
    return Buffer.allocUnsafeSlow(Math.max(size, 4096))
  }

  #describe(selections: readonly Selection[]): MetaInfo {
    const { sampleRate, blocksize } = this.#master
    const signals = this.#signals.flatMap((signal) => {
      const bit = bitOf(signal.sigtype)
      const chosen = selections.find((selection) => selection.bit === bit)
      if (chosen === undefined) return []
      return {
        type: nameOfBit(bit),
        bit,
        sampleRate: signal.sampleRate / chosen.factor,
        blocksize: Math.ceil(signal.blocksize / chosen.factor),
        channels: chosen.channels.length,
        labels: chosen.channels.map((channel) => signal.labels[channel] as string),
      }
    })
    return { subject: this.#subject, master: { sampleRate, blocksize }, signals }
  }
}

/** A signal as the builder takes it: a slave with a callback has its own rate, others give what there is. */
function sourceOf(master: TiASignalConfig): (signal: TiASignalConfig) => SourceSignal {
  return ({ sigtype, channels, blocksize, isMaster, sampleRate, callback }) => {
    const shape = { bit: bitOf(sigtype), channels, blocksize, isMaster }
    if (isMaster || callback === undefined || sampleRate === 0) return { ...shape, blocks: 0, packets: 1 }
    // Rates to a thousandth of a Hz.
    const blocks = Math.round(sampleRate * 1000) * master.blocksize
    const packets = Math.round(master.sampleRate * 1000) * blocksize
    const divisor = gcd(blocks, packets)
    return { ...shape, blocks: blocks / divisor, packets: packets / divisor }
  }
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b)
}
