import { mkdir } from 'node:fs/promises'
import { ClassicLevel } from 'classic-level'
import { streamSeaError } from './error-codes.js'
import type { Entry, Log, Write } from './log.js'

const ENTRY = 0x65
const DOCUMENT = 0x64
/** Bytes before the packed messages: count, time, length of the keys. */
const HEAD = 16

type Operation = { type: 'put'; key: Buffer; value: Buffer } | { type: 'del'; key: Buffer }

/** A log in a directory of its own, by LevelDB: a commit is one append to its journal and one fdatasync. */
export class LevelLog implements Log {
  readonly #database: ClassicLevel<Buffer, Buffer>

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
    return new LevelLog(database)
  }

  async commit(writes: readonly Write[]): Promise<void> {
    const operations: Operation[] = []
    for (const write of writes) {
      if (write.type === 'put')
        operations.push({ type: 'put', key: documentKey(write.key), value: Buffer.from(write.value) })
      else if (write.type === 'delete') operations.push({ type: 'del', key: documentKey(write.key) })
      else pushEntry(operations, write.stream, write.entry)
    }
    await this.#attempt(() => this.#database.batch(operations, { sync: true }))
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
        const entry = readEntry(key, value)
        if (entry.first + entry.count > offset) from = key
      }
      let room = bytes
      for await (const [key, value] of this.#database.iterator({
        gte: from,
        lt: entryKey(stream + 1, 0),
        highWaterMarkBytes: bytes,
      })) {
        entries.push(readEntry(key, value))
        room -= value.length
        if (room <= 0) break
      }
      return entries
    })
  }

  trim(stream: number, offset: number): Promise<number> {
    return this.#attempt(async () => {
      const operations: Operation[] = []
      let freed = 0
      for await (const [key, value] of this.#database.iterator({
        gte: entryKey(stream, 0),
        lt: entryKey(stream, offset),
      })) {
        const entry = readEntry(key, value)
        if (entry.first + entry.count > offset) break
        freed += entry.packed.length
        operations.push({ type: 'del', key })
        for (const [name] of entry.keys)
          operations.push({ type: 'del', key: documentKey(idempotencyKey(stream, name)) })
        if (operations.length >= 1000) await this.#database.batch(operations.splice(0))
      }
      await this.#database.batch(operations, { sync: true })
      return freed
    })
  }

  async drop(stream: number): Promise<void> {
    await this.#attempt(async () => {
      const keys = documentKey(idempotencyKey(stream, ''))
      await this.#database.clear({ gte: keys, lt: after(keys) })
      await this.#database.clear({ gte: entryKey(stream, 0), lt: entryKey(stream + 1, 0) })
    })
  }

  close(): Promise<void> {
    return this.#attempt(() => this.#database.close())
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
export function idempotencyKey(stream: number, key: string): string {
  return `i!${stream}!${key}`
}

function pushEntry(operations: Operation[], stream: number, entry: Entry): void {
  const keys = Buffer.from(JSON.stringify(entry.keys))
  const head = Buffer.allocUnsafe(HEAD)
  head.writeUInt32LE(entry.count, 0)
  head.writeDoubleLE(entry.time, 4)
  head.writeUInt32LE(keys.length, 12)
  operations.push({ type: 'put', key: entryKey(stream, entry.first), value: Buffer.concat([head, keys, entry.packed]) })
  for (const [key, first, count] of entry.keys) {
    const value = Buffer.from(JSON.stringify([first, count]))
    operations.push({ type: 'put', key: documentKey(idempotencyKey(stream, key)), value })
  }
}

function readEntry(key: Buffer, value: Buffer): Entry {
  const packed = HEAD + value.readUInt32LE(12)
  return {
    first: Number(key.readBigUInt64BE(5)),
    count: value.readUInt32LE(0),
    time: value.readDoubleLE(4),
    keys: packed > HEAD + 2 ? JSON.parse(value.toString('utf8', HEAD, packed)) : [],
    packed: value.subarray(packed),
  }
}

function entryKey(stream: number, offset: number): Buffer {
  const key = Buffer.allocUnsafe(13)
  key[0] = ENTRY
  key.writeUInt32BE(stream, 1)
  key.writeBigUInt64BE(BigInt(offset), 5)
  return key
}

function documentKey(key: string): Buffer {
  return Buffer.concat([Buffer.of(DOCUMENT), Buffer.from(key)])
}

/** The first key behind those that begin so. */
function after(prefix: Buffer): Buffer {
  return Buffer.concat([prefix, Buffer.of(0xff)])
}
