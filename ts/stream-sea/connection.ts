import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import type { Timer } from '../session/clock.js'
import { type Extras, writeFrames } from './codec.js'
import type { Client } from './directory.js'
import { type Entry, packedText } from './entry.js'
import { type Filter, passes } from './filter.js'
import type { SubscribeOptions } from './groups.js'
import { verifyJwt } from './jwt.js'
import { isName, isUuid } from './names.js'
import type { Right } from './requests.js'
import type { Member, Seat } from './seat.js'
import type { StreamSeaServer } from './server.js'
import { textFrame } from './server-frame.js'
import type { Stream } from './stream.js'

/** Bytes that wait in a socket before its subscriptions are left for later. */
const HIGH_WATER = 1 << 20
/** ms between a refused authentication and the close: clients that read the reply first need it. */
const REFUSED_LINGER = 1000
/** ms that a peer has to answer a close. */
const CLOSE_WITHIN = 1000

/** Frames that subscriptions with the same head share, by entry. */
const shared = new WeakMap<Entry, Map<string, Buffer>>()

interface Request {
  readonly id: number
  readonly action: string
  readonly [key: string]: unknown
}

/** A subscription of a connection. */
class Subscription implements Member {
  readonly id: number
  readonly confirms = false
  readonly group: Seat
  credit: number
  readonly #connection: Connection
  readonly #head: Buffer
  readonly #extras: boolean
  readonly #filter: Filter | undefined

  constructor(connection: Connection, id: number, group: Seat, extras: boolean, credit: number, filter?: Filter) {
    this.id = id
    this.group = group
    this.credit = credit
    this.#connection = connection
    this.#extras = extras
    this.#filter = filter
    const name = JSON.stringify(group.stream.name)
    this.#head = Buffer.from(`{"id":${id},"action":"subscription","streamName":${name},"payload":`)
  }

  get ready(): boolean {
    return this.credit > 0 && this.#connection.hasRoom
  }

  deliver(entry: Entry, from: number, to: number, extras: Extras): void {
    this.credit -= to - from
    if (this.#filter === undefined) {
      this.#connection.write(this.#frames(entry, from, to, extras), to - from)
      return
    }
    for (let index = from; index < to; index++) {
      if (!passes(this.#filter, JSON.parse(packedText(entry.packed, index)), this.group.stream.name)) {
        if (this.group.options.acknowledge) void this.group.acknowledge(this, [entry.first + index])
        continue
      }
      const one = { ...extras, offset: entry.first + index }
      this.#connection.write(this.#frames(entry, index, index + 1, one), 1)
    }
  }

  #frames(entry: Entry, from: number, to: number, extras: Extras): Buffer {
    const write = () => writeFrames(entry.packed, from, to, this.#head, this.#extras ? extras : undefined)
    if (this.group.stream.groups.size < 2 || extras.redelivered > 0) return write()
    let frames = shared.get(entry)
    if (frames === undefined) {
      frames = new Map()
      shared.set(entry, frames)
    }
    const key = `${this.id} ${from} ${to} ${this.#extras}`
    let bytes = frames.get(key)
    if (bytes === undefined) {
      bytes = write()
      frames.set(key, bytes)
    }
    return bytes
  }
}

/** A WebSocket connection of the server. */
export class Connection {
  readonly #server: StreamSeaServer
  readonly #socket: WebSocket
  readonly #stream: Duplex
  readonly #subscriptions = new Map<number, Subscription>()
  #lastId = 0
  #client: Client | undefined
  #filter: Filter | undefined
  #mustFanout = false
  #viaToken = false
  #expiry: Timer | undefined
  #queue: Promise<void> | undefined
  #replies: Buffer[] = []
  #closing = false
  /** Whether the peer has been heard since the last ping. */
  heard = true

