import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import type { Timer } from '../session/clock.js'
import type { Client } from './directory.js'
import type { Filter } from './filter.js'
import { serverFrame } from './frame.js'
import { verifyJwt } from './jwt.js'
import { isName, isUuid } from './names.js'
import { parseRequest, publishHead, type Request, subscribeOptions } from './request.js'
import type { Right } from './requests.js'
import type { StreamSeaServer } from './server.js'
import type { Stream } from './stream.js'
import { Subscriber } from './subscriber.js'

/** Bytes that wait in a socket before its subscriptions are left for later. */
const HIGH_WATER = 1 << 20
/** Bytes of answers that a peer may leave unread before no more is read of it. */
const UNREAD = 4 << 20
/** Bytes of publishes that may wait to be durable before no more is read of a peer. */
const UNDER_WAY = 16 << 20
/** ms between a refused authentication and the close: clients that read the reply first need it. */
const REFUSED_LINGER = 1000
/** ms that a peer has to answer a close. */
const CLOSE_WITHIN = 1000

/** A WebSocket connection of the server. */
export class Connection {
  readonly #server: StreamSeaServer
  readonly #socket: WebSocket
  readonly #stream: Duplex
  readonly #subscriptions = new Map<number, Subscriber>()
  #lastId = 0
  #client: Client | undefined
  #filter: Filter | undefined
  #mustFanout = false
  #viaToken = false
  #expiry: Timer | undefined
  #queue: Promise<void> | undefined
  /** Frames of answers that go out with this turn, a character a byte. */
  #answers = ''
  #underWay = 0
  #isHeld = false
  #closing = false
  /** Whether the peer has been heard since the last ping. */
  heard = true

  constructor(server: StreamSeaServer, socket: WebSocket, stream: Duplex) {
    this.#server = server
    this.#socket = socket
    this.#stream = stream
    stream.on('drain', () => {
      this.#ease()
      this.#pump()
    })
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
    this.#flush()
    this.#socket.close(code, reason)
    this.#server.clock.after(CLOSE_WITHIN, () => this.#socket.terminate())
  }

  /** Writes deliveries. */
  write(frames: Buffer, messages: number): void {
    this.#server.stats.messagesOut += messages
    this.#server.stats.bytesOut += frames.length
    this.#stream.write(frames)
  }

  /** Tells an error that its client does not get. */
  report(error: unknown): void {
    this.#server.report(error)
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
    if (this.#isFull) {
      this.#isHeld = true
      this.#socket.pause()
    }
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
        if (!this.#closing && !this.#isHeld) this.#socket.resume()
      })
  }

  get #isFull(): boolean {
    return this.#underWay > UNDER_WAY || this.#stream.writableLength > UNREAD
  }

  /** Reads again what was not read because the peer leaves answers unread, or sends faster than the log takes it. */
  #ease(): void {
    if (!this.#isHeld || this.#isFull) return
    this.#isHeld = false
    if (this.#queue === undefined && !this.#closing) this.#socket.resume()
  }

  #handle(data: Buffer, binary: boolean): Promise<void> | undefined {
    if (this.#closing) return undefined
    const publish = binary ? undefined : publishHead(data)
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
    const subscription = new Subscriber(this, id, found, options.offsets, options.credit, this.#filter)
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
    this.#underWay += data.length
    const over = (): void => {
      this.#underWay -= data.length
      this.#ease()
    }
    const told = this.#server.publish(stream, data, key as string | undefined, (error, published) => {
      over()
      if (error !== undefined) return refuse(error.message)
      const { first, count, duplicate } = published
      const place = `"offset":${first},"count":${count}${duplicate ? ',"duplicate":true' : ''}`
      this.#answerSoon(`{"id":${id},"action":"publish","success":true,"payload":{${place}}}`)
    })
    const settle = (violations: string[] | undefined): void => {
      if (violations === undefined) return
      over()
      refuse('The payload does not match the schema.', violations)
    }
    const failed = (error: Error): undefined => {
      over()
      return refuse(error.message)
    }
    if (told instanceof Promise) return told.then(settle, failed)
    if (told instanceof Error) return failed(told)
    settle(told)
    return undefined
  }

  #refusal(id: number): (message: string, errors?: readonly string[]) => undefined {
    return (message, errors) => {
      const error = errors === undefined ? { message } : { message, errors }
      this.#answerSoon(JSON.stringify({ id, action: 'publish', success: false, error }))
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
    this.#flush()
    this.#stream.write(serverFrame(JSON.stringify(message)), 'latin1')
  }

  /** Answers of one commit go out as one write. */
  #answerSoon(text: string): void {
    if (this.#answers === '') queueMicrotask(() => this.#flush())
    this.#answers += serverFrame(text)
  }

  #flush(): void {
    const answers = this.#answers
    this.#answers = ''
    if (answers !== '' && !this.#stream.destroyed) this.#stream.write(answers, 'latin1')
  }
}
