import type { Clock, Listener, Network, Policy, Stats } from '../session/index.js'
import type { ChannelSelection } from './codec.js'
import { type Build, OutgoingStream } from './outgoing-stream.js'

/** How a server sends datagrams. */
export interface UdpOptions {
  /** The port that they are sent to; 9998 unless told. */
  readonly port?: number
  /** A broadcast address, as libtia has; by default they go to each client's own address. */
  readonly broadcast?: string
}

/** What the streams of a server are made of. */
export interface StreamsOptions {
  readonly network: Network
  readonly clock: Clock
  readonly stats: Stats
  /** Where data connections are listened for. */
  readonly host: string
  readonly policy: Policy
  /** Bytes that may wait for one client. */
  readonly queueBytes: number
  readonly udp: UdpOptions
  /** A client did not keep up, and was left. */
  readonly onOverflow: (code: string, message: string) => void
}

/** A UDP packet has at most so many bytes. */
const DATAGRAM = 65_507

/** The packets' ways to all clients: a TCP stream for each data connection, a stream of datagrams for each target. */
export class OutgoingStreams {
  readonly #options: StreamsOptions
  readonly #streams = new Set<OutgoingStream>()
  readonly #udp = new Map<string, { stream: OutgoingStream; port: number; users: number }>()

  constructor(options: StreamsOptions) {
    this.#options = options
  }

  /** Those that packets go out to. */
  get running(): number {
    let running = 0
    for (const stream of this.#streams) if (stream.isRunning) running++
    return running
  }

  /** A stream for one client; the port that it connects to. */
  async openTcp(selection: ChannelSelection | undefined): Promise<{ stream: OutgoingStream; listener: Listener }> {
    const stream = this.#make(selection)
    const { network, host } = this.#options
    const listener: Listener = await network.listen({ host, port: 0 }, (transport) => {
      if (stream.isConnected) {
        transport.close()
        return
      }
      void listener.close()
      stream.connect(transport, () => this.#streams.delete(stream))
    })
    return { stream, listener }
  }

  /** The stream of datagrams to a peer; the port that they are sent to, or why there is none. */
  async openUdp(peer: string, packetBytes: number): Promise<{ stream: OutgoingStream; port: number } | string> {
    const { port = 9998, broadcast } = this.#options.udp
    if (packetBytes > DATAGRAM) return 'A packet is longer than a datagram!'
    const subnet = (host: string): string => host.replace('::ffff:', '').split('.').slice(0, 3).join('.')
    if (broadcast !== undefined && subnet(broadcast) !== subnet(peer)) return 'Target and remote subnet do not match!'
    const host = broadcast ?? peer.replace('::ffff:', '')
    const known = this.#udp.get(host)
    if (known !== undefined) {
      known.users++
      return known
    }
    const remote = { host, port, broadcast: broadcast !== undefined }
    const transport = await this.#options.network.datagrams({ remote })
    const stream = this.#make(undefined, true)
    stream.connect(transport, () => this.#streams.delete(stream))
    const opened = { stream, port, users: 1 }
    this.#udp.set(host, opened)
    return opened
  }

  /** A client needs its stream no more; datagrams end with the last client of their target. */
  release(stream: OutgoingStream): void {
    for (const [host, shared] of this.#udp) {
      if (shared.stream !== stream) continue
      shared.users--
      if (shared.users > 0) return
      this.#udp.delete(host)
    }
    stream.close()
    this.#streams.delete(stream)
  }

  /** Sends packets to all; calls `done` when their bytes are free again; `false` where a client has no room. */
  send(build: Build, done: () => void): boolean {
    let [users, mayGoOn] = [1, true]
    const sent = (): void => {
      users--
      if (users === 0) done()
    }
    for (const stream of this.#streams) {
      users++
      if (!stream.send(build, sent)) mayGoOn = false
    }
    sent()
    return mayGoOn
  }

  /** Resolves when every client has room. */
  async ready(): Promise<void> {
    for (const stream of this.#streams) await stream.ready()
  }

  close(): void {
    for (const stream of this.#streams) stream.close()
  }

  #make(selection: ChannelSelection | undefined, isDatagram = false): OutgoingStream {
    const { clock, stats, policy, queueBytes, onOverflow } = this.#options
    const stream = new OutgoingStream({
      clock,
      stats,
      policy,
      queueBytes,
      selection,
      isDatagram,
      onDrop: (samples) => {
        stats.dropped += samples
      },
      onOverflow: ({ code, message }) => {
        stream.close()
        onOverflow(code, message)
      },
    })
    this.#streams.add(stream)
    return stream
  }
}