  constructor(server: StreamSeaServer, socket: WebSocket, stream: Duplex) {
    this.#server = server
    this.#socket = socket
    this.#stream = stream
    stream.on('drain', () => this.#pump())
    socket.on('message', (data: Buffer, binary: boolean) => this.#take(data, binary))
    socket.on('pong', () => this.#hear())
    socket.on('ping', () => this.#hear())
    socket.on('close', () => this.#ended())
    // `ws` closes with the right code after it.
    socket.on('error', () => undefined)
  }

  get client(): Client | undefined {
    return this.#client
  }

  get hasRoom(): boolean {
    return !this.#closing && this.#stream.writableLength < HIGH_WATER
  }

  /** Bytes that wait in its socket. */
  get queuedBytes(): number {
    return this.#stream.writableLength
  }

  ping(): void {
    this.heard = false
    this.#socket.ping()
  }

  terminate(): void {
    this.#socket.terminate()
  }

  /** Says why it ends; a peer that does not answer in time is cut off. */
  close(code: number, reason: string): void {
    this.#closing = true
    this.#socket.close(code, reason)
    this.#server.clock.after(CLOSE_WITHIN, () => this.#socket.terminate())
  }

  /** Writes deliveries. */
  write(frames: Buffer, messages: number): void {
    this.#server.stats.messagesOut += messages
    this.#server.stats.bytesOut += frames.length
    this.#stream.write(frames)
  }

  #hear(): void {
    this.heard = true
  }

  #pump(): void {
    for (const { group } of this.#subscriptions.values()) group.pump()
  }

  #ended(): void {
    this.#closing = true
    this.#expiry?.cancel()
    for (const subscription of this.#subscriptions.values()) this.#server.leave(subscription.group, subscription)
    this.#subscriptions.clear()
    this.#server.forget(this)
  }

  /** Messages are answered in their order, also where one has to wait. */
  #take(data: Buffer, binary: boolean): void {
    this.heard = true
    if (this.#closing) return
    this.#server.stats.messagesIn++
    this.#server.stats.bytesIn += data.length
    if (this.#queue !== undefined) {
      this.#socket.pause()
      this.#queue = this.#queue.then(() => this.#handle(data, binary))
      this.#track(this.#queue)
      return
    }
    const pending = this.#handle(data, binary)
    if (pending === undefined) return
    this.#queue = pending
    this.#track(pending)
  }

  #track(pending: Promise<void>): void {
    pending
      .catch((error) => {
        this.#server.report(error)
        this.close(1011, 'internal error')
      })
      .finally(() => {
        if (this.#queue !== pending) return
        this.#queue = undefined
        if (!this.#closing) this.#socket.resume()
      })
  }

  #handle(data: Buffer, binary: boolean): Promise<void> | undefined {
    if (this.#closing) return undefined
    const publish = binary ? undefined : this.#fastPublish(data)
    const request = publish ?? (binary ? undefined : parseRequest(data))
    if (request === undefined) {
      this.close(binary ? 1003 : 1008, 'a message is one JSON object with id and action')
      return undefined
    }
    const { id, action } = request
    if (id !== this.#lastId + 1) return this.#violation(request, `id must be ${this.#lastId + 1}`)
    this.#lastId = id
    if ((action === 'authenticate') !== (id === 1)) {
      return this.#violation(request, id === 1 ? 'the first action must be authenticate' : 'already authenticated')
    }
    switch (action) {
      case 'authenticate':
        return this.#authenticate(request)
      case 'subscribe':
        return this.#subscribe(request)
      case 'publish':
        return this.#publish(request, data)
      case 'ack':
      case 'nack':
      case 'credit':
      case 'unsubscribe':
        return this.#control(request)
      default:
        return this.#violation(request, `unknown action ${action.slice(0, 100)}`)
    }
  }

  /** The head of a publish as our client writes it, without reading the payload. */
  #fastPublish(data: Buffer): Request | undefined {
    if (data.length < 40 || data[1] !== 0x22 || data[2] !== 0x69) return undefined
    const head = /^\{"id":(\d{1,15}),"action":"publish","streamName":"([\w.-]{1,200})","payload":/.exec(
      data.toString('latin1', 0, 280),
    )
    // A key would stand behind the payload or before it; then the whole message is read.
    if (head === null || data.includes('"key"')) return undefined
    return { id: Number(head[1]), action: 'publish', streamName: head[2] as string }
  }

  async #authenticate({ id, payload }: Request): Promise<void> {
    const { type, clientId, clientSecret, jwt } = (payload ?? {}) as Record<string, unknown>
    let client: Client | undefined
    if (type === 'basic' && typeof clientId === 'string' && typeof clientSecret === 'string') {
      client = await this.#server.directory.authenticate(clientId, clientSecret)
    } else if (type === 'jwt' && typeof clientId === 'string' && typeof jwt === 'string') {
      client = this.#acceptToken(clientId, jwt)
    }
    if (this.#closing) return
    if (client === undefined) {
      this.#reply({ id, action: 'authenticate', success: false, error: { message: 'Invalid credentials' } })
      this.#closing = true
      this.#server.clock.after(REFUSED_LINGER, () => this.close(1008, 'Invalid credentials'))
      return
    }
    this.#client = client
    this.#reply({ id, action: 'authenticate', success: true, payload: { jailId: client.jail } })
  }

  #acceptToken(clientId: string, jwt: string): Client | undefined {
    const client = this.#server.directory.client(clientId)
    if (client?.jwtKey === undefined) return undefined
    const now = this.#server.now()
    try {
      const claims = verifyJwt(jwt, client.jwtKey, now)
      this.#viaToken = true
      this.#filter = claims.filter
      this.#mustFanout = claims.mustFanout ?? false
      // Timers take 2^31 ms at most; a token for longer ends with its connection anyway.
      const wait = Math.min(claims.exp * 1000 - now, 2 ** 31 - 1)
      this.#expiry = this.#server.clock.after(wait, () => this.close(4001, 'the token is over'))
      return client
    } catch {
      return undefined
    }
  }

  async #subscribe(request: Request): Promise<void> {
    const { id, payload: stream, groupId, group } = request
    if (!this.#may('subscribe')) return this.#refuse(id, 'the client may not subscribe')
    if (!isName(stream)) return this.#refuse(id, 'payload must be a stream name')
    if (groupId !== undefined && !isUuid(groupId)) return this.#violation(request, 'groupId must be a UUID')
    if (group !== undefined && !isName(group)) return this.#refuse(id, 'group must be a name')
    if (this.#mustFanout && groupId === undefined) return this.#refuse(id, 'this token requires fanout')
    if (this.#subscriptions.size >= this.#server.options.maxSubscriptions)
      return this.#refuse(id, 'too many subscriptions')
    const options = subscribeOptions(request)
    if (typeof options === 'string') return this.#refuse(id, options)
    const client = this.#client as Client
    const found = await this.#server.group(
      client,
      stream,
      options,
      groupId as string | undefined,
      group as string | undefined,
    )
    if (this.#closing) return
    if (typeof found === 'string') return this.#refuse(id, found)
    const subscription = new Subscription(this, id, found, options.offsets, options.credit, this.#filter)
    this.#subscriptions.set(id, subscription)
    this.#reply({ id, action: 'subscription', success: true, streamName: stream, payload: id })
    found.join(subscription)
  }

  #publish(request: Request, data: Buffer): Promise<void> | undefined {
    const { id, streamName, key } = request
    const refuse = this.#refusal(id)
    if (!this.#may('publish') || this.#viaToken) return refuse('the client may not publish')
    if (!isName(streamName)) return refuse('streamName must be a stream name')
    if (key !== undefined && (typeof key !== 'string' || key.length === 0 || key.length > 200)) {
      return refuse('key must be a string of 1 to 200 characters')
    }
    const found = this.#server.publishable((this.#client as Client).jail, streamName)
    if (found === undefined) return refuse(`Schema [${streamName}] not found`)
    if (found instanceof Promise) return found.then((stream) => this.#publishTo(stream, request, data))
    return this.#publishTo(found, request, data)
  }

  #publishTo(stream: Stream, { id, key }: Request, data: Buffer): Promise<void> | undefined {
    const refuse = this.#refusal(id)
    const told = this.#server.publish(stream, data, key as string | undefined, (error, published) => {
      if (error !== undefined) return refuse(error.message)
      const { first: offset, count, duplicate } = published
      this.#replySoon({
        id,
        action: 'publish',
        success: true,
        payload: duplicate ? { offset, count, duplicate } : { offset, count },
      })
    })
    const settle = (violations: string[] | undefined): void => {
      if (violations !== undefined) refuse('The payload does not match the schema.', violations)
    }
    const failed = (error: Error): void => refuse(error.message)
    if (told instanceof Promise) return told.then(settle, failed)
    if (told instanceof Error) return refuse(told.message)
    settle(told)
    return undefined
  }

  #refusal(id: number): (message: string, errors?: readonly string[]) => undefined {
    return (message, errors) => {
      this.#replySoon({ id, action: 'publish', success: false, error: errors ? { message, errors } : { message } })
    }
  }

  #control({ id, action, payload }: Request): Promise<void> | undefined {
    const { subscription: of, offsets, upTo, credit } = (payload ?? {}) as Record<string, unknown>
    const subscription = this.#subscriptions.get(of as number)
    const refuse = (message: string): undefined => this.#reply({ id, action, success: false, error: { message } })
    if (subscription === undefined) return refuse('payload.subscription must be the id of a subscription')
    const { group } = subscription
    const list = Array.isArray(offsets) && offsets.every((offset) => Number.isSafeInteger(offset)) ? offsets : undefined
    if (action === 'unsubscribe') {
      this.#subscriptions.delete(subscription.id)
      this.#server.leave(group, subscription)
      return this.#reply({ id, action, success: true })
    }
    if (action === 'credit') {
      if (!Number.isSafeInteger(credit) || (credit as number) <= 0)
        return refuse('payload.credit must be a positive integer')
      subscription.credit += credit as number
      this.#reply({ id, action, success: true })
      group.granted(subscription, credit as number)
      return undefined
    }
    let count: number | Promise<number>
    if (list !== undefined)
      count = action === 'ack' ? group.acknowledge(subscription, list) : group.reject(subscription, list)
    else if (action === 'ack' && Number.isSafeInteger(upTo)) count = group.acknowledgeTo(subscription, upTo as number)
    else return refuse('payload.offsets must be a list of offsets')
    return this.#settled(count).then(
      (count) => this.#reply({ id, action, success: true, payload: { count } }),
      (error: Error) => refuse(error.message),
    )
  }

  /** What was acknowledged, when it is durable that it was. */
  async #settled(count: number | Promise<number>): Promise<number> {
    const settled = await count
    await this.#server.groupsKept()
    return settled
  }

