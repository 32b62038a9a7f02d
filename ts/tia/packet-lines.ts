import { STATUS } from '../batch/index.js'
import { call, type Fault, type Notice, PacketDecoder } from './codec.js'
import { PacketBatch, PacketBlock } from './packet-batch.js'
import { nameOfBit } from './signal-type.js'

/** How a connection's bytes are read. */
export interface PacketLinesOptions {
  readonly sampleOrder: 'channel' | 'sample'
  /** 3, 2, or 0: told by the first packet. */
  readonly version: 0 | 2 | 3
  /** Whether every piece is a datagram. */
  readonly isDatagram?: boolean
  /** Rows of the signals by their id; shared by the connections of a capture. */
  readonly signals?: Map<string, number>
}

const ROOM = { packets: 256, samples: 1 << 21, words: 4096 }
const PREFIX: Readonly<Record<number, number>> = { 2: 28, 3: 33 }

/** The bytes of a data connection as JSON lines: a `message` for each packet, then its `measurement`s. */
export class PacketLines {
  readonly #options: PacketLinesOptions
  readonly #decoder: PacketDecoder
  readonly #block = new PacketBlock(ROOM)
  readonly #signals: Map<string, number>
  #offset = 0
  #lost: { fault: Fault; rest: number } | undefined

  constructor(options: PacketLinesOptions) {
    const { sampleOrder, version, isDatagram = false, signals = new Map() } = options
    this.#options = options
    this.#signals = signals
    const native = {
      datagrams: isDatagram,
      limit: 8 << 20,
      sampleMajor: sampleOrder === 'sample',
      version,
      document: [],
    }
    this.#decoder = call(() => new PacketDecoder(native))
  }

  /** The lines of a piece, cut anywhere; a datagram is a piece. */
  *take(piece: Uint8Array): Iterable<object> {
    if (this.#lost !== undefined) {
      this.#lost.rest += piece.length
      return
    }
    const chunk = this.#options.isDatagram ? framed(piece) : piece
    for (let at = 0; ; ) {
      const status = call(() => this.#decoder.decode(chunk.subarray(at), this.#block.bytes))
      at += this.#block.consumed
      yield* this.#packetLines(new PacketBatch(this.#block))
      this.#block.clear()
      if (status === STATUS.control) yield this.#noticeLine(this.#decoder.takeControl() as Notice)
      else if (status === STATUS.malformed) {
        const { code, message, length } = this.#decoder.takeError() as Fault
        yield { event: 'malformed', code, offset: this.#offset, length, message }
        this.#offset += length
      } else if (status === STATUS.lost) {
        const fault = this.#decoder.takeError() as Fault
        this.#lost = { fault, rest: fault.length }
        return
      } else if (status === STATUS.needMore) return
    }
  }

  /** What is left when nothing more comes. */
  *end(): Iterable<object> {
    if (this.#lost !== undefined) {
      const { fault, rest } = this.#lost
      yield { event: 'malformed', code: fault.code, offset: this.#offset, length: rest, message: fault.message }
    } else if (this.#decoder.pending > 0) {
      const { pending } = this.#decoder
      yield { event: 'malformed', code: 'ERR_TIA_PACKET_TRUNCATED', offset: this.#offset, length: pending }
    }
  }

  *#packetLines(batch: PacketBatch): Iterable<object> {
    const { version } = this.#decoder
    for (const packet of batch) {
      const { flags, blocks, samples } = packet.layout
      const length = (PREFIX[version] ?? 33) + 4 * blocks.length + 4 * samples
      yield {
        event: 'message',
        system: 'tia',
        direction: 's2c',
        offset: this.#offset,
        length,
        type: 'packet',
        fields: {
          version,
          flags,
          packetId: String(packet.packetId),
          connectionPacketNumber: String(packet.packetNumber),
          timestamp: String(packet.timestamp),
          signals: blocks.map((block) => ({ type: nameOfBit(block.bit), ...block })),
        },
      }
      this.#offset += length
      for (const [index, { bit, channels, blocksize }] of blocks.entries()) {
        for (let channel = 0; channel < channels; channel++) {
          const id = `${nameOfBit(bit)}/${channel + 1}`
          const values = packet.getChannel(index, channel)
          for (let idx = 0; idx < blocksize; idx++) {
            const value = values[idx] as number
            yield {
              event: 'measurement',
              source: 'tia',
              signal: this.#rowOf(id),
              id,
              // Header times count from the server's start, which the bytes do not say.
              time: null,
              value: Number.isFinite(value) ? value : String(value),
              flags: 0,
              seq: String(packet.packetId),
              idx,
            }
          }
        }
      }
    }
  }

  #rowOf(id: string): number {
    const known = this.#signals.get(id)
    if (known !== undefined) return known
    this.#signals.set(id, this.#signals.size)
    return this.#signals.size - 1
  }

  #noticeLine({ kind, first, last, id }: Notice): object {
    const text = (value: bigint | undefined) => (value === undefined ? {} : { packetId: String(value) })
    const fields = first === undefined ? text(id) : { first: String(first), last: String(last) }
    return { event: 'message', system: 'tia', direction: 's2c', offset: this.#offset, length: 0, type: kind, fields }
  }
}

/** A datagram as the decoder takes it: behind its length. */
function framed(datagram: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(2 + datagram.length)
  bytes.writeUInt16LE(datagram.length)
  bytes.set(datagram, 2)
  return bytes
}
