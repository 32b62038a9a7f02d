import { mkdir } from 'node:fs/promises'
import { ClassicLevel } from 'classic-level'
import { type Entry, entryBytes, readEntry } from './entry.js'
import { streamSeaError } from './error-codes.js'
import type { Append, Appended, EventLog, Published, StreamState, Write } from './event-log.js'

const ENTRY = 0x65
const DOCUMENT = 0x64

type Operation = { type: 'put'; key: Buffer; value: Buffer } | { type: 'del'; key: Buffer }

const NEW: StreamState = { start: 0, next: 0, bytes: 0, time: 0 }
/** Bytes of a stream after which its state is kept again: so much is read when it is opened. */
const KEEP_STATE_EVERY = 4 << 20
/** Bytes that an entry counts for beside its messages. */
const ENTRY_COST = 4096

/**
 * A log in a directory of its own, by LevelDB. An acknowledgement means that the messages were appended to its journal
 * and `fdatasync` has returned: they survive a loss of power. A commit is all or nothing.
 */
export class LevelLog implements EventLog {
  readonly #database: ClassicLevel<Buffer, Buffer>
  readonly #states = new Map<number, StreamState>()
  /** Bytes of each stream since its state was kept. */
  readonly #unkept = new Map<number, number>()
  #lastNumber = 0

  private constructor(database: ClassicLevel<Buffer, Buffer>) {
    this.#database = database
  }

  /** Opens the log of a directory, which is made if it is not there. One process can have it open. */
  static async open(directory: string): Promise<LevelLog> {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const database = new ClassicLevel<Buffer, Buffer>(directory, {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
      // Entries are written once and read in order: large tables mean few merges.
      writeBufferSize: 16 << 20,
      maxFileSize: 16 << 20,
    })
    try {
      await database.open()
    } catch (cause) {
      const inner = (cause as { cause?: { code?: string } }).cause
      if (inner?.code === 'LEVEL_LOCKED') {
        throw streamSeaError('ERR_STREAMSEA_LOG_BUSY', `${directory} is open in another process`, { cause })
      }
      throw streamSeaError('ERR_STREAMSEA_LOG_FAILED', `${directory} does not open: ${inner ?? cause}`, { cause })
    }
    const log = new LevelLog(database)
    for (const [, value] of await log.list('s!')) log.#lastNumber = Math.max(log.#lastNumber, JSON.parse(value).number)
    return log
  }

  /** Nobody else writes to it. */
  watch(): Promise<void> {
    return Promise.resolve()
  }

