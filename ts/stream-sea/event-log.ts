import type { Entry } from './entry.js'

/** A change of a document. */
export type Write =
  | { readonly type: 'put'; readonly key: string; readonly value: string }
  | { readonly type: 'delete'; readonly key: string }

/** Messages to store in a stream, by the publishes that brought them; without any, the state of the stream is kept. */
export interface Append {
  readonly stream: number
  readonly publishes: readonly { readonly count: number; readonly key: string | undefined }[]
  readonly packed: Buffer
  /** ms since 1970-01-01 UTC; what is stored is never less than that of the entry before. */
  readonly time: number
}

/** Where a publish's messages are. */
export interface Published {
  readonly first: number
  readonly count: number
  /** Whether an earlier publish with its key had brought them. */
  readonly duplicate: boolean
}

/** What became of an {@link Append}. */
export interface Appended {
  /** What it added; other servers may have added between. */
  readonly entries: readonly Entry[]
  /** What became of each publish, in their order. */
  readonly published: readonly (Published | Error)[]
}

/** What is kept of a stream beside its entries and its schema. */
export interface StreamState {
  /** Offset of the oldest message that is kept. */
  readonly start: number
  /** Offset of the next message. */
  readonly next: number
  /** Bytes kept. */
  readonly bytes: number
  /** When the newest message was stored, ms since 1970-01-01 UTC. */
  readonly time: number
}

/** What others than this server do to a log that they share. */
export interface LogWatcher {
  /** A document of a jail (`j!`), client (`c!`) or stream (`s!`) was written, or deleted. */
  document(key: string, value: string | undefined): void
}

/**
 * What a server keeps: entries of streams, and documents by key. There are two: {@link LevelLog}, a directory of one
 * server, and {@link NatsLog}, which several servers share. Each says what its acknowledgement means.
 */
export interface EventLog {
  /** Begins to tell what other servers do. A log of one server tells nothing. */
  watch(watcher: LogWatcher): Promise<void>
  /**
   * Changes documents and appends messages. It resolves when all that it does not give an error of is kept as the log
   * promises; publishes are whole or not there at all.
   */
  commit(writes: readonly Write[], appends: readonly Append[]): Promise<Appended[]>
  get(key: string): Promise<string | undefined>
  /** The documents whose key begins with these parts, which end with `!`; in order. */
  list(prefix: string): Promise<[key: string, value: string][]>
  /** Makes the document of a stream where there is none; gives the number that the stream has. */
  createStream(key: string): Promise<number>
  /** Where a stream is; from now on `follow` gets what other servers append to it. */
  open(stream: number, follow: (entry: Entry) => void): Promise<StreamState>
  /** Where a stream is by now. */
  state(stream: number): Promise<StreamState>
  /** Which publish had an idempotency key. */
  findKey(stream: number, key: string): Promise<{ readonly first: number; readonly count: number } | undefined>
  /** Entries from the one on that holds an offset (or the next there is), until they have so many bytes. */
  read(stream: number, offset: number, bytes: number): Promise<Entry[]>
  /** Deletes the entries that end at or before an offset, with the keys in them. */
  trim(stream: number, offset: number): Promise<void>
  /** Deletes everything of a stream. */
  drop(stream: number): Promise<void>
  close(): Promise<void>
}

/** The first offset of which an entry was stored at or after a time; `next` where there is none. */
export async function offsetAtTime(
  log: EventLog,
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
