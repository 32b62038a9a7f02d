import type { NewDataRecord, Reservation } from './data-record.js'

/** The longest array header. */
const ARRAY_HEADER = 5
/** The longest framing of a record apart from its tags and blocks. */
const RECORD_FRAMING = 1 + 9 + 1 + 5
const BLOCK_FRAMING = 5

/** A DATA message that is ready to be sent. */
export interface DataMessage {
  readonly bytes: Buffer
  readonly records: number
  readonly payloadBytes: number
  readonly firstSequence: number
  readonly lastSequence: number
}

/**
 * Lays records one behind the other in the message that they are sent in: each byte is copied once, into a fresh buffer
 * that belongs to the socket afterwards. The header is written last, before the first record.
 */
export class MessageWriter {
  readonly #prefix: Buffer
  /** Bytes of records that any message has room for. */
  readonly #capacity: number
  /** Bytes that the next message gets: as many as the last one had, where it was not cut short. */
  #room: number
  #buffer: Buffer | undefined
  #start = 0
  #end = 0
  #records = 0
  #payloadBytes = 0
  #first = 0
  #last = 0

  /**
   * @param sender canonical name
   * @param payloadThreshold bytes of payload that a message usually has
   */
  constructor(sender: string, payloadThreshold: number) {
    this.#prefix = Buffer.concat([Buffer.from('\xa5CDTP\x02', 'latin1'), text(sender), Buffer.of(0)])
    this.#capacity = this.#room = Math.ceil(payloadThreshold * 1.25) + 4096
  }

  get records(): number {
    return this.#records
  }

  get payloadBytes(): number {
    return this.#payloadBytes
  }

  /** Bytes laid down so far. */
  get byteLength(): number {
    return this.#end - this.#start
  }

  /** A message of one record with room for its payload, for `newDataRecord(tags, { reserve })`. */
  reserve(sequence: number, tags: Uint8Array | undefined, bytes: number): Reservation {
    const headroom = this.#prefix.length + ARRAY_HEADER
    const framing = RECORD_FRAMING + BLOCK_FRAMING + (tags?.length ?? 1)
    const buffer = Buffer.allocUnsafeSlow(headroom + framing + bytes)
    let end = writeHead(buffer, headroom, sequence, tags, 1)
    end = writeBinHeader(buffer, end, bytes)
    return { buffer, start: headroom, payload: buffer.subarray(end, end + bytes) }
  }

  /** The message of a reserved record, with nothing copied. */
  finishReserved(record: NewDataRecord, message: Reservation): DataMessage {
    const end = message.payload.byteOffset - message.buffer.byteOffset + message.payload.length
    const bytes = this.#withHeader(message.buffer, message.start, end, 1)
    const sequence = record.sequence
    return { bytes, records: 1, payloadBytes: message.payload.length, firstSequence: sequence, lastSequence: sequence }
  }

