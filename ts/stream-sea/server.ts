import { type Clock, systemClock, type Timer } from '../session/clock.js'
import type { MeasurandError } from '../session/errors.js'
import { COUNT, checkNumbers, WAIT } from '../session/number-options.js'
import { Stats } from '../session/stats.js'
import { StatusStream } from '../session/status.js'
import type { TlsOptions } from '../session/transport.js'
import { Committer } from './committer.js'
import type { Connection } from './connection.js'
import { type Client, Directory, RIGHTS } from './directory.js'
import { packedText } from './entry.js'
import { streamSeaError } from './error-codes.js'
import type { EventLog } from './event-log.js'
import type { Group } from './group.js'
import type { GroupState } from './group-offsets.js'
import { Groups, type SubscribeOptions } from './groups.js'
import { LevelLog } from './level-log.js'
import { Listener } from './listener.js'
import { checkedName, isName } from './names.js'
import { NatsLog } from './nats-log.js'
import type { Right } from './requests.js'
import { type Retention, trim } from './retention.js'
import { compareVersions, type SchemaDefinition, type SchemaVersion, sameFields } from './schema.js'
import type { Member, Seat } from './seat.js'
import type { Stream, Waiter } from './stream.js'
import { Streams } from './streams.js'

/** How a server behaves; everything has a default. */
export interface StreamSeaServerOptions {
  /** The directory of its log, which belongs to this server alone. */
  readonly data?: string
  /** Instead of `data` a log on NATS JetStream, `nats://HOST:PORT[/PREFIX]`, which several servers share. */
  readonly log?: string
  /** Bytes of a request's body, also after it was inflated; 16 MiB unless told. */
  readonly maxBodyBytes?: number
  /** Bytes of a WebSocket message from a client; 16 MiB unless told. */
  readonly maxMessageBytes?: number
  /** Subscriptions of one connection; 1,000 unless told. */
  readonly maxSubscriptions?: number
  /** WebSocket connections; 20,000 unless told. */
  readonly maxConnections?: number
  /** ms between pings; 25,000 unless told. The protocol asks for 30,000 at most. */
  readonly pingInterval?: number
  /** Whether a stream takes messages before it has a schema; not unless told. */
  readonly acceptUndefined?: boolean
  /** How long messages are kept; for ever unless told. */
  readonly retention?: Retention
  readonly tls?: TlsOptions
  readonly clock?: Clock
}

const STREAM_DEAD = '.dead'
/** ms between two looks at what is kept for too long. */
const RETAIN_EVERY = 10_000

/**
 * A stream-sea server with a durable log: what the closed one answers, and offsets, groups, acknowledgements.
 *
 * ```ts
 * const server = await StreamSeaServer.open({ data: './sea' })
 * const secret = await server.addClient('main', 'app123')
 * const [, port] = await server.listen(3104)
 * ```
 */
export class StreamSeaServer {
  readonly options: Required<Omit<StreamSeaServerOptions, 'tls' | 'clock' | 'retention' | 'data' | 'log'>> & {
    readonly retention: Retention
  }
  readonly clock: Clock
  readonly stats = new Stats()
  readonly status: StatusStream
  readonly #log: EventLog
  readonly #committer: Committer
  readonly #groups: Groups
  readonly #streams: Streams
  readonly #listener: Listener
  #directory!: Directory
  #retention: Timer | undefined
  #closed = false

