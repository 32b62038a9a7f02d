import {
  BlockIntake,
  type BlockIntakeOptions,
  type MeasurandError,
  type Network,
  type Transport,
} from '../session/index.js'
import type { SttpDownlink } from './codec.js'

/** Where a subscriber receives datagrams. */
export interface DatagramPlace {
  /** 0 for a free one. */
  readonly port: number
  /** The own address; all of the machine's unless told. */
  readonly host?: string
  readonly group?: string
  /** The publisher's address: others are not listened to, except in a group. */
  readonly from: string
}

/** What a datagram intake tells its connection. */
export interface DatagramHandler {
  onControl(): void
  onMalformed(): void
  /** A chunk was taken. */
  onChunk(): void
  /** Datagrams are lost: in the own queue, whose bytes are known, or in the system's. */
  onDropped(datagrams: number, bytes?: number): void
  onClose(error: MeasurandError | undefined): void
}

/** What a datagram intake is made of. */
export interface DatagramParts extends Pick<BlockIntakeOptions, 'delivery' | 'ring' | 'stats' | 'signals'> {
  /** Bytes of datagrams that may wait for room; 4 MiB unless told. */
  readonly datagramBytes?: number
}

/** The data channel of a subscriber: datagrams that are decoded beside the connection by its downlink. */
export class DatagramIntake {
  readonly place: DatagramPlace
  readonly #transport: Transport
  readonly #intake: BlockIntake
  readonly #handler: DatagramHandler
  #isStarted = false

  /** Opens the socket; datagrams wait in it until {@link start}. */
  static async open(
    network: Network,
    place: DatagramPlace,
    parts: DatagramParts,
    downlink: SttpDownlink,
    handler: DatagramHandler,
  ): Promise<DatagramIntake> {
    const { port, group, from } = place
    const isSix = from.includes(':')
    const host = place.host ?? (isSix ? '::' : '0.0.0.0')
    const transport = await network.datagrams({
      port,
      // A group's datagrams come to the group's address.
      host: group === undefined ? host : isSix ? '::' : '0.0.0.0',
      ...(group === undefined ? { from } : { group }),
      ...(group === undefined || place.host === undefined ? {} : { groupInterface: place.host }),
      ...(parts.datagramBytes === undefined ? {} : { queueBytes: parts.datagramBytes }),
    })
    return new DatagramIntake(transport, place, parts, downlink, handler)
  }

  private constructor(
    transport: Transport,
    place: DatagramPlace,
    parts: DatagramParts,
    downlink: SttpDownlink,
    handler: DatagramHandler,
  ) {
    this.place = place
    this.#transport = transport
    this.#handler = handler
    this.#intake = new BlockIntake({
      ...parts,
      system: 'sttp',
      decoder: { decode: (chunk, block) => downlink.decodeDatagrams(chunk, block) },
      transport,
      handler: {
        onControl: () => handler.onControl(),
        onMalformed: () => handler.onMalformed(),
        onLost: (error) => handler.onClose(error),
      },
      wire: 'f32',
    })
  }

  /** The port on which it listens. */
  get port(): number {
    return this.#transport.localPort
  }

  /** Begins reading: the cache by which datagrams are understood has come. */
  start(): void {
    if (this.#isStarted) return
    this.#isStarted = true
    const handler = this.#handler
    this.#transport.start({
      onChunk: (bytes) => {
        this.#intake.feed(bytes)
        handler.onChunk()
      },
      onDropped: (datagrams, bytes) => handler.onDropped(datagrams, bytes),
      onOverrun: (datagrams) => handler.onDropped(datagrams),
      onClose: (error) => handler.onClose(error),
    })
  }

  /** Closes it; what came is still given out. */
  close(): void {
    this.#transport.close()
    this.#intake.finish()
  }
}
