import { formatPacketBlock } from './codec.js'
import { type PacketLayout, TiAPacket } from './packet.js'

const HEADER_BYTES = 64
const WORD = { count: 3, sampleCount: 4, wordCount: 5, status: 6, consumed: 7, wanted: 9 } as const

/** Room of a packet block. */
export interface PacketRoom {
  readonly packets: number
  readonly samples: number
  /** Words for layouts. */
  readonly words: number
}

/** One `ArrayBuffer` with the columns of packets' headers and all samples as one array: what the decoder fills. */
export class PacketBlock {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly room: PacketRoom
  readonly packetId: BigUint64Array
  readonly packetNumber: BigUint64Array
  readonly timestamp: BigUint64Array
  readonly sampleEnd: Uint32Array
  readonly layoutRow: Uint32Array
  readonly words: Uint32Array
  readonly samples: Float32Array
  readonly #header: Uint32Array

  constructor(room: PacketRoom) {
    this.room = room
    let end = HEADER_BYTES
    const place = (size: number): number => {
      const start = end
      end += Math.ceil(size / 64) * 64
      return start
    }
    const { packets, samples, words } = room
    const wide = [place(8 * packets), place(8 * packets), place(8 * packets)] as const
    const narrow = [place(4 * packets), place(4 * packets), place(4 * words), place(4 * samples)] as const
    const buffer = new ArrayBuffer(end)
    this.bytes = new Uint8Array(buffer)
    this.#header = new Uint32Array(buffer, 0, HEADER_BYTES / 4)
    this.packetId = new BigUint64Array(buffer, wide[0], packets)
    this.packetNumber = new BigUint64Array(buffer, wide[1], packets)
    this.timestamp = new BigUint64Array(buffer, wide[2], packets)
    this.sampleEnd = new Uint32Array(buffer, narrow[0], packets)
    this.layoutRow = new Uint32Array(buffer, narrow[1], packets)
    this.words = new Uint32Array(buffer, narrow[2], words)
    this.samples = new Float32Array(buffer, narrow[3], samples)
    formatPacketBlock(this.bytes, packets, samples, words)
  }

  /** Packets in it. */
  get count(): number {
    return this.#header[WORD.count] as number
  }

  /** Samples in it. */
  get sampleCount(): number {
    return this.#header[WORD.sampleCount] as number
  }

  /** Words of layouts in it. */
  get wordCount(): number {
    return this.#header[WORD.wordCount] as number
  }

  /** Bytes of the chunk that the last decoder's call took. */
  get consumed(): number {
    return this.#header[WORD.consumed] as number
  }

  /** Samples of a packet that fits into no block of this room; 0 where there is none. */
  get wanted(): number {
    return this.#header[WORD.wanted] as number
  }

  clear(): void {
    this.#header.fill(0, WORD.count)
  }

  /** Takes over what another block of the same room holds. */
  copyFrom(other: PacketBlock): void {
    this.bytes.set(other.bytes)
  }
}

/**
 * Packets as columns: header fields, and the samples of all packets as one array.
 *
 * ```ts
 * for await (const batch of client.packets()) {
 *   for (let row = 0, start = 0; row < batch.length; row++) {
 *     const samples = batch.samples.subarray(start, (start = batch.sampleEnd[row]))
 *     use(batch.packetId[row], batch.layout(row), samples)
 *   }
 * }
 * ```
 *
 * A batch from a session is valid until the loop's next turn; `copy()` keeps it.
 */
export class PacketBatch implements Iterable<TiAPacket> {
  /** Packets. */
  readonly length: number
  /** Samples of all packets, each signal's channel after channel. */
  readonly samples: Float32Array
  readonly #block: PacketBlock
  readonly #layouts = new Map<number, PacketLayout>()
  #views: Views | undefined

  /** @internal */
  constructor(block: PacketBlock) {
    this.#block = block
    this.length = block.count
    this.samples = block.samples.subarray(0, block.sampleCount)
  }

  get packetId(): BigUint64Array {
    return this.#view.packetId
  }

  /** Numbers on this connection. */
  get packetNumber(): BigUint64Array {
    return this.#view.packetNumber
  }

  /** Times since the server's start, in its unit: us, with libtia 10 us. */
  get timestamp(): BigUint64Array {
    return this.#view.timestamp
  }

  /** Where each packet's samples end in `samples`. */
  get sampleEnd(): Uint32Array {
    return this.#view.sampleEnd
  }

  /** The layout of a packet; packets of the same layout share the object. */
  layout(row: number): PacketLayout {
    const start = this.#block.layoutRow[row] as number
    let layout = this.#layouts.get(start)
    if (layout === undefined) {
      layout = readLayout(this.#block.words, start)
      this.#layouts.set(start, layout)
    }
    return layout
  }

  /** A packet, on the memory of the batch. */
  at(row: number): TiAPacket | undefined {
    if (!(row >= 0 && row < this.length)) return undefined
    const { packetId, packetNumber, timestamp, sampleEnd } = this.#block
    const start = row === 0 ? 0 : (sampleEnd[row - 1] as number)
    return new TiAPacket(
      packetId[row] as bigint,
      packetNumber[row] as bigint,
      timestamp[row] as bigint,
      this.layout(row),
      this.samples.subarray(start, sampleEnd[row]),
    )
  }

  *[Symbol.iterator](): IterableIterator<TiAPacket> {
    for (let row = 0; row < this.length; row++) yield this.at(row) as TiAPacket
  }

  /** The same packets in memory of their own. */
  copy(): PacketBatch {
    const block = new PacketBlock(this.#block.room)
    block.copyFrom(this.#block)
    return new PacketBatch(block)
  }

  get #view(): Views {
    const block = this.#block
    const { length } = this
    this.#views ??= {
      packetId: block.packetId.subarray(0, length),
      packetNumber: block.packetNumber.subarray(0, length),
      timestamp: block.timestamp.subarray(0, length),
      sampleEnd: block.sampleEnd.subarray(0, length),
    }
    return this.#views
  }
}

interface Views {
  readonly packetId: BigUint64Array
  readonly packetNumber: BigUint64Array
  readonly timestamp: BigUint64Array
  readonly sampleEnd: Uint32Array
}

function readLayout(words: Uint32Array, start: number): PacketLayout {
  const [flags, count] = [words[start] as number, words[start + 1] as number]
  const blocks = Array.from({ length: count }, (_, index) => {
    const shape = words[start + 3 + 2 * index] as number
    return { bit: words[start + 2 + 2 * index] as number, channels: shape & 0xffff, blocksize: shape >>> 16 }
  })
  return { flags, blocks, samples: blocks.reduce((sum, { channels, blocksize }) => sum + channels * blocksize, 0) }
}
