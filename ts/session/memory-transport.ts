import { type Clock, systemClock } from './clock.js'
import { DatagramGather, MAX_DATAGRAM } from './datagram-gather.js'
import { sessionError } from './error-codes.js'
import type { MeasurandError } from './errors.js'
import type { DatagramEndpoint, Endpoint, Listener, Network, Transport, TransportHandler } from './transport.js'

/** How an in-memory network behaves. */
export interface MemoryNetworkOptions {
  /** The time that latency passes in. */
  readonly clock?: Clock
  /** How long bytes are under way, ms. */
  readonly latency?: number
  /** How long the piece is that is read next, of so many bytes that have come; all unless told. */
  readonly split?: (available: number) => number
  /** Whether the n-th datagram, from 0, is lost. */
  readonly loses?: (n: number) => boolean
  /** Bytes under way above which `write` says to wait; 1 MiB unless told. */
  readonly highWaterMark?: number
}

const HIGH_WATER_MARK = 1 << 20
const QUEUE_BYTES = 4 << 20

/**
 * A network in this process, for tests: connections that split, delay and break as they are told.
 *
 * ```ts
 * const network = new MemoryNetwork({ split: () => 1 })
 * await server.listen({ network, port: 7165 })
 * await client.connect({ network, host: '127.0.0.1', port: 7165 })
 * network.cut()
 * ```
 *
 * A chunk is overwritten when its call is over, as a socket's reused buffer is.
 */
export class MemoryNetwork implements Network {
  readonly #options: MemoryNetworkOptions
  readonly #listeners = new Map<number, (transport: Transport) => void>()
  readonly #transports = new Set<MemoryTransport>()
  readonly #sockets = new Map<number, MemoryDatagrams>()
  #nextPort = 49_152
  #datagrams = 0
  /** Hears every datagram that is sent, and the port that it goes to. */
  onDatagram: (datagram: Uint8Array, port: number) => void = () => {}
  /** Whether connections come about; where not, dialling is refused. */
  isReachable = true

  constructor(options: MemoryNetworkOptions = {}) {
    this.#options = options
  }

