import type { MeasurandError } from '../session/errors.js'
import type { Entry } from './entry.js'
import { streamSeaError } from './error-codes.js'
import type { Append, Appended, EventLog, LogWatcher, StreamState, Write } from './event-log.js'
import { connectNats, type Nats } from './nats-connection.js'
import { NatsDocuments } from './nats-documents.js'
import { NatsPeers } from './nats-peers.js'
import { NatsStream } from './nats-stream.js'

/**
 * A log on NATS JetStream, which several servers share: their streams, schemas, clients and groups. An acknowledgement
 * means that JetStream has acknowledged: with `sync_interval: always` in the configuration of nats-server the messages
 * survive a loss of power as those of {@link LevelLog} do; with its default of two minutes they survive the end of any
 * process, and with `replicas` of 3 or more the loss of a machine.
 */
export class NatsLog implements EventLog {
  readonly peers: NatsPeers
  readonly #nats: Nats
  readonly #documents: NatsDocuments
  readonly #streams = new Map<number, NatsStream>()

  private constructor(nats: Nats, documents: NatsDocuments, peers: NatsPeers) {
    this.#nats = nats
    this.#documents = documents
    this.peers = peers
  }

  /** Connects as {@link connectNats} does. Servers with one prefix share a log. */
  static async open(url: string): Promise<NatsLog> {
    const nats = await connectNats(url)
    try {
      return await attempt(async () => new NatsLog(nats, await NatsDocuments.open(nats), await NatsPeers.open(nats)))
    } catch (error) {
      await nats.connection.close()
      throw error
    }
  }

  watch(watcher: LogWatcher): Promise<void> {
    return attempt(() => this.#documents.watch(watcher))
  }

  async commit(writes: readonly Write[], appends: readonly Append[]): Promise<Appended[]> {
    const [appended] = await Promise.all([
      Promise.all(appends.map((append) => this.#append(append))),
      attempt(() => this.#documents.write(writes)),
    ])
    return appended
  }

  get(key: string): Promise<string | undefined> {
    return attempt(() => this.#documents.get(key))
  }

  list(prefix: string): Promise<[string, string][]> {
    return attempt(() => this.#documents.list(prefix))
  }

  createStream(key: string): Promise<number> {
    return attempt(async () => {
      const { value = '{}', revision } = await this.#documents.create(key, '{}')
      const { number = revision, ...rest } = JSON.parse(value) as { number?: number }
      if (value === '{}') await this.#number(key, JSON.stringify({ number, ...rest }))
      return number
    })
  }

  open(stream: number, follow: (entry: Entry) => void): Promise<StreamState> {
    const opened = new NatsStream(this.#nats, stream)
    this.#streams.set(stream, opened)
    return attempt(() => opened.open(follow))
  }

  state(stream: number): Promise<StreamState> {
    return attempt(() => this.#stream(stream).state())
  }

  findKey(stream: number, key: string): Promise<{ first: number; count: number } | undefined> {
    return attempt(() => this.#stream(stream).findKey(key))
  }

  read(stream: number, offset: number, bytes: number): Promise<Entry[]> {
    return attempt(() => this.#stream(stream).read(offset, bytes))
  }

  trim(stream: number, offset: number): Promise<void> {
    return attempt(() => this.#stream(stream).trim(offset))
  }

  async drop(stream: number): Promise<void> {
    const dropped = this.#streams.get(stream)
    this.#streams.delete(stream)
    if (dropped !== undefined) await attempt(() => dropped.drop())
  }

  async close(): Promise<void> {
    await this.#documents.close()
    this.peers.close()
    await Promise.all([...this.#streams.values()].map((stream) => stream.close()))
    await this.#nats.connection.drain()
  }

  #append(append: Append): Promise<Appended> {
    if (append.publishes.length === 0) return Promise.resolve({ entries: [], published: [] })
    return attempt(() => this.#stream(append.stream).append(append))
  }

  /** Several servers may want to give the same number to a stream: one does. */
  async #number(key: string, value: string): Promise<void> {
    try {
      await this.#documents.write([{ type: 'put', key, value }])
    } catch (error) {
      if ((error as MeasurandError).code !== 'ERR_STREAMSEA_LOG_CONFLICT') throw error
    }
  }

  #stream(number: number): NatsStream {
    const stream = this.#streams.get(number)
    if (stream !== undefined) return stream
    throw streamSeaError('ERR_STREAMSEA_LOG_FAILED', 'the stream was deleted')
  }
}

async function attempt<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (String((cause as { code?: unknown }).code).startsWith('ERR_')) throw cause
    throw streamSeaError('ERR_STREAMSEA_LOG_FAILED', `NATS failed: ${(cause as Error).message}`, { cause })
  }
}
