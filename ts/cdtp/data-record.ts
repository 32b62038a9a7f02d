import { decodeMap, type Values } from './value.js'

const NO_TAGS: Values = Object.freeze({})
const NO_BYTES = new Uint8Array(0)

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
  readonly blocks: Uint8Array[] = []
  /** The tags as they go over the wire; undefined for none. */
  readonly encodedTags: Uint8Array | undefined
  /** Room for the payload inside the message, where it was asked for. */
  readonly reserved: Uint8Array | undefined
  /** The message's buffer around the reserved room. */
  readonly message: Reservation | undefined

  constructor(sequence: number, encodedTags: Uint8Array | undefined, message?: Reservation) {
    this.sequence = sequence
    this.encodedTags = encodedTags
    this.message = message
    this.reserved = message?.payload
    if (message !== undefined) this.blocks.push(message.payload)
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
    this.blocks.push(bytes)
  }

  countPayloadBytes(): number {
    let sum = 0
    for (const block of this.blocks) sum += block.length
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
