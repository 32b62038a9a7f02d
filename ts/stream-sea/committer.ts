import { streamSeaError } from './error-codes.js'
import { idempotencyKey } from './level-log.js'
import type { Entry, Log, Write } from './log.js'
import type { Published, Stream, Waiter } from './stream.js'

interface Change {
  readonly writes: readonly Write[]
  done(error?: Error): void
}

/**
 * Makes publishes durable together. While one commit is under way the next one gathers: under load many publishes share
 * a flush, without load one waits for nobody.
 */
export class Committer {
  readonly #log: Log
  readonly #now: () => number
  readonly #dirty = new Set<Stream>()
  #changes: Change[] = []
  #running = false
  #idle: (() => void)[] = []

  /** @param now ms since 1970-01-01 UTC */
  constructor(log: Log, now: () => number) {
    this.#log = log
    this.#now = now
  }

  /**
   * Appends a publish's body to a stream. `done` is called when its messages are durable; what is wrong with them is
   * given at once, or thrown.
   */
  publish(stream: Stream, body: Uint8Array, done: Waiter['done']): string[] | undefined {
    const added = stream.gathering.append(body, stream.compiled)
    if (typeof added !== 'number') return added
    stream.waiting.push({ count: added, key: undefined, done })
    this.#schedule(stream)
    return undefined
  }

  /** {@link publish} with a key: of publishes with one key the stream keeps the first. */
  async publishOnce(
    stream: Stream,
    body: Uint8Array,
    key: string,
    done: Waiter['done'],
  ): Promise<string[] | undefined> {
    const pending = stream.pendingKeys.get(key)
    if (pending !== undefined) {
      pending.push({ count: 0, key, done })
      return undefined
    }
    // Reserved before the log is asked: a second publish with the key waits for what becomes of this one.
    stream.pendingKeys.set(key, [])
    const refuse = (error: Error): void => {
      for (const late of stream.pendingKeys.get(key) ?? []) late.done(error, { first: 0, count: 0, duplicate: false })
      stream.pendingKeys.delete(key)
    }
    try {
      const known = await this.#log.get(idempotencyKey(stream.number, key))
      if (known !== undefined) {
        const [first, count] = JSON.parse(known) as [number, number]
        const published = { first, count, duplicate: true }
        for (const waiter of [{ done }, ...(stream.pendingKeys.get(key) ?? [])]) waiter.done(undefined, published)
        stream.pendingKeys.delete(key)
        return undefined
      }
      const added = stream.gathering.append(body, stream.compiled)
      if (typeof added !== 'number') {
        refuse(streamSeaError('ERR_STREAMSEA_PAYLOAD_INVALID', 'the first publish with the key was refused'))
        return added
      }
      stream.waiting.push({ count: added, key, done })
      this.#schedule(stream)
      return undefined
    } catch (error) {
      refuse(error as Error)
      throw error
    }
  }

  /** Makes what is kept of a stream beside its entries durable. */
  touch(stream: Stream): void {
    this.#schedule(stream)
  }

  /** Makes changes of documents durable. */
  write(writes: readonly Write[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#changes.push({ writes, done: (error) => (error === undefined ? resolve() : reject(error)) })
      this.#start()
    })
  }

  /** Resolves when nothing waits. */
  async settled(): Promise<void> {
    if (this.#running) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  #schedule(stream: Stream): void {
    this.#dirty.add(stream)
    this.#start()
  }

  #start(): void {
    if (this.#running) return
    this.#running = true
    // What other sockets have sent by now is read first, and shares the flush.
    setImmediate(() => void this.#run())
  }

  async #run(): Promise<void> {
    while (this.#dirty.size > 0 || this.#changes.length > 0) await this.#commit()
    this.#running = false
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  async #commit(): Promise<void> {
    const streams = [...this.#dirty].map((stream) => ({
      stream,
      entry: this.#gathered(stream),
      waiters: stream.waiting,
    }))
    for (const { stream } of streams) stream.waiting = []
    const changes = this.#changes
    this.#dirty.clear()
    this.#changes = []
    const writes = changes.flatMap((change) => change.writes)
    for (const { stream, entry } of streams) {
      const { start, bytes } = stream
      const state = {
        start,
        next: entry.first + entry.count,
        bytes: entry.count > 0 ? bytes + entry.packed.length : bytes,
        time: entry.time,
      }
      if (entry.count > 0) writes.push({ type: 'entry', stream: stream.number, entry })
      writes.push({ type: 'put', key: `p!${stream.number}`, value: JSON.stringify(state) })
    }
    let failure: Error | undefined
    try {
      if (writes.length > 0) await this.#log.commit(writes)
    } catch (error) {
      failure = error as Error
    }
    for (const change of changes) change.done(failure)
    for (const { stream, entry, waiters } of streams) {
      settle(stream, entry.first, waiters, failure)
      if (failure === undefined && entry.count > 0) stream.append(entry)
    }
  }

  #gathered(stream: Stream): Entry {
    const count = stream.gathering.length
    const keys: [string, number, number][] = []
    let first = stream.next
    for (const waiter of stream.waiting) {
      if (waiter.key !== undefined) keys.push([waiter.key, first, waiter.count])
      first += waiter.count
    }
    const time = Math.max(stream.time, this.#now())
    return { first: stream.next, count, time, keys, packed: stream.gathering.pack(0) }
  }
}

function settle(stream: Stream, first: number, waiters: readonly Waiter[], failure: Error | undefined): void {
  let offset = first
  for (const waiter of waiters) {
    const published: Published = { first: offset, count: waiter.count, duplicate: false }
    offset += waiter.count
    waiter.done(failure, published)
    if (waiter.key === undefined) continue
    for (const late of stream.pendingKeys.get(waiter.key) ?? []) late.done(failure, { ...published, duplicate: true })
    stream.pendingKeys.delete(waiter.key)
  }
}