  private constructor(log: LevelLog | NatsLog, options: StreamSeaServerOptions) {
    const counts = { maxBodyBytes: COUNT, maxMessageBytes: COUNT, maxSubscriptions: COUNT, maxConnections: COUNT }
    checkNumbers(options, { ...counts, pingInterval: WAIT })
    this.clock = options.clock ?? systemClock
    this.status = new StatusStream('stream-sea-server', this.clock)
    this.options = {
      maxBodyBytes: options.maxBodyBytes ?? 16 << 20,
      maxMessageBytes: options.maxMessageBytes ?? 16 << 20,
      maxSubscriptions: options.maxSubscriptions ?? 1000,
      maxConnections: options.maxConnections ?? 20_000,
      pingInterval: options.pingInterval ?? 25_000,
      acceptUndefined: options.acceptUndefined ?? false,
      retention: options.retention ?? {},
    }
    this.#log = log
    this.#committer = new Committer(log, () => this.now())
    this.#streams = new Streams(log)
    this.#groups = new Groups(log, this.#committer, log instanceof NatsLog ? log.peers : undefined, {
      clock: this.clock,
      deadLetter: (group, text) => void this.#deadLetter(group, text).catch((error) => this.report(error)),
      failed: (error) => this.report(error),
    })
    this.#listener = new Listener(this, options.tls)
  }

  /** Opens a log, and what is in it. */
  static async open(options: StreamSeaServerOptions): Promise<StreamSeaServer> {
    const { data, log: shared } = options
    if ((data === undefined) === (shared === undefined)) {
      throw streamSeaError('ERR_STREAMSEA_OPTION_INVALID', 'a server has a log in `data` or a `log` on NATS')
    }
    const log = shared === undefined ? await LevelLog.open(data as string) : await NatsLog.open(shared)
    try {
      const server = new StreamSeaServer(log, options)
      server.#directory = await Directory.open(log, (writes) => server.#committer.write(writes))
      await server.#streams.restore()
      await log.watch({ document: (key, value) => server.#changed(key, value) })
      return server
    } catch (error) {
      await log.close()
      throw error
    }
  }

  /** @internal */
  get directory(): Directory {
    return this.#directory
  }

  /** Makes a client, and its jail where there is none; gives the secret, which is drawn unless it is told. */
  async addClient(
    jail: string,
    id: string,
    options: { secret?: string; rights?: readonly Right[] } = {},
  ): Promise<string> {
    checkedName('jail', jail)
    checkedName('client', id)
    if (!this.#directory.hasJail(jail)) {
      await this.#directory.createJail(jail, jail).catch((error) => {
        // Somebody else was first, here or at another server.
        if (!this.#directory.hasJail(jail)) throw error
      })
    }
    return this.#directory.createClient(jail, id, '', options.rights ?? RIGHTS, options.secret)
  }

  /** Listens; resolves to `[true, port]`. */
  async listen(port: number, host = '127.0.0.1'): Promise<[true, number]> {
    const given = await this.#listener.listen(port, host)
    this.#retainSoon()
    this.status.emit('listening', { host, port: given })
    return [true, given]
  }

  /** ms since 1970-01-01 UTC. */
  now(): number {
    return Number(this.clock.now() / 1_000_000n)
  }

  /**
   * The streams of a jail.
   *
   * @internal
   */
  streamsOf(jail: string): Stream[] {
    return this.#streams.of(jail)
  }

  /**
   * The WebSocket connections that there are.
   *
   * @internal
   */
  get open(): Iterable<Connection> {
    return this.#listener.connections
  }

  /** How many WebSocket connections there are. */
  get connections(): number {
    return this.#listener.connections.size
  }

  /** @internal */
  stream(jail: string, name: string): Stream | undefined {
    return this.#streams.get(jail, name)
  }

  /**
   * The stream if messages can be published to it; a promise where it has to be made first.
   *
   * @internal
   */
  publishable(jail: string, name: string): Stream | undefined | Promise<Stream> {
    const stream = this.stream(jail, name)
    const { acceptUndefined } = this.options
    if (stream !== undefined) return stream.schema !== undefined || acceptUndefined ? stream : undefined
    return acceptUndefined && isName(name) ? this.#streams.make(jail, name) : undefined
  }

  /**
   * Publishes a body, `{"payload": X}`, to a stream; `done` is called when it is durable. What is wrong with the payload
   * is given; an error is given where the body is none.
   *
   * @internal
   */
  publish(
    stream: Stream,
    body: Uint8Array,
    key: string | undefined,
    done: Waiter['done'],
  ): string[] | undefined | Error | Promise<string[] | undefined> {
    const counted: Waiter['done'] = (error, published) => {
      if (error === undefined && !published.duplicate) this.stats.received += published.count
      if (error === undefined && published.duplicate) this.stats.duplicate += published.count
      done(error, published)
    }
    if (key !== undefined) return this.#committer.publishOnce(stream, body, key, counted)
    try {
      return this.#committer.publish(stream, body, counted)
    } catch (error) {
      return error as Error
    }
  }

  /** Defines a stream's schema as the protocol has it; gives the schema, or why not. */
  async define(jail: string, schema: SchemaDefinition): Promise<SchemaDefinition | string> {
    const stream = await this.#streams.make(jail, schema.name)
    const old = stream.schema
    if (old !== undefined) {
      const order = compareVersions(schema.version, old.version)
      if (order === 0) {
        if (sameFields(old.fields, schema.fields)) return old
        return `The version [${schema.version}] of the schema [${schema.name}] is already defined with other fields`
      }
      if (order < 0) return downgrade(schema.name, schema.version, old.version)
    } else compareVersions(schema.version, 0)
    // Publishes that are gathered already were checked by the old one.
    stream.schema = schema
    try {
      await this.#committer.write([this.#streams.document(stream, schema)])
    } catch (error) {
      if (stream.schema === schema) stream.schema = old
      // Another server was first: what it has defined is what this one is compared with.
      if ((error as MeasurandError).code === 'ERR_STREAMSEA_LOG_CONFLICT') return this.define(jail, schema)
      throw error
    }
    return schema
  }

  /** Deletes a jail with its streams and clients; their connections are closed. */
  async deleteJail(jail: string): Promise<void> {
    await this.#directory.deleteJail(jail)
    this.#listener.closeConnections((client) => client.jail === jail, 'the jail was deleted')
    await this.#committer.settled()
    for (const stream of this.streamsOf(jail)) {
      await this.#groups.drop(stream, this.#committer)
      await this.#committer.write([this.#streams.remove(stream)])
      await this.#log.drop(stream.number)
    }
  }

  /** Deletes a client; its connections are closed. */
  async deleteClient(id: string): Promise<void> {
    await this.#directory.deleteClient(id)
    this.#listener.closeConnections((client) => client.id === id, 'the client was deleted')
  }

  /**
   * The group of a subscription: made if it is not there. Gives a text where that cannot be.
   *
   * @internal
   */
  async group(
    client: Client,
    name: string,
    options: SubscribeOptions,
    groupId: string | undefined,
    group: string | undefined,
  ): Promise<Seat | string> {
    const stream = await this.#streams.make(client.jail, name)
    return this.#groups.find(client, stream, options, groupId, group)
  }

  /**
   * A subscription ends; its group with it if it was the last and the group has no name.
   *
   * @internal
   */
  leave(group: Seat, member: Member): void {
    this.#groups.leave(group, member)
  }

  /**
   * Resolves when the committed offsets of groups are durable.
   *
   * @internal
   */
  groupsKept(): Promise<void> {
    return this.#groups.kept()
  }

  /**
   * The named groups of a stream and how far they are, also those that nobody is in.
   *
   * @internal
   */
  groupsOf(stream: Stream): Promise<GroupState[]> {
    return this.#groups.of(stream)
  }

  /**
   * The newest messages of a stream, as text.
   *
   * @internal
   */
  async lastMessages(stream: Stream, count: number): Promise<{ offset: number; time: number; text: string }[]> {
    const from = Math.max(stream.start, stream.next - count)
    const messages: { offset: number; time: number; text: string }[] = []
    for (const entry of await stream.read(from, 1 << 20)) {
      for (let index = Math.max(0, from - entry.first); index < entry.count && messages.length < count; index++) {
        messages.push({ offset: entry.first + index, time: entry.time, text: packedText(entry.packed, index) })
      }
    }
    return messages
  }

  /** The audit log of a jail, newest last. */
  async auditLog(jail: string): Promise<unknown[]> {
    return (await this.#log.list(`a!${jail}!`)).map(([, line]) => JSON.parse(line))
  }

  /** Lets go of messages that are older or more than the retention says. */
  async retain(): Promise<void> {
    for (const stream of this.#streams) {
      await stream.refresh()
      if (!(await trim(stream, this.#log, this.options.retention, this.now()))) continue
      await stream.refresh()
      this.#committer.touch(stream)
    }
  }

  /** @internal */
  forget(connection: Connection): void {
    this.#listener.forget(connection)
  }

  /** Tells an error of the server's own that nobody else gets. */
  report(error: unknown): void {
    this.status.emit('failed', { error: String((error as Error)?.message ?? error) })
  }

  /** Ends it after what was published is durable: connections are closed, then the log. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#retention?.cancel()
    await this.#listener.close()
    await this.#committer.settled()
    await this.#groups.close()
    for (const stream of this.#streams) for (const group of stream.groups.values()) group.close()
    await this.#log.close()
    this.status.emit('closed')
    this.status.end()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Another server, or this one, has changed a document. */
  #changed(key: string, value: string | undefined): void {
    if (key.startsWith('s!')) this.#streams.changed(key, value).catch((error) => this.report(error))
    else {
      this.#directory.changed(key, value)
      const id = key.slice(2)
      if (key.startsWith('c!') && value === undefined) {
        this.#listener.closeConnections((client) => client.id === id, 'the client was deleted')
      }
    }
  }

  async #deadLetter(group: Group, text: string): Promise<void> {
    const stream = await this.#streams.make(group.stream.jail, `${group.stream.name}${STREAM_DEAD}`)
    const told = this.#committer.publish(stream, Buffer.from(`{"payload":[${text}]}`), (error) => {
      if (error !== undefined) this.report(error)
    })
    if (told !== undefined) this.report(new Error(`the dead-letter stream refuses: ${told.join('; ')}`))
  }

  #retainSoon(): void {
    this.#retention = this.clock.after(RETAIN_EVERY, () => {
      this.retain().catch((error) => this.report(error))
      this.#retainSoon()
    })
  }
}

function downgrade(name: string, version: SchemaVersion, old: SchemaVersion): string {
  return `The version pushed for the schema [${name}] is [${version}] but there is already an older version defined [${old}]`
}
