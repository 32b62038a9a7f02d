/** What one commit added to a stream: messages that share a time. */
export interface Entry {
  /** Offset of the first message. */
  readonly first: number
  /** Messages. */
  readonly count: number
  /** When it was stored, ms since 1970-01-01 UTC; never less than that of the entry before. */
  readonly time: number
  /** Idempotency keys of the publishes in it, each with its first offset and count. */
  readonly keys: readonly (readonly [key: string, first: number, count: number])[]
  /** The messages: `u32 count`, `u32 end` of each, their text; little-endian. */
  readonly packed: Buffer
}

/** Bytes before the keys: count, time, length of the keys. */
const HEAD = 16

/** An entry as a log keeps it; its first offset is known by where it is kept. */
export function entryBytes({ count, time, keys, packed }: Entry): Buffer {
  const text = Buffer.from(JSON.stringify(keys))
  const head = Buffer.allocUnsafe(HEAD)
  head.writeUInt32LE(count, 0)
  head.writeDoubleLE(time, 4)
  head.writeUInt32LE(text.length, 12)
  return Buffer.concat([head, text, packed])
}

/** Reads what {@link entryBytes} wrote. */
export function readEntry(first: number, bytes: Buffer): Entry {
  const packed = HEAD + bytes.readUInt32LE(12)
  return {
    first,
    count: bytes.readUInt32LE(0),
    time: bytes.readDoubleLE(4),
    keys: packed > HEAD + 2 ? JSON.parse(bytes.toString('utf8', HEAD, packed)) : [],
    packed: bytes.subarray(packed),
  }
}

/** The text of a message in packed ones. */
export function packedText(packed: Buffer, index: number): string {
  const data = dataOf(packed)
  return packed.toString('utf8', data + endOf(packed, index - 1), data + endOf(packed, index))
}

/** Packed messages `from` to `to` of others, packed by themselves. */
export function packedSlice(packed: Buffer, from: number, to: number): Buffer {
  const data = dataOf(packed)
  const start = endOf(packed, from - 1)
  const slice = Buffer.allocUnsafe(4 + 4 * (to - from) + endOf(packed, to - 1) - start)
  slice.writeUInt32LE(to - from, 0)
  for (let index = from; index < to; index++) {
    slice.writeUInt32LE(endOf(packed, index) - start, 4 + 4 * (index - from))
  }
  packed.copy(slice, 4 + 4 * (to - from), data + start, data + endOf(packed, to - 1))
  return slice
}

/** Bytes that packed messages `from` to `to` of others take when they are packed by themselves. */
export function packedSliceLength(packed: Buffer, from: number, to: number): number {
  return 4 + 4 * (to - from) + endOf(packed, to - 1) - endOf(packed, from - 1)
}

function dataOf(packed: Buffer): number {
  return 4 + 4 * packed.readUInt32LE(0)
}

function endOf(packed: Buffer, index: number): number {
  return index < 0 ? 0 : packed.readUInt32LE(4 + 4 * index)
}
