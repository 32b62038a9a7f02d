import { streamSeaError } from './error-codes.js'
import type { Append, Appended, EventLog, Published, Write } from './event-log.js'
import type { Stream, Waiter } from './stream.js'

interface Change {
  readonly writes: readonly Write[]
  done(error?: Error): void
}

const NOWHERE: Published = { first: 0, count: 0, duplicate: false }

/** ms that a publish waits for others to share its flush, at most. */
const MAX_WINDOW = 2

/**
 * Makes publishes durable together. While one commit is under way the next one gathers: under load many publishes share
 * a flush, without load one waits for nobody.
 */
export class Committer {
  readonly #log: EventLog
  readonly #now: () => number
  readonly #dirty = new Set<Stream>()
  #changes: Change[] = []
  #running = false
  /** Publishes that the next commit has so far, and those that it can expect. */
  #gathered = 0
  #expected = 0
  /** ms that a flush takes, of late. */
  #flushTime = 0
  #idle: (() => void)[] = []

  /** @param now ms since 1970-01-01 UTC */
  constructor(log: EventLog, now: () => number) {
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
    this.#add(stream, { count: added, key: undefined, done })
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
      for (const late of stream.pendingKeys.get(key) ?? []) late.done(error, NOWHERE)
      stream.pendingKeys.delete(key)
    }
    try {
      const known = await this.#log.findKey(stream.number, key)
      if (known !== undefined) {
        const published = { ...known, duplicate: true }
        for (const waiter of [{ done }, ...(stream.pendingKeys.get(key) ?? [])]) waiter.done(undefined, published)
        stream.pendingKeys.delete(key)
        return undefined
      }
      const added = stream.gathering.append(body, stream.compiled)
      if (typeof added !== 'number') {
        refuse(streamSeaError('ERR_STREAMSEA_PAYLOAD_INVALID', 'the first publish with the key was refused'))
        return added
      }
      this.#add(stream, { count: added, key, done })
      return undefined
    } catch (error) {
      refuse(error as Error)
      throw error
    }
  }

  /** Makes what is kept of a stream beside its entries durable. */
  touch(stream: Stream): void {
    this.#dirty.add(stream)
    this.#start()
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

  #add(stream: Stream, waiter: Waiter): void {
    stream.waiting.push(waiter)
    this.#gathered++
    this.touch(stream)
  }

  #start(): void {
    if (this.#running) return
    this.#running = true
    // What other sockets have sent by now is read first, and shares the flush.
    setImmediate(() => void this.#run())
  }

  async #run(): Promise<void> {
    while (this.#dirty.size > 0 || this.#changes.length > 0) {
      await this.#gather()
      await this.#commit()
    }
    this.#running = false
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  /**
   * Who has just had an answer is likely to publish again: as many as the last commit served are waited for, no longer
   * than a flush takes. So those who wait for their answers share one flush, and do not queue for two halves of them.
   */
  async #gather(): Promise<void> {
    // It is the disk that is measured, in its own time.
    const end = performance.now() + Math.min(MAX_WINDOW, this.#flushTime)
    while (this.#gathered < this.#expected && this.#changes.length === 0 && performance.now() < end) {
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
  }

  async #commit(): Promise<void> {
    const streams = [...this.#dirty]
    const waiting = streams.map((stream) => stream.waiting)
    const appends = streams.map((stream): Append => {
      const append = { stream: stream.number, publishes: stream.waiting, time: this.#now() }
      stream.waiting = []
      return { ...append, packed: stream.gathering.pack(0) }
    })
    const changes = this.#changes
    const served = this.#gathered
    this.#dirty.clear()
    this.#changes = []
    this.#gathered = 0
    const begun = performance.now()
    let failure: Error | undefined
    let appended: Appended[] = []
    try {
      appended = await this.#log.commit(
        changes.flatMap(({ writes }) => writes),
        appends,
      )
    } catch (error) {
      failure = error as Error
    }
    this.#flushTime += 0.2 * (performance.now() - begun - this.#flushTime)
    this.#expected = served + this.#gathered
    for (const change of changes) change.done(failure)
    for (const [index, stream] of streams.entries()) {
      const { published, entries } = appended[index] ?? { published: [], entries: [] }
      settle(stream, waiting[index] ?? [], published, failure)
      for (const entry of entries) stream.append(entry)
    }
  }
}

function settle(
  stream: Stream,
  waiters: readonly Waiter[],
  published: readonly (Published | Error)[],
  failure: Error | undefined,
): void {
  for (const [index, waiter] of waiters.entries()) {
    const outcome = failure ?? published[index] ?? streamSeaError('ERR_STREAMSEA_LOG_FAILED', 'the log gave no answer')
    const [error, place] = outcome instanceof Error ? [outcome, NOWHERE] : [undefined, outcome]
    waiter.done(error, place)
    if (waiter.key === undefined) continue
    for (const late of stream.pendingKeys.get(waiter.key) ?? []) late.done(error, { ...place, duplicate: true })
    stream.pendingKeys.delete(waiter.key)
  }
}
