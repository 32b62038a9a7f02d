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

/** A change of the log. */
export type Write =
  | { readonly type: 'put'; readonly key: string; readonly value: string }
  | { readonly type: 'delete'; readonly key: string }
  | { readonly type: 'entry'; readonly stream: number; readonly entry: Entry }

/** What a server keeps: entries of streams, and documents by key. */
export interface Log {
  /** Makes all changes or none; resolves when they would survive a loss of power. */
  commit(writes: readonly Write[]): Promise<void>
  get(key: string): Promise<string | undefined>
  /** The documents whose key begins so, in order. */
  list(prefix: string): Promise<[key: string, value: string][]>
  /** Entries from the one on that holds an offset (or the next there is), until they have so many bytes. */
  read(stream: number, offset: number, bytes: number): Promise<Entry[]>
  /** Deletes the entries that end at or before an offset, with the keys in them; gives the bytes freed. */
  trim(stream: number, offset: number): Promise<number>
  /** Deletes everything of a stream. */
  drop(stream: number): Promise<void>
  close(): Promise<void>
}

/** The text of a message in packed ones. */
export function packedText(packed: Buffer, index: number): string {
  const from = index === 0 ? 0 : packed.readUInt32LE(4 * index)
  const data = 4 + 4 * packed.readUInt32LE(0)
  return packed.toString('utf8', data + from, data + packed.readUInt32LE(4 * index + 4))
}

/** The first offset of which an entry was stored at or after a time; `next` where there is none. */
export async function offsetAtTime(
  log: Log,
  stream: number,
  time: number,
  start: number,
  next: number,
): Promise<number> {
  let [low, high] = [start, next]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const [entry] = await log.read(stream, middle, 1)
    if (entry === undefined || entry.time >= time) high = Math.min(middle, entry?.first ?? middle)
    else low = Math.max(entry.first + entry.count, middle + 1)
  }
  return low
}
