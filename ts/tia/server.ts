import {
  type Listener,
  Pacer,
  type Policy,
  Session,
  type SessionOptions,
  sessionError,
  type Transport,
} from '../session/index.js'
import {
  type ChannelSelection,
  call,
  encodeMessage,
  PacketBuilder,
  type Selection,
  type SourceSignal,
} from './codec.js'
import { type Host, TiAConnectionHandler } from './connection-handler.js'
import { tiaError } from './error-codes.js'
import { type MetaInfo, type Subject, writeMetaInfo } from './meta-info.js'
import { type Build, OutgoingStream } from './outgoing-stream.js'
import type { TiASignalConfig } from './signal-config.js'
import { bitOf, type Dialect, nameOfBit } from './signal-type.js'

/** How a server sends datagrams. */
export interface UdpOptions {
  /** The port that they are sent to; 9998 unless told. */
  readonly port?: number
  /** A broadcast address, as libtia has; by default they go to each client's own address. */
  readonly broadcast?: string
}

/** What a server can be given. */
export interface TiAServerOptions extends SessionOptions {
  /** Whose names of signal types it writes; `pytia` unless told. */
  readonly dialect?: Dialect
  /** What happens when a client does not keep up; `drop-oldest` unless told. Under `block`, `push` says so. */
  readonly policy?: Policy
  /** Bytes that may wait for one client; 8 MiB unless told. */
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

const DATAGRAM = 65_507
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
  readonly #streams = new Set<OutgoingStream>()
  readonly #udp = new Map<string, { stream: OutgoingStream; port: number; users: number }>()
  readonly #watchers = new Set<Transport>()
  /** Header times of the packets that wait. */
  #times = new Float64Array(64)
  #waiting = 0
  readonly #pool: Uint8Array[] = []
  #signals: readonly TiASignalConfig[] = []
  #subject: Subject = NO_SUBJECT
  #builder: PacketBuilder | undefined
  #pacer: Pacer | undefined
  #listener: Listener | undefined
  #stateListener: Listener | undefined
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
    this.#address = address
    this.#Handler = Handler
    this.#options = options
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
      const [host, port] = this.#address
      const endpoint = { host: host === '' ? '0.0.0.0' : host, port }
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
    let receivers = 0
    for (const stream of this.#streams) if (stream.isRunning) receivers++
    return receivers
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
    for (const stream of this.#streams) await stream.ready()
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
    this.#tellShutdown()
    await Promise.all([...this.#handlers].map((handler) => handler.end()))
  }

  protected async shut(): Promise<void> {
    this.#pacer?.stop()
    this.#tellShutdown()
    for (const handler of this.#handlers) handler.close()
    for (const stream of this.#streams) stream.close()
    await Promise.all([this.#listener?.close(), this.#stateListener?.close()])
  }

  get #master(): TiASignalConfig {
    return this.#signals[0] as TiASignalConfig
  }

  get #delay(): number {
    return this.#options.maxDelay ?? 1
  }

  #accept(transport: Transport): void {
    const handler = new this.#Handler(this, transport, this.#host)
    this.#handlers.add(handler)
    this.status.emit('peer-joined', { peer: transport.peer })
    handler.start(() => {
      this.#handlers.delete(handler)
      this.status.emit('peer-left', { peer: transport.peer })
      if (this.#isSingle) void this.close()
    })
  }

  readonly #host: Host = {
    metaInfoXml: () => writeMetaInfo(this.metaInfo, this.#options.dialect ?? 'pytia'),
    offered: () =>
      this.#signals.map(({ sigtype, channels, blocksize }) => ({ bit: bitOf(sigtype), channels, blocksize })),
    limits: () => ({ contentLimit: this.#options.contentLimit ?? 1 << 20 }),
    openTcp: (selection) => this.#openTcp(selection),
    openUdp: (host) => this.#openUdp(host),
    release: (stream) => this.#release(stream),
    openState: () => this.#openState(),
  }

  async #openTcp(selection: ChannelSelection | undefined): Promise<{ stream: OutgoingStream; listener: Listener }> {
    const stream = this.#newStream(selection)
    const host = this.#address[0] === '' ? '0.0.0.0' : this.#address[0]
    const listener: Listener = await this.network.listen({ host, port: 0 }, (transport) => {
      if (stream.isConnected) {
        transport.close()
        return
      }
      void listener.close()
      stream.connect(transport, () => this.#streams.delete(stream))
    })
    return { stream, listener }
  }

  async #openUdp(peer: string): Promise<{ stream: OutgoingStream; port: number } | string> {
    const { port = 9998, broadcast } = this.#options.udp ?? {}
    const all = this.#signals.reduce((bytes, signal) => bytes + 4 * signal.samples, 33 + 4 * this.#signals.length)
    if (all > DATAGRAM) return 'A packet is longer than a datagram!'
    const subnet = (host: string): string => host.replace('::ffff:', '').split('.').slice(0, 3).join('.')
    if (broadcast !== undefined && subnet(broadcast) !== subnet(peer)) return 'Target and remote subnet do not match!'
    const host = broadcast ?? peer.replace('::ffff:', '')
    const known = this.#udp.get(host)
    if (known !== undefined) {
      known.users++
      return known
    }
    const transport = await this.network.datagrams({ remote: { host, port, broadcast: broadcast !== undefined } })
    const stream = this.#newStream(undefined, true)
    stream.connect(transport, () => this.#streams.delete(stream))
    const opened = { stream, port, users: 1 }
    this.#udp.set(host, opened)
    return opened
  }

  #newStream(selection: ChannelSelection | undefined, isDatagram = false): OutgoingStream {
    const stream = new OutgoingStream({
      clock: this.clock,
      stats: this.stats,
      policy: this.#options.policy ?? 'drop-oldest',
      queueBytes: this.#options.queueBytes ?? 8 << 20,
      selection,
      isDatagram,
      onDrop: (samples) => {
        this.stats.dropped += samples
      },
      onOverflow: (error) => {
        stream.close()
        this.status.emit('peer-overflow', { code: error.code, message: error.message })
      },
    })
    this.#streams.add(stream)
    return stream
  }

  #release(stream: OutgoingStream): void {
    for (const [host, shared] of this.#udp) {
      if (shared.stream !== stream) continue
      shared.users--
      if (shared.users > 0) return
      this.#udp.delete(host)
    }
    stream.close()
    this.#streams.delete(stream)
  }

  async #openState(): Promise<number> {
    const host = this.#address[0] === '' ? '0.0.0.0' : this.#address[0]
    this.#stateListener ??= await this.network.listen({ host, port: 0 }, (transport) => {
      this.#watchers.add(transport)
      transport.start({ onChunk: () => {}, onClose: () => this.#watchers.delete(transport) })
      transport.write(encodeMessage('ServerStateRunning'))
    })
    return this.#stateListener.port
  }

  /** Tells the watchers, once, that it is over. */
  #tellShutdown(): void {
    for (const watcher of this.#watchers) watcher.write(encodeMessage('ServerStateShutdown'))
    for (const watcher of this.#watchers) watcher.end()
    this.#watchers.clear()
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
    const build: Build = {
      bytes: buffer.subarray(0, length),
      first: this.#sent,
      packets,
      samples,
      renumbered: new Map(),
    }
    this.#waiting = 0
    this.#pushedSamples = 0
    this.#sent += packets
    let users = 1
    const done = (): void => {
      users--
      if (users === 0 && this.#pool.length < 16) this.#pool.push(buffer)
    }
    let mayGoOn = true
    for (const stream of this.#streams) {
      users++
      if (!stream.send(build, done)) mayGoOn = false
    }
    done()
    return mayGoOn || (this.#options.policy ?? 'drop-oldest') !== 'block'
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
