import { decodeMap, type Values } from './value.js'

const NO_TAGS: Values = Object.freeze({})
const NO_BYTES = new Uint8Array(0)
const NO_BLOCKS: Uint8Array[] = []

/** What a record of any direction has. */
export interface DataRecord {
  /** From 1 in each run. */
  readonly sequenceNumber: bigint
  readonly tags: Values
  readonly blocks: readonly Uint8Array[]
  /** The sum of the blocks' bytes; tags do not count. */
  countPayloadBytes(): number
}

/** A record to send, made by `DataTransmitter.newDataRecord`. */
export class NewDataRecord implements DataRecord {
  /** As a number, for counting. */
  readonly sequence: number
  /** The tags as they go over the wire; undefined for none. */
  readonly encodedTags: Uint8Array | undefined
  /**
   * The message's buffer around the reserved room.
   *
   * @internal
   */
  readonly message: Reservation | undefined
  #blocks: Uint8Array[]

  /** @internal */
  constructor(sequence: number, encodedTags: Uint8Array | undefined, message?: Reservation) {
    this.sequence = sequence
    this.encodedTags = encodedTags
    this.message = message
    this.#blocks = message === undefined ? NO_BLOCKS : [message.payload]
  }

  /** Room for the payload inside the message, where it was asked for. */
  get reserved(): Uint8Array | undefined {
    return this.message?.payload
  }

  get blocks(): readonly Uint8Array[] {
    return this.#blocks
  }

  get sequenceNumber(): bigint {
    return BigInt(this.sequence)
  }

  get tags(): Values {
    if (this.encodedTags === undefined) return NO_TAGS
    return decodeMap(this.encodedTags)
  }

  /** Appends a block; its bytes are copied when the record is sent. */
  addBlock(bytes: Uint8Array): void {
    // An array that grows takes room for seventeen: most records have one block, and are made by the million.
    if (this.#blocks === NO_BLOCKS) this.#blocks = [bytes]
    else this.#blocks.push(bytes)
  }

  countPayloadBytes(): number {
    let sum = 0
    for (const block of this.#blocks) sum += block.length
    return sum
  }
}

/** A message of one record whose payload is not written yet. */
export interface Reservation {
  readonly buffer: Buffer
  /** Where the record begins. */
  readonly start: number
  readonly payload: Uint8Array
}

/** A record that came: views on its message, tags decoded when they are looked at. */
export class ReceivedRecord implements DataRecord {
  readonly sequenceNumber: bigint
  readonly blocks: readonly Uint8Array[]
  /** The tags as they came. */
  readonly tagsBytes: Uint8Array
  #tags: Values | undefined

  constructor(sequenceNumber: bigint, tagsBytes: Uint8Array, blocks: readonly Uint8Array[]) {
    this.sequenceNumber = sequenceNumber
    this.tagsBytes = tagsBytes
    this.blocks = blocks
  }

  get tags(): Values {
    this.#tags ??= this.tagsBytes.length <= 1 ? NO_TAGS : decodeMap(this.tagsBytes)
    return this.#tags
  }

  countPayloadBytes(): number {
    return this.blocks.reduce((sum, block) => sum + block.length, 0)
  }

  /** The same record in memory of its own: a view of a small block keeps its whole message alive. */
  copy(): ReceivedRecord {
    return new ReceivedRecord(
      this.sequenceNumber,
      this.tagsBytes.length === 0 ? NO_BYTES : this.tagsBytes.slice(),
      this.blocks.map((block) => block.slice()),
    )
  }
}
