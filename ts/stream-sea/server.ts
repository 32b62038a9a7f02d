import { createServer, type Server as HttpServer, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { type Clock, systemClock, type Timer } from '../session/clock.js'
import { sessionError } from '../session/error-codes.js'
import { Stats } from '../session/stats.js'
import { StatusStream } from '../session/status.js'
import type { TlsOptions } from '../session/transport.js'
import { Committer } from './committer.js'
import { Connection, type SubscribeOptions } from './connection.js'
import { type Client, Directory, RIGHTS } from './directory.js'
import { Endpoints } from './endpoints.js'
import { Group, type GroupHost, type Member } from './group.js'
import { GroupOffsets, type GroupState } from './group-offsets.js'
import { LevelLog } from './level-log.js'
import { type Log, offsetAtTime, packedText } from './log.js'
import { checkedName } from './names.js'
import { secureOptions } from './remote.js'
import type { Right } from './requests.js'
import { type Retention, trim } from './retention.js'
import { compareVersions, type SchemaDefinition, type SchemaVersion, sameFields } from './schema.js'
import { Stream, type StreamState, type Waiter } from './stream.js'

/** How a server behaves; everything has a default. */
export interface StreamSeaServerOptions {
  /** The directory of its log. */
  readonly data: string
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
  readonly options: Required<Omit<StreamSeaServerOptions, 'tls' | 'clock' | 'retention'>> & {
    readonly retention: Retention
  }
  readonly clock: Clock
  readonly stats = new Stats()
  readonly status: StatusStream
  readonly #log: Log
  readonly #committer: Committer
  readonly #offsets: GroupOffsets
  readonly #streams = new Map<string, Stream>()
  readonly #connections = new Set<Connection>()
  readonly #http: HttpServer
  readonly #webSockets: WebSocketServer
  readonly #host: GroupHost
  #directory!: Directory
  #nextNumber = 1
  #timers: Timer[] = []
  #closed = false

  private constructor(log: Log, options: StreamSeaServerOptions) {
    this.clock = options.clock ?? systemClock
    this.status = new StatusStream('stream-sea-server', this.clock)
    this.options = {
      data: options.data,
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
    this.#offsets = new GroupOffsets(log, this.#committer, this.clock, (error) => this.report(error))
    this.#host = {
      clock: this.clock,
      commit: (group, offset) => this.#offsets.moved(group, offset),
      deadLetter: (group, text) => this.#deadLetter(group, text),
      failed: (error) => this.report(error),
    }
    this.#webSockets = new WebSocketServer({
      noServer: true,
      maxPayload: this.options.maxMessageBytes,
      perMessageDeflate: false,
      skipUTF8Validation: false,
    })
    const endpoints = new Endpoints(this)
    const handle: RequestListener = (request, response) => endpoints.handle(request, response)
    const { tls } = options
    const limits = { keepAliveTimeout: 65_000, headersTimeout: 30_000, requestTimeout: 60_000, maxHeaderSize: 16_384 }
    this.#http =
      tls === undefined
        ? createServer(limits, handle)
        : createSecureServer(
            {
              ...limits,
              ...secureOptions({ tls, remoteHost: '' }),
              requestCert: tls.verify ?? false,
              rejectUnauthorized: tls.verify ?? false,
            },
            handle,
          )
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
    this.#http.on('clientError', (_, socket) => {
      if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
    })
  }

  /** Opens the log of a directory, and what is in it. */
  static async open(options: StreamSeaServerOptions): Promise<StreamSeaServer> {
    const log = await LevelLog.open(options.data)
    const server = new StreamSeaServer(log, options)
    server.#directory = await Directory.open(log, (writes) => server.#committer.write(writes))
    await server.#restore()
    return server
  }

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
    if (!this.#directory.hasJail(jail)) await this.#directory.createJail(jail, jail)
    return this.#directory.createClient(jail, id, '', options.rights ?? RIGHTS, options.secret)
  }

  /** Listens; resolves to `[true, port]`. */
  listen(port: number, host = '127.0.0.1'): Promise<[true, number]> {
    return new Promise((resolve, reject) => {
      const fail = (error: NodeJS.ErrnoException): void => {
        const code = error.code === 'EADDRINUSE' ? 'ERR_SESSION_ADDRESS_IN_USE' : 'ERR_SESSION_CONNECT_FAILED'
        reject(
          sessionError(code, `cannot listen on ${host}:${port}: ${error.message}`, {
            system: 'stream-sea',
            cause: error,
          }),
        )
      }
      this.#http.once('error', fail)
      this.#http.listen(port, host, 4096, () => {
        this.#http.off('error', fail)
        this.#every(this.options.pingInterval, () => this.#pingAll())
        this.#every(10_000, () => this.retain().catch((error) => this.report(error)))
        const { port: given } = this.#http.address() as AddressInfo
        this.status.emit('listening', { host, port: given })
        resolve([true, given])
      })
    })
  }

  /** ms since 1970-01-01 UTC. */
  now(): number {
    return Number(this.clock.now() / 1_000_000n)
  }

  /** The streams of a jail. */
  streamsOf(jail: string): Stream[] {
    return [...this.#streams.values()].filter((stream) => stream.jail === jail)
  }

  /** The WebSocket connections that there are. */
  get open(): Iterable<Connection> {
    return this.#connections.values()
  }

  /** How many WebSocket connections there are. */
  get connections(): number {
    return this.#connections.size
  }

  stream(jail: string, name: string): Stream | undefined {
    return this.#streams.get(streamKey(jail, name))
  }

  /** The stream if messages can be published to it. */
  publishable(jail: string, name: string): Stream | undefined {
    const stream = this.stream(jail, name)
    if (stream?.schema !== undefined || (stream !== undefined && this.options.acceptUndefined)) return stream
    return this.options.acceptUndefined ? this.#makeStream(jail, name) : undefined
  }

  /**
   * Publishes a body, `{"payload": X}`, to a stream; `done` is called when it is durable. What is wrong with the payload
   * is given; an error is given where the body is none.
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
    const stream = this.stream(jail, schema.name) ?? this.#makeStream(jail, schema.name)
    const old = stream.schema
    if (old !== undefined) {
      const order = compareVersions(schema.version, old.version)
      if (order === 0) {
        if (sameFields(old.fields, schema.fields)) return old
        return `The version [${schema.version}] of the schema [${schema.name}] is already defined with other fields`
      }
      if (order < 0) return downgrade(schema.name, schema.version, old.version)
    } else compareVersions(schema.version, 0)
    const before = stream.schema
    // Publishes that are gathered already were checked by the old one.
    stream.schema = schema
    try {
      await this.#committer.write([
        { type: 'put', key: `s!${jail}!${schema.name}`, value: JSON.stringify({ number: stream.number, schema }) },
      ])
    } catch (error) {
      stream.schema = before
      throw error
    }
    return schema
  }

  /** Deletes a jail with its streams and clients; their connections are closed. */
  async deleteJail(jail: string): Promise<void> {
    await this.#directory.deleteJail(jail)
    for (const connection of this.#connections) {
      if (connection.client?.jail === jail) connection.close(4003, 'the jail was deleted')
    }
    await this.#committer.settled()
    for (const stream of this.streamsOf(jail)) {
      this.#streams.delete(streamKey(jail, stream.name))
      for (const group of stream.groups.values()) group.close()
      const groups = await this.#offsets.removal(stream)
      await this.#committer.write([
        ...groups,
        { type: 'delete', key: `s!${jail}!${stream.name}` },
        { type: 'delete', key: `p!${stream.number}` },
      ])
      await this.#log.drop(stream.number)
    }
  }

  /** Deletes a client; its connections are closed. */
  async deleteClient(id: string): Promise<void> {
    await this.#directory.deleteClient(id)
    for (const connection of this.#connections) {
      if (connection.client?.id === id) connection.close(4003, 'the client was deleted')
    }
  }

  /** The group of a subscription: made if it is not there. Gives a text where that cannot be. */
  async group(
    client: Client,
    name: string,
    options: SubscribeOptions,
    groupId: string | undefined,
    group: string | undefined,
  ): Promise<Group | string> {
    const stream = this.stream(client.jail, name) ?? this.#makeStream(client.jail, name)
    const key = group === undefined ? `${client.id} ${groupId?.toLowerCase() ?? ''}` : `${client.id} =${group}`
    const found = stream.groups.get(key)
    if (found !== undefined) {
      if (found.options.acknowledge !== options.acknowledge)
        return 'the group acknowledges, or does not, as its first member said'
      return found
    }
    const kept = group === undefined ? undefined : await this.#offsets.find(stream, client.id, group)
    const position = kept === undefined ? await this.#startOf(stream, options) : Math.max(kept, stream.start)
    const made = new Group(
      stream,
      client.id,
      key,
      {
        ...(group === undefined ? {} : { name: group }),
        acknowledge: options.acknowledge,
        acknowledgeWithin: options.acknowledgeWithin ?? 30_000,
        maxDeliveries: options.maxDeliveries ?? 5,
        maxOutstanding: 10_000,
      },
      position,
      this.#host,
    )
    // Another subscription may have made it while the log was asked.
    const other = stream.groups.get(key)
    if (other !== undefined) return other
    stream.groups.set(key, made)
    if (group !== undefined && kept === undefined) {
      this.#offsets.moved(made, position)
      await this.groupsKept()
    }
    return made
  }

  /** A subscription ends; its group with it if it was the last and the group has no name. */
  leave(group: Group, member: Member): void {
    group.leave(member)
    if (group.members > 0) return
    group.close()
    group.stream.groups.delete(group.key)
  }

  /** Resolves when the committed offsets of groups are durable. */
  groupsKept(): Promise<void> {
    return this.#offsets.kept()
  }

  /** The named groups of a stream and how far they are, also those that nobody is in. */
  groupsOf(stream: Stream): Promise<GroupState[]> {
    return this.#offsets.of(stream)
  }

  /** The newest messages of a stream, as text. */
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
    for (const stream of this.#streams.values()) {
      if (await trim(stream, this.#log, this.options.retention, this.now())) this.#committer.touch(stream)
    }
  }

  forget(connection: Connection): void {
    this.#connections.delete(connection)
  }

  /** Tells an error of the server's own that nobody else gets. */
  report(error: unknown): void {
    this.status.emit('failed', { error: String((error as Error)?.message ?? error) })
  }

  /** Ends it after what was published is durable: connections are closed, then the log. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const timer of this.#timers) timer.cancel()
    for (const connection of this.#connections) connection.close(1001, 'the server ends')
    await new Promise<void>((resolve) => {
      this.#http.close(() => resolve())
      this.#http.closeIdleConnections()
      this.clock.after(500, () => {
        for (const connection of this.#connections) connection.terminate()
        this.#http.closeAllConnections()
      })
      if (!this.#http.listening && this.#connections.size === 0) resolve()
    })
    await this.#committer.settled()
    await this.#offsets.keep()
    for (const stream of this.#streams.values()) for (const group of stream.groups.values()) group.close()
    await this.#log.close()
    this.status.emit('closed')
    this.status.end()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #restore(): Promise<void> {
    const states = new Map(
      (await this.#log.list('p!')).map(([key, value]) => [Number(key.slice(2)), JSON.parse(value) as StreamState]),
    )
    for (const [key, value] of await this.#log.list('s!')) {
      const [, jail = '', name = ''] = key.split('!')
      const { number, schema } = JSON.parse(value) as { number: number; schema?: SchemaDefinition }
      const stream = new Stream(jail, name, number, this.#log)
      const state = states.get(number)
      if (state !== undefined) stream.restore(state)
      stream.schema = schema
      this.#streams.set(streamKey(jail, name), stream)
      this.#nextNumber = Math.max(this.#nextNumber, number + 1)
    }
  }

  #makeStream(jail: string, name: string): Stream {
    const stream = new Stream(jail, name, this.#nextNumber++, this.#log)
    this.#streams.set(streamKey(jail, name), stream)
    const value = JSON.stringify({ number: stream.number })
    // In the same commit as its first message, or an earlier one: commits keep their order.
    this.#committer.write([{ type: 'put', key: `s!${jail}!${name}`, value }]).catch((error) => this.report(error))
    return stream
  }

  async #startOf(stream: Stream, { from }: SubscribeOptions): Promise<number> {
    if (from === undefined) return stream.next
    if (from === 'start') return stream.start
    if ('offset' in from) return Math.min(Math.max(from.offset, stream.start), stream.next)
    return offsetAtTime(this.#log, stream.number, from.time, stream.start, stream.next)
  }

  #deadLetter(group: Group, text: string): void {
    const name = `${group.stream.name}${STREAM_DEAD}`
    const stream = this.stream(group.stream.jail, name) ?? this.#makeStream(group.stream.jail, name)
    const told = this.#committer.publish(stream, Buffer.from(`{"payload":[${text}]}`), (error) => {
      if (error !== undefined) this.report(error)
    })
    if (told !== undefined) this.report(new Error(`the dead-letter stream refuses: ${told.join('; ')}`))
  }

  #every(ms: number, call: () => void): void {
    const index = this.#timers.length
    const again = (): void => {
      this.#timers[index] = this.clock.after(ms, () => {
        call()
        again()
      })
    }
    again()
  }

  #pingAll(): void {
    for (const connection of this.#connections) {
      if (connection.heard) connection.ping()
      else connection.terminate()
    }
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy())
    const refuse = (status: string): void => {
      socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
    }
    const full = this.#closed || this.#connections.size >= this.options.maxConnections
    if (request.url !== '/api/v1/streams' || full) {
      refuse(full ? '503 Service Unavailable' : '404 Not Found')
      return
    }
    const tcp = socket as Socket
    tcp.setNoDelay?.(true)
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      this.#connections.add(new Connection(this, webSocket, socket))
    })
  }
}

function downgrade(name: string, version: SchemaVersion, old: SchemaVersion): string {
  return `The version pushed for the schema [${name}] is [${version}] but there is already an older version defined [${old}]`
}

function streamKey(jail: string, name: string): string {
  return `${jail}!${name}`
}