  /** Whether a record fits behind those that are there; one always fits an empty message. */
  fits(record: NewDataRecord): boolean {
    if (this.#buffer === undefined || this.#end + longest(record) <= this.#buffer.length) return true
    this.#room = this.#capacity
    return false
  }

  /** Copies a record into the message. */
  append(record: NewDataRecord): void {
    const { blocks } = record
    let buffer = this.#buffer
    if (buffer === undefined) {
      this.#start = this.#end = this.#prefix.length + ARRAY_HEADER
      buffer = Buffer.allocUnsafeSlow(this.#start + Math.max(this.#room, longest(record)))
      this.#buffer = buffer
      this.#first = record.sequence
    }
    let end = writeHead(buffer, this.#end, record.sequence, record.encodedTags, blocks.length)
    for (let index = 0; index < blocks.length; index++) {
      const block = blocks[index] as Uint8Array
      end = writeBinHeader(buffer, end, block.length)
      buffer.set(block, end)
      end += block.length
      this.#payloadBytes += block.length
    }
    this.#end = end
    this.#last = record.sequence
    this.#records++
  }

  /**
   * The message; the next record begins another. Undefined where there is no record.
   *
   * @param isWhole whether it has as many records as it should, so that the next one will be as long
   */
  finish(isWhole = false): DataMessage | undefined {
    const buffer = this.#buffer
    if (buffer === undefined) return undefined
    // Memory that is not used counts for the garbage collector all the same: it would come round more often.
    if (isWhole) this.#room = Math.min(this.#capacity, this.byteLength + 1024)
    const message = {
      bytes: this.#withHeader(buffer, this.#start, this.#end, this.#records),
      records: this.#records,
      payloadBytes: this.#payloadBytes,
      firstSequence: this.#first,
      lastSequence: this.#last,
    }
    this.#buffer = undefined
    this.#start = this.#end = this.#records = this.#payloadBytes = 0
    return message
  }

  #withHeader(buffer: Buffer, start: number, end: number, records: number): Buffer {
    const header = arrayHeaderBytes(records)
    const begin = start - header - this.#prefix.length
    buffer.set(this.#prefix, begin)
    writeArrayHeader(buffer, start - header, records)
    return buffer.subarray(begin, end)
  }
}

function longest(record: NewDataRecord): number {
  let bytes = RECORD_FRAMING + (record.encodedTags?.length ?? 1)
  for (const block of record.blocks) bytes += BLOCK_FRAMING + block.length
  return bytes
}

function writeHead(buffer: Buffer, at: number, sequence: number, tags: Uint8Array | undefined, blocks: number): number {
  buffer[at] = 0x93
  let end = writeUnsigned(buffer, at + 1, sequence)
  if (tags === undefined) buffer[end++] = 0x80
  else {
    buffer.set(tags, end)
    end += tags.length
  }
  return writeArrayHeader(buffer, end, blocks)
}

function writeUnsigned(buffer: Buffer, at: number, value: number): number {
  if (value < 0x80) {
    buffer[at] = value
    return at + 1
  }
  if (value < 0x100) {
    buffer[at] = 0xcc
    buffer[at + 1] = value
    return at + 2
  }
  if (value < 0x1_0000) {
    buffer[at] = 0xcd
    buffer[at + 1] = value >> 8
    buffer[at + 2] = value
    return at + 3
  }
  if (value < 0x1_0000_0000) {
    buffer[at] = 0xce
    return writeWord(buffer, at + 1, value)
  }
  buffer[at] = 0xcf
  return writeWord(buffer, writeWord(buffer, at + 1, Math.floor(value / 2 ** 32)), value % 2 ** 32)
}

function writeWord(buffer: Buffer, at: number, value: number): number {
  buffer[at] = value >>> 24
  buffer[at + 1] = value >>> 16
  buffer[at + 2] = value >>> 8
  buffer[at + 3] = value
  return at + 4
}

function arrayHeaderBytes(items: number): number {
  return items < 16 ? 1 : items < 0x1_0000 ? 3 : 5
}

function writeArrayHeader(buffer: Buffer, at: number, items: number): number {
  if (items < 16) {
    buffer[at] = 0x90 | items
    return at + 1
  }
  if (items < 0x1_0000) {
    buffer[at] = 0xdc
    buffer[at + 1] = items >> 8
    buffer[at + 2] = items
    return at + 3
  }
  buffer[at] = 0xdd
  return writeWord(buffer, at + 1, items)
}

function writeBinHeader(buffer: Buffer, at: number, bytes: number): number {
  if (bytes < 0x100) {
    buffer[at] = 0xc4
    buffer[at + 1] = bytes
    return at + 2
  }
  if (bytes < 0x1_0000) {
    buffer[at] = 0xc5
    buffer[at + 1] = bytes >> 8
    buffer[at + 2] = bytes
    return at + 3
  }
  buffer[at] = 0xc6
  return writeWord(buffer, at + 1, bytes)
}

function text(sender: string): Buffer {
  const bytes = Buffer.from(sender, 'utf8')
  if (bytes.length < 32) return Buffer.concat([Buffer.of(0xa0 | bytes.length), bytes])
  return Buffer.concat([Buffer.of(0xda, bytes.length >> 8, bytes.length), bytes])
}