  #may(right: Right): boolean {
    return this.#client?.rights.has(right) ?? false
  }

  #refuse(id: number, message: string): void {
    this.#reply({ id, action: 'subscription', success: false, error: { message } })
  }

  #violation({ id, action }: Request, message: string): undefined {
    this.#reply({ id, action, success: false, error: { message } })
    this.close(1008, message)
  }

  #reply(message: object): undefined {
    this.#stream.write(textFrame(JSON.stringify(message)))
  }

  /** Replies of one commit go out as one write. */
  #replySoon(message: object): void {
    if (this.#replies.push(textFrame(JSON.stringify(message))) > 1) return
    queueMicrotask(() => {
      const replies = this.#replies
      this.#replies = []
      if (!this.#stream.destroyed)
        this.#stream.write(replies.length === 1 ? (replies[0] as Buffer) : Buffer.concat(replies))
    })
  }
}

function subscribeOptions(request: Request): SubscribeOptions | string {
  const { offsets = false, ack = false, credit, from, ackWithin, maxDeliveries } = request as Record<string, unknown>
  const positive = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0
  const start = (typeof from === 'object' && from !== null ? from : {}) as { offset?: unknown; time?: unknown }
  const offset = Number.isSafeInteger(start.offset) && (start.offset as number) >= 0
  const time = typeof start.time === 'number' && Number.isFinite(start.time)
  if (from !== undefined && from !== 'start' && !offset && !time) return 'from must be "start", {"offset"} or {"time"}'
  if (credit !== undefined && !positive(credit)) return 'credit must be a positive integer'
  if (ackWithin !== undefined && !positive(ackWithin)) return 'ackWithin must be a positive number of ms'
  if (maxDeliveries !== undefined && !positive(maxDeliveries)) return 'maxDeliveries must be a positive integer'
  if (typeof offsets !== 'boolean' || typeof ack !== 'boolean') return 'offsets and ack must be booleans'
  return {
    offsets: offsets || ack,
    acknowledge: ack,
    credit: credit ?? Number.POSITIVE_INFINITY,
    from: from as SubscribeOptions['from'],
    acknowledgeWithin: ackWithin as number | undefined,
    maxDeliveries: maxDeliveries as number | undefined,
  }
}

function parseRequest(data: Buffer): Request | undefined {
  try {
    const { id, action, ...rest } = JSON.parse(data.toString('utf8'))
    return typeof id === 'number' && typeof action === 'string' ? { ...rest, id, action } : undefined
  } catch {
    return undefined
  }
}
