import type { JsMsg } from '@nats-io/jetstream'
import { streamSeaError } from './error-codes.js'
import type { LogWatcher, Write } from './event-log.js'
import { ensureStream, isConflict, type Nats } from './nats-connection.js'
import { NatsFollower } from './nats-follower.js'

/** Kinds of documents that every server has in memory; changes of them are refused where another one was first. */
const WATCHED = ['j', 'c', 's']
const TEXT = new TextDecoder()

interface Document {
  readonly key: string
  readonly value: string | undefined
  readonly revision: number
}

/** Documents by key, the last of each, in one JetStream stream: a subject a key. A deleted one is an empty message. */
export class NatsDocuments {
  readonly #nats: Nats
  readonly #stream: string
  readonly #revisions = new Map<string, number>()
  #watcher: LogWatcher | undefined
  #follower: NatsFollower | undefined

  private constructor(nats: Nats) {
    this.#nats = nats
    this.#stream = nats.prefix
  }

  static async open(nats: Nats): Promise<NatsDocuments> {
    const documents = new NatsDocuments(nats)
    await ensureStream(nats, {
      name: nats.prefix,
      subjects: [`${nats.prefix}.d.>`],
      max_msgs_per_subject: 1,
    })
    return documents
  }

  /** Tells what there is, then every change, those that this server makes among them; resolves in between. */
  async watch(watcher: LogWatcher): Promise<void> {
    this.#watcher = watcher
    const subjects = WATCHED.map((kind) => `${this.#stream}.d.${kind}.>`)
    let isKnown: () => void = () => {}
    const known = new Promise<void>((resolve) => {
      isKnown = resolve
    })
    const take = ({ subject, data, seq, info }: JsMsg): void => {
      this.#take({ key: this.#key(subject), value: textOf(data), revision: seq })
      if (info.pending === 0) isKnown()
    }
    const [follower, pending] = await NatsFollower.start(this.#nats, { stream: this.#stream, subjects }, take)
    this.#follower = follower
    if (pending > 0) await known
  }

  async write(writes: readonly Write[]): Promise<void> {
    await Promise.all(
      writes.map((write) => this.#put(write.key, write.type === 'put' ? write.value : undefined).then(() => undefined)),
    )
  }

  async get(key: string): Promise<string | undefined> {
    return (await this.#find(key))?.value
  }

  async list(prefix: string): Promise<[string, string][]> {
    const { js, api } = this.#nats
    const filter = `${this.#stream}.d.${tokens(prefix.slice(0, -1))}.>`
    const consumer = await js.consumers.get(this.#stream, {
      filter_subjects: [filter],
      deliver_policy: api.DeliverPolicy.LastPerSubject,
    })
    const { num_pending } = await consumer.info()
    if (num_pending === 0) return []
    const found: [string, string][] = []
    const messages = await consumer.consume()
    for await (const { subject, data, info } of messages) {
      const value = textOf(data)
      if (value !== undefined) found.push([this.#key(subject), value])
      if (info.pending === 0) break
    }
    await messages.close()
    return found.sort(([a], [b]) => (a < b ? -1 : 1))
  }

  /** Writes a document where there is none; gives it, or the one that there is, with its revision. */
  async create(key: string, value: string): Promise<Document> {
    for (;;) {
      const found = await this.#find(key)
      if (found?.value !== undefined) return found
      try {
        this.#revisions.set(key, found?.revision ?? 0)
        return { key, value, revision: await this.#put(key, value) }
      } catch (error) {
        if ((error as { code?: string }).code !== 'ERR_STREAMSEA_LOG_CONFLICT') throw error
      }
    }
  }

  async close(): Promise<void> {
    await this.#follower?.close()
  }

  async #put(key: string, value: string | undefined): Promise<number> {
    const isWatched = WATCHED.some((kind) => key.startsWith(`${kind}!`))
    const expect = isWatched ? { lastSubjectSequence: this.#revisions.get(key) ?? 0 } : {}
    try {
      const { seq } = await this.#nats.js.publish(this.#subject(key), value ?? '', { expect })
      if (isWatched) this.#revisions.set(key, Math.max(seq, this.#revisions.get(key) ?? 0))
      return seq
    } catch (cause) {
      if (!isConflict(cause)) throw cause
      const found = await this.#find(key)
      if (found !== undefined) this.#take(found)
      throw streamSeaError('ERR_STREAMSEA_LOG_CONFLICT', `another server has just changed ${key.split('!')[1]}`, {
        cause,
      })
    }
  }

  async #find(key: string): Promise<Document | undefined> {
    const message = await this.#nats.jsm.streams.getMessage(this.#stream, { last_by_subj: this.#subject(key) })
    return message === null ? undefined : { key, value: textOf(message.data), revision: message.seq }
  }

  #take({ key, value, revision }: Document): void {
    if (revision < (this.#revisions.get(key) ?? 0)) return
    this.#revisions.set(key, revision)
    this.#watcher?.document(key, value)
  }

  #subject(key: string): string {
    return `${this.#stream}.d.${tokens(key)}`
  }

  #key(subject: string): string {
    return subject.split('.').slice(2).map(decodeURIComponent).join('!')
  }
}

function tokens(key: string): string {
  return key
    .split('!')
    .map((part) => encodeURIComponent(part).replaceAll('.', '%2E').replaceAll('*', '%2A'))
    .join('.')
}

function textOf(data: Uint8Array): string | undefined {
  return data.length === 0 ? undefined : TEXT.decode(data)
}
