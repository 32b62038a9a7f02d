import { tiaError } from './error-codes.js'

/** Shape of a signal's block in a packet. */
export interface BlockShape {
  /** Bit of the signal type. */
  readonly bit: number
  readonly channels: number
  /** Samples per channel. */
  readonly blocksize: number
}

/** The blocks of a packet, in the order of its samples. */
export interface PacketLayout {
  /** One bit per block, as on the wire. */
  readonly flags: number
  readonly blocks: readonly BlockShape[]
  /** Samples of all blocks. */
  readonly samples: number
}

/**
 * A packet.
 *
 * ```ts
 * const [packet] = await client.getData()
 * console.log(packet.packetNumber, packet.timestamp, packet.packetId, packet.channels)
 * console.log(packet.getChannel(0, 1)) // channel 1 of signal 0
 * ```
 */
export class TiAPacket {
  readonly packetId: bigint
  /** Number on this connection. */
  readonly packetNumber: bigint
  /** Time since the server's start, in its unit: us, with libtia 10 us. */
  readonly timestamp: bigint
  readonly layout: PacketLayout
  /** Samples of each signal, channel after channel. */
  readonly signals: readonly Float32Array[]

  /** @param samples of all signals; the packet's arrays lie in it */
  constructor(packetId: bigint, packetNumber: bigint, timestamp: bigint, layout: PacketLayout, samples: Float32Array) {
    this.packetId = packetId
    this.packetNumber = packetNumber
    this.timestamp = timestamp
    this.layout = layout
    let at = 0
    this.signals = layout.blocks.map(({ channels, blocksize }) => {
      const start = at
      at += channels * blocksize
      return samples.subarray(start, at)
    })
  }

  /** One bit per signal. */
  get flags(): number {
    return this.layout.flags
  }

  /** Channels of each signal. */
  get channels(): number[] {
    return this.layout.blocks.map(({ channels }) => channels)
  }

  /** Samples per channel of each signal. */
  get blocksizes(): number[] {
    return this.layout.blocks.map(({ blocksize }) => blocksize)
  }

  /** Mask (`TIA_SIG_...`) of each signal's type. */
  get types(): number[] {
    return this.layout.blocks.map(({ bit }) => 2 ** bit)
  }

  /** The samples of a signal, or of one of its channels; both count from 0. */
  getChannel(signal: number, channel?: number): Float32Array {
    const samples = this.signals[signal]
    const block = this.layout.blocks[signal]
    if (samples === undefined || block === undefined) {
      throw tiaError('ERR_TIA_CHANNEL_UNKNOWN', `the packet has ${this.signals.length} signals, not one ${signal}`)
    }
    if (channel === undefined || channel === -1) return samples
    if (!Number.isInteger(channel) || channel < 0 || channel >= block.channels) {
      throw tiaError('ERR_TIA_CHANNEL_UNKNOWN', `signal ${signal} has ${block.channels} channels, not one ${channel}`)
    }
    return samples.subarray(channel * block.blocksize, (channel + 1) * block.blocksize)
  }
}
