import { formatIndex, indexBytes } from './codec.js'

const HEADER_BYTES = 64
/** Words of the header; crates/cdtp/src/index.rs writes them. */
const WORD = {
  records: 2,
  blocks: 3,
  kind: 4,
  senderOffset: 5,
  senderLength: 6,
  trailing: 7,
  payload: 9,
} as const

/** Where the records of one message stand: columns that the addon fills. */
export class MessageIndex {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly #header: Uint32Array
  readonly sequence: BigUint64Array
  readonly tagsOffset: Uint32Array
  readonly tagsLength: Uint32Array
  /** Blocks of all records up to and with this one. */
  readonly blockEnd: Uint32Array
  readonly blockOffset: Uint32Array
  readonly blockLength: Uint32Array

  /**
   * @param records that fit
   * @param blocks that fit, and the most that one record may have
   */
  constructor(records: number, blocks: number) {
    const buffer = new ArrayBuffer(indexBytes(records, blocks))
    let end = HEADER_BYTES
    const place = (bytes: number): number => {
      end += bytes
      return end - bytes
    }
    this.bytes = new Uint8Array(buffer)
    this.#header = new Uint32Array(buffer, 0, HEADER_BYTES / 4)
    this.sequence = new BigUint64Array(buffer, place(8 * records), records)
    this.tagsOffset = new Uint32Array(buffer, place(4 * records), records)
    this.tagsLength = new Uint32Array(buffer, place(4 * records), records)
    this.blockEnd = new Uint32Array(buffer, place(4 * records), records)
    this.blockOffset = new Uint32Array(buffer, place(4 * blocks), blocks)
    this.blockLength = new Uint32Array(buffer, place(4 * blocks), blocks)
    formatIndex(this.bytes, records, blocks)
  }

  get records(): number {
    return this.#header[WORD.records] as number
  }

  get blocks(): number {
    return this.#header[WORD.blocks] as number
  }

  /** 0 DATA, 1 BOR, 2 EOR. */
  get kind(): number {
    return this.#header[WORD.kind] as number
  }

  get senderOffset(): number {
    return this.#header[WORD.senderOffset] as number
  }

  get senderLength(): number {
    return this.#header[WORD.senderLength] as number
  }

  /** Bytes behind the message's last value. */
  get trailing(): number {
    return this.#header[WORD.trailing] as number
  }

  /** Bytes of all blocks. */
  get payloadBytes(): number {
    return (this.#header[WORD.payload] as number) + (this.#header[WORD.payload + 1] as number) * 2 ** 32
  }

  /** A copy with no more room than it needs. */
  copy(): MessageIndex {
    const copy = new MessageIndex(this.records, this.blocks)
    copy.#header.set(this.#header.subarray(2), 2)
    copy.sequence.set(this.sequence.subarray(0, this.records))
    copy.tagsOffset.set(this.tagsOffset.subarray(0, this.records))
    copy.tagsLength.set(this.tagsLength.subarray(0, this.records))
    copy.blockEnd.set(this.blockEnd.subarray(0, this.records))
    copy.blockOffset.set(this.blockOffset.subarray(0, this.blocks))
    copy.blockLength.set(this.blockLength.subarray(0, this.blocks))
    return copy
  }
}