  async commit(writes: readonly Write[], appends: readonly Append[]): Promise<Appended[]> {
    const operations: Operation[] = []
    for (const { type, key, ...rest } of writes) {
      if (type === 'delete') operations.push({ type: 'del', key: documentKey(key) })
      else operations.push({ type, key: documentKey(key), value: Buffer.from((rest as { value: string }).value) })
    }
    const gathered = appends.map((append) => this.#gather(append, operations))
    if (operations.length > 0) await this.#attempt(() => this.#database.batch(operations, { sync: true }))
    return gathered.map(({ stream, entry, published }) => {
      if (entry.count === 0) return { entries: [], published }
      const { start, bytes } = this.#stateOf(stream)
      const [next, all] = [entry.first + entry.count, bytes + entry.packed.length]
      this.#states.set(stream, { start, next, bytes: all, time: entry.time })
      return { entries: [entry], published }
    })
  }

  async get(key: string): Promise<string | undefined> {
    const value = await this.#attempt(() => this.#database.get(documentKey(key)))
    return value?.toString('utf8')
  }

  list(prefix: string): Promise<[string, string][]> {
    const from = documentKey(prefix)
    return this.#attempt(async () => {
      const found: [string, string][] = []
      for await (const [key, value] of this.#database.iterator({ gte: from, lt: after(from) })) {
        found.push([key.toString('utf8', 1), value.toString('utf8')])
      }
      return found
    })
  }

  async createStream(key: string): Promise<number> {
    const number = ++this.#lastNumber
    await this.commit([{ type: 'put', key, value: JSON.stringify({ number }) }], [])
    return number
  }

  async open(stream: number): Promise<StreamState> {
    const kept = await this.get(stateKey(stream))
    let state: StreamState = kept === undefined ? NEW : JSON.parse(kept)
    const [oldest] = await this.read(stream, 0, 1)
    // What retention let go of in its last moments was not kept: what is there is counted.
    if (oldest === undefined) state = { ...state, start: state.next, bytes: 0 }
    else if (oldest.first > state.start) state = { ...NEW, start: oldest.first, next: oldest.first }
    let entries: Entry[]
    do {
      entries = await this.read(stream, state.next, 1 << 20)
      for (const { first, count, time, packed } of entries) {
        state = { ...state, next: first + count, bytes: state.bytes + packed.length, time }
      }
    } while (entries.length > 0)
    this.#states.set(stream, state)
    return state
  }

  state(stream: number): Promise<StreamState> {
    return Promise.resolve(this.#stateOf(stream))
  }

  async findKey(stream: number, key: string): Promise<{ first: number; count: number } | undefined> {
    const known = await this.get(idempotencyKey(stream, key))
    if (known === undefined) return undefined
    const [first, count] = JSON.parse(known) as [number, number]
    return { first, count }
  }

  read(stream: number, offset: number, bytes: number): Promise<Entry[]> {
    return this.#attempt(async () => {
      const entries: Entry[] = []
      const here = entryKey(stream, offset)
      let from = here
      for await (const [key, value] of this.#database.iterator({
        gte: entryKey(stream, 0),
        lte: here,
        reverse: true,
        limit: 1,
      })) {
        const entry = readEntry(offsetOf(key), value)
        if (entry.first + entry.count > offset) from = key
      }
      let room = bytes
      for await (const [key, value] of this.#database.iterator({
        gte: from,
        lt: entryKey(stream + 1, 0),
        highWaterMarkBytes: bytes,
      })) {
        entries.push(readEntry(offsetOf(key), value))
        room -= value.length
        if (room <= 0) break
      }
      return entries
    })
  }

  trim(stream: number, offset: number): Promise<void> {
    return this.#attempt(async () => {
      let operations: Operation[] = []
      let [start, freed] = [0, 0]
      const letGo = async (sync: boolean): Promise<void> => {
        const trimmed = (state: StreamState): StreamState => ({
          ...state,
          start: Math.max(start, state.start),
          bytes: state.bytes - freed,
        })
        await this.#database.batch([...operations, stateOperation(stream, trimmed(this.#stateOf(stream)))], { sync })
        // Others may have appended meanwhile.
        this.#states.set(stream, trimmed(this.#stateOf(stream)))
        operations = []
        freed = 0
      }
      for await (const [key, value] of this.#database.iterator({
        gte: entryKey(stream, 0),
        lt: entryKey(stream, offset),
      })) {
        const entry = readEntry(offsetOf(key), value)
        const end = entry.first + entry.count
        if (end > offset) break
        start = end
        freed += entry.packed.length
        operations.push({ type: 'del', key })
        for (const [name] of entry.keys)
          operations.push({ type: 'del', key: documentKey(idempotencyKey(stream, name)) })
        if (operations.length >= 1000) await letGo(false)
      }
      await letGo(true)
    })
  }

  async drop(stream: number): Promise<void> {
    await this.#attempt(async () => {
      const keys = documentKey(idempotencyKey(stream, ''))
      await this.#database.clear({ gte: keys, lt: after(keys) })
      await this.#database.clear({ gte: entryKey(stream, 0), lt: entryKey(stream + 1, 0) })
      await this.#database.del(documentKey(stateKey(stream)))
    })
    this.#states.delete(stream)
    this.#unkept.delete(stream)
  }

  close(): Promise<void> {
    return this.#attempt(() => this.#database.close())
  }

  #stateOf(stream: number): StreamState {
    return this.#states.get(stream) ?? NEW
  }

  #gather(
    { stream, publishes, packed, time }: Append,
    operations: Operation[],
  ): { stream: number; entry: Entry; published: Published[] } {
    const state = this.#stateOf(stream)
    let first = state.next
    const published: Published[] = []
    const keys: [key: string, first: number, count: number][] = []
    for (const { count, key } of publishes) {
      published.push({ first, count, duplicate: false })
      if (key !== undefined) keys.push([key, first, count])
      first += count
    }
    const count = first - state.next
    const entry = { first: state.next, count, time: Math.max(state.time, time), keys, packed }
    if (count > 0) {
      operations.push({ type: 'put', key: entryKey(stream, entry.first), value: entryBytes(entry) })
      for (const [key, ...place] of keys) {
        const value = Buffer.from(JSON.stringify(place))
        operations.push({ type: 'put', key: documentKey(idempotencyKey(stream, key)), value })
      }
    }
    const unkept = (this.#unkept.get(stream) ?? 0) + packed.length + ENTRY_COST
    const isDue = count === 0 || unkept >= KEEP_STATE_EVERY
    this.#unkept.set(stream, isDue ? 0 : unkept)
    if (isDue) {
      const bytes = state.bytes + (count > 0 ? packed.length : 0)
      operations.push(stateOperation(stream, { start: state.start, next: first, bytes, time: entry.time }))
    }
    return { stream, entry, published }
  }

  async #attempt<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (cause) {
      throw streamSeaError('ERR_STREAMSEA_LOG_FAILED', `the log failed: ${(cause as Error).message}`, { cause })
    }
  }
}

/** The document that says which publish had an idempotency key. */
function idempotencyKey(stream: number, key: string): string {
  return `i!${stream}!${key}`
}

/** The document that says where a stream is. */
function stateKey(stream: number): string {
  return `p!${stream}`
}

function stateOperation(stream: number, state: StreamState): Operation {
  return { type: 'put', key: documentKey(stateKey(stream)), value: Buffer.from(JSON.stringify(state)) }
}

function entryKey(stream: number, offset: number): Buffer {
  const key = Buffer.allocUnsafe(13)
  key[0] = ENTRY
  key.writeUInt32BE(stream, 1)
  key.writeBigUInt64BE(BigInt(offset), 5)
  return key
}

function offsetOf(key: Buffer): number {
  return Number(key.readBigUInt64BE(5))
}

function documentKey(key: string): Buffer {
  return Buffer.concat([Buffer.of(DOCUMENT), Buffer.from(key)])
}

/** The first key behind those that begin so. */
function after(prefix: Buffer): Buffer {
  return Buffer.concat([prefix, Buffer.of(0xff)])
}