  async dial({ host, port }: Endpoint): Promise<Transport> {
    await Promise.resolve()
    const accept = this.#listeners.get(port)
    if (!this.isReachable || accept === undefined) {
      throw sessionError('ERR_SESSION_CONNECT_REFUSED', `nobody listens at ${host}:${port}`)
    }
    const [near, far] = memoryPair(this.#options, `${host}:${port}`, `127.0.0.1:${this.#nextPort++}`)
    this.#transports.add(near).add(far)
    accept(far)
    return near
  }

  async listen({ host, port }: Endpoint, accept: (transport: Transport) => void): Promise<Listener> {
    const bound = port === 0 ? this.#nextPort++ : port
    if (this.#listeners.has(bound)) {
      throw sessionError('ERR_SESSION_ADDRESS_IN_USE', `somebody listens at ${host}:${bound} already`)
    }
    this.#listeners.set(bound, accept)
    return {
      host,
      port: bound,
      close: async () => {
        this.#listeners.delete(bound)
      },
    }
  }

  async datagrams(endpoint: DatagramEndpoint): Promise<Transport> {
    const port = endpoint.port || this.#nextPort++
    if (this.#sockets.has(port)) throw sessionError('ERR_SESSION_ADDRESS_IN_USE', `port ${port} is taken`)
    const socket = new MemoryDatagrams(port, endpoint, {
      send: (datagram, to) => {
        this.onDatagram(datagram, to)
        if (!this.#options.loses?.(this.#datagrams++)) this.#sockets.get(to)?.receive(datagram, port)
      },
      leave: () => this.#sockets.delete(port),
    })
    this.#sockets.set(port, socket)
    return socket
  }

  /** Breaks every connection. */
  cut(): void {
    for (const transport of this.#transports) transport.break()
    this.#transports.clear()
  }
}

/** Two connected transports. */
export function memoryPair(
  options: MemoryNetworkOptions = {},
  nearPeer = 'memory:1',
  farPeer = 'memory:2',
): [MemoryTransport, MemoryTransport] {
  const near = new MemoryTransport(options, nearPeer)
  const far = new MemoryTransport(options, farPeer)
  near.join(far)
  far.join(near)
  return [near, far]
}

/** One end of a connection in memory. */
export class MemoryTransport implements Transport {
  readonly peer: string
  readonly localPort = 0
  bytesIn = 0
  bytesOut = 0
  readonly #options: MemoryNetworkOptions
  readonly #clock: Clock
  readonly #arrived: Uint8Array[] = []
  #other: MemoryTransport | undefined
  #handler: TransportHandler | undefined
  #error: MeasurandError | undefined
  #held: Uint8Array | undefined
  #underWay = 0
  #isPaused = true
  #isPumping = false
  #hasEnded = false
  #otherHasEnded = false
  #hasToldEnd = false
  #isClosed = false
  #mustDrain = false

  constructor(options: MemoryNetworkOptions, peer: string) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.peer = peer
  }

  /** Ties it to the other end. */
  join(other: MemoryTransport): void {
    this.#other = other
  }

  get queuedBytes(): number {
    return this.#underWay
  }

  start(handler: TransportHandler): void {
    this.#handler = handler
    if (this.#isClosed) queueMicrotask(() => handler.onClose(this.#error))
    else this.resume()
  }

  write(bytes: Uint8Array | readonly Uint8Array[], done?: () => void): boolean {
    if (this.#isClosed || this.#hasEnded) return false
    const copy = Buffer.concat(bytes instanceof Uint8Array ? [bytes] : bytes)
    this.bytesOut += copy.length
    this.#underWay += copy.length
    this.#mustDrain ||= this.#underWay > (this.#options.highWaterMark ?? HIGH_WATER_MARK)
    if (done !== undefined) queueMicrotask(done)
    this.#later(() => this.#other?.receive(copy))
    return !this.#mustDrain
  }

  /** Bytes of the other end have come. */
  receive(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#arrived.push(bytes)
    this.#pump()
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.#held?.fill(0xaa)
    this.#held = undefined
    queueMicrotask(() => this.#pump())
  }

  end(): void {
    if (this.#hasEnded || this.#isClosed) return
    this.#hasEnded = true
    this.#later(() => this.#other?.finish())
    if (this.#otherHasEnded) this.#close()
  }

  /** The other end sends no more. */
  finish(): void {
    this.#otherHasEnded = true
    this.#pump()
  }

  close(): void {
    if (this.#isClosed) return
    this.#later(() => this.#other?.finish())
    this.#close()
  }

  /** Breaks the connection for both ends. */
  break(): void {
    for (const end of [this, this.#other]) {
      if (end === undefined || end.#isClosed) continue
      end.#error = sessionError('ERR_SESSION_CONNECTION_LOST', `the connection to ${end.peer} broke`)
      end.#close()
    }
  }

  /** The other end has read bytes. */
  acknowledge(bytes: number): void {
    this.#underWay -= bytes
    if (!this.#mustDrain || this.#underWay > 0) return
    this.#mustDrain = false
    this.#handler?.onDrain?.()
  }

  #close(): void {
    this.#isClosed = true
    queueMicrotask(() => this.#handler?.onClose(this.#error))
  }

  #later(call: () => void): void {
    const { latency = 0 } = this.#options
    if (latency > 0) this.#clock.after(latency, call)
    else queueMicrotask(call)
  }

  #pump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    while (!this.#isPaused && !this.#isClosed && this.#arrived.length > 0) {
      const bytes = this.#arrived[0] as Uint8Array
      const length = Math.min(Math.max(1, this.#options.split?.(bytes.length) ?? bytes.length), bytes.length)
      const chunk = bytes.slice(0, length)
      if (length === bytes.length) this.#arrived.shift()
      else this.#arrived[0] = bytes.subarray(length)
      this.bytesIn += length
      this.#other?.acknowledge(length)
      this.#handler?.onChunk(chunk)
      if (this.#isPaused) this.#held = chunk
      else chunk.fill(0xaa)
    }
    this.#isPumping = false
    if (this.#otherHasEnded && !this.#isPaused && !this.#isClosed && this.#arrived.length === 0) this.#tellEnd()
  }

  #tellEnd(): void {
    if (this.#hasEnded) this.#close()
    else if (this.#handler?.onEnd === undefined) this.end()
    else if (!this.#hasToldEnd) {
      this.#hasToldEnd = true
      this.#handler.onEnd()
    }
  }
}

/** A datagram socket in memory. */
class MemoryDatagrams implements Transport {
  readonly peer: string
  readonly localPort: number
  readonly queuedBytes = 0
  bytesIn = 0
  bytesOut = 0
  readonly #remotePort: number | undefined
  readonly #isExclusive: boolean
  readonly #wire: { send(datagram: Uint8Array, to: number): void; leave(): void }
  readonly #gather: DatagramGather
  #handler: TransportHandler | undefined
  #isClosed = false

  constructor(
    port: number,
    { remote, queueBytes = QUEUE_BYTES }: DatagramEndpoint,
    wire: { send(datagram: Uint8Array, to: number): void; leave(): void },
  ) {
    this.peer = remote === undefined ? '' : `${remote.host}:${remote.port}`
    this.localPort = port
    this.#remotePort = remote?.port
    this.#isExclusive = remote !== undefined && !remote.broadcast
    this.#wire = wire
    this.#gather = new DatagramGather(
      (bytes) => this.#handler?.onChunk(bytes),
      (datagrams, bytes) => this.#handler?.onDropped?.(datagrams, bytes),
      queueBytes,
    )
    this.#gather.pause()
  }

  start(handler: TransportHandler): void {
    this.#handler = handler
    this.#gather.resume()
  }

  write(bytes: Uint8Array | readonly Uint8Array[], done?: () => void): boolean {
    for (const datagram of bytes instanceof Uint8Array ? [bytes] : bytes) {
      if (datagram.length > MAX_DATAGRAM) {
        throw sessionError('ERR_SESSION_DATAGRAM_LENGTH', `a datagram of ${datagram.length} bytes`)
      }
      this.bytesOut += datagram.length
      if (this.#remotePort !== undefined) this.#wire.send(datagram, this.#remotePort)
    }
    if (done !== undefined) queueMicrotask(done)
    return true
  }

  /** A datagram has come. */
  receive(datagram: Uint8Array, from: number): void {
    if (this.#isClosed || (this.#isExclusive && from !== this.#remotePort)) return
    this.bytesIn += datagram.length
    this.#gather.add(datagram)
  }

  pause(): void {
    this.#gather.pause()
  }

  resume(): void {
    this.#gather.resume()
  }

  end(): void {
    this.close()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#gather.close()
    this.#wire.leave()
    queueMicrotask(() => this.#handler?.onClose())
  }
}
