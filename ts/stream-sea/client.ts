import { sessionError } from '../session/error-codes.js'
import type { MeasurandError } from '../session/errors.js'
import { COUNT, checkNumbers, TIMEOUT, WAIT } from '../session/number-options.js'
import { Backoff, persist, type ReconnectOptions } from '../session/reconnect.js'
import { describeError, Session, type SessionOptions } from '../session/session.js'
import type { TlsOptions } from '../session/transport.js'
import { authenticationPayload, type Credentials } from './credentials.js'
import { streamSeaError } from './error-codes.js'
import { Link, type PublishReply, type Reply, replyError } from './link.js'
import { checkedName, isUuid } from './names.js'
import { type Payload, publishBody } from './requests.js'
import type { MessageOf, SchemaDefinition } from './schema.js'
import { type SubscribeOptions, Subscription } from './subscription.js'
import { openWebSocket } from './web-socket.js'

/** Where to connect and as whom. */
export type StreamSeaClientOptions = SessionOptions &
  Credentials & {
    readonly remoteHost: string
    readonly remotePort: number | string
    readonly secure?: boolean
    readonly tls?: TlsOptions
    /** How long the first connection is tried, ms; 0, once, unless told. */
    readonly wait?: number
    /** How a connection that broke is tried again; `false`: it is not, and the client ends. */
    readonly reconnect?: ReconnectOptions | false
    /** ms without ping or message after which a connection is dead; 60,000 unless told. */
    readonly silence?: number
    /** ms for the handshake; 30,000 unless told. */
    readonly connectTimeout?: number
    /** Bytes of a message, at most; 16 MiB unless told. */
    readonly maxMessageBytes?: number
  }

/** Bytes that may wait in the socket before a publish waits. */
const HIGH_WATER = 4 << 20

/**
 * One WebSocket to a server, for any number of subscriptions.
 *
 * ```ts
 * await using client = new StreamSeaClient({ remoteHost: '127.0.0.1', remotePort: 3104, clientId, clientSecret })
 * await client.connect()
 * const subscription = await client.subscribe({ stream: 'boiler_data', fanout: true })
 * for await (const { payload } of subscription.messages()) console.log(payload)
 * ```
 *
 * A connection that breaks is tried again behind growing delays, and what was subscribed is subscribed again; the gap
 * is in the ledger of each subscription. A refused authentication ends the client for good.
 */
export class StreamSeaClient extends Session {
  readonly system = 'stream-sea'
  readonly #options: StreamSeaClientOptions
  readonly #backoff: Backoff
  readonly #subscriptions = new Set<Subscription>()
  #link: Link | undefined
  #refused: MeasurandError | undefined
  #jailId = ''

  constructor(options: StreamSeaClientOptions) {
    super(`streamsea-${options.remoteHost}-${options.remotePort}`, options)
    checkNumbers(options, { wait: WAIT, silence: WAIT, connectTimeout: TIMEOUT, maxMessageBytes: COUNT })
    this.#options = options
    this.#backoff = new Backoff(options.reconnect === false ? {} : options.reconnect)
  }

  /** Connects and authenticates. */
  async connect(): Promise<void> {
    this.begin('connecting')
    try {
      await this.#persist(this.#options.wait ?? 0)
    } catch (error) {
      this.fail(error as Error)
      throw error
    }
    this.setState('connected')
  }

  /** The jail of the client, as the server said. */
  get jailId(): string {
    return this.#jailId
  }

  /** The subscriptions that there are. */
  get subscriptions(): ReadonlySet<Subscription> {
    return this.#subscriptions
  }

  /** Subscribes to a stream; rejects with `ERR_STREAMSEA_SUBSCRIPTION_REFUSED` where the server does not want it. */
  async subscribe<const S extends SchemaDefinition = never>(
    options: SubscribeOptions & { readonly schema?: S },
  ): Promise<Subscription<[S] extends [never] ? unknown : MessageOf<S>>> {
    checkedName('stream', options.stream)
    if (options.groupId !== undefined && !isUuid(options.groupId)) {
      throw streamSeaError('ERR_STREAMSEA_NAME_INVALID', 'groupId is not a UUID')
    }
    const link = this.#connected()
    const subscription = new Subscription(options, {
      clock: this.clock,
      peer: `${this.#options.remoteHost}:${this.#options.remotePort}`,
      request: (action, payload) => this.#request(action, payload),
      hold: (one, held) => this.#link?.hold(one, held),
      leave: (left) => this.#leave(left),
    })
    this.#subscriptions.add(subscription)
    try {
      await this.#subscribe(link, subscription)
    } catch (error) {
      if (this.#link === link) {
        this.#subscriptions.delete(subscription)
        throw error
      }
      // The connection broke meanwhile: the next one subscribes.
      await subscription.end(error as Error)
      throw error
    }
    return subscription as Subscription<[S] extends [never] ? unknown : MessageOf<S>>
  }

  /** Publishes over the WebSocket; our server only. Resolves when the messages are durable. */
  publish<M = unknown>(args: { stream: string; key?: string } & Payload<M>): Promise<PublishReply> {
    try {
      const link = this.#connected()
      const key = args.key === undefined ? '' : `"key":${JSON.stringify(args.key)},`
      const stream = checkedName('stream', args.stream)
      const body = publishBody(args).slice(1)
      const text = (id: number): string => `{"id":${id},"action":"publish","streamName":"${stream}",${key}${body}`
      return link.queuedBytes > HIGH_WATER ? link.ready().then(() => link.publish(text)) : link.publish(text)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  protected async shut(error: Error | undefined): Promise<void> {
    const link = this.#link
    this.#link = undefined
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.end(error)))
    link?.close(sessionError('ERR_SESSION_CLOSED', `${this.name} is closed`, { system: 'stream-sea' }))
  }

  protected async deliverRest(): Promise<void> {
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.drain()))
  }

  async #persist(wait: number): Promise<void> {
    const { clock, signal } = this
    this.#backoff.reset()
    try {
      await persist((attempt) => this.#open(attempt), { clock, backoff: this.#backoff, wait, signal })
    } catch (error) {
      throw this.#refused ?? error
    }
  }

  async #open(attempt: number): Promise<void> {
    const { maxMessageBytes = 16 << 20, silence = 60_000, connectTimeout = 30_000 } = this.#options
    let link: Link | undefined
    try {
      const observe = this.network.observe?.()
      const place = { ...this.#options, signal: this.signal, observe }
      const [socket, head] = await openWebSocket(place, connectTimeout)
      const byId = new Map<number, Subscription>()
      link = new Link(
        socket,
        {
          onDeliveries: (id, block, from, to, release) => {
            let subscription = byId.get(id)
            if (subscription === undefined) {
              subscription = [...this.#subscriptions].find((one) => one.id === id)
              if (subscription === undefined) {
                this.stats.filtered += to - from
                release()
                return
              }
              byId.set(id, subscription)
            }
            subscription.take(block, from, to, release)
          },
          onMalformed: (code, length) => this.malformed(code, this.stats.bytesIn, length),
          onClose: (error) => this.#lost(link as Link, error),
        },
        { stats: this.stats, clock: this.clock, maxMessage: maxMessageBytes, silence, observe },
      )
      link.start(head)
      await this.#authenticate(link)
      this.#link = link
      for (const subscription of this.#subscriptions) {
        await this.#subscribe(link, subscription).catch((error: MeasurandError) => {
          // What the server does not want any more ends with its error; the others go on.
          if (error.code !== 'ERR_STREAMSEA_SUBSCRIPTION_REFUSED') throw error
        })
      }
    } catch (error) {
      this.#link = undefined
      link?.close(error as MeasurandError)
      if (!this.signal.aborted) this.status.emit('attempt-failed', { attempt, ...describeError(error as Error) })
      throw error
    }
  }

  async #authenticate(link: Link): Promise<void> {
    const payload = await authenticationPayload(this.#options)
    const reply = await link.request((id) => JSON.stringify({ id, action: 'authenticate', payload }))
    if (reply.success === true) {
      this.#jailId = String((reply.payload as { jailId?: unknown } | undefined)?.jailId ?? '')
      return
    }
    const message = String(reply.error?.message ?? 'without a reason')
    this.#refused = streamSeaError('ERR_STREAMSEA_AUTHENTICATION_REFUSED', `the server refuses: ${message}`)
    link.close(this.#refused)
    this.fail(this.#refused)
    throw this.#refused
  }

  async #subscribe(link: Link, subscription: Subscription): Promise<void> {
    const id = link.nextId
    const pending = link.request((given) => subscription.request(given))
    // Deliveries may come in the same chunk as the reply.
    subscription.accepted(id)
    const reply = await pending
    if (reply.success === true) return
    const error = replyError('ERR_STREAMSEA_SUBSCRIPTION_REFUSED', reply)
    await subscription.end(error)
    throw error
  }

  async #request(action: string, payload: Record<string, unknown>): Promise<Reply> {
    const reply = await this.#connected().request((id) => JSON.stringify({ id, action, payload }))
    if (reply.success !== true) throw replyError('ERR_STREAMSEA_REPLY_STATUS', reply)
    return reply
  }

  async #leave(subscription: Subscription): Promise<void> {
    if (!this.#subscriptions.delete(subscription)) return
    // Only our server knows how to end a subscription; of the others, what still comes is counted as filtered.
    if (subscription.isExtended && this.#link !== undefined && this.state === 'connected') {
      await this.#request('unsubscribe', { subscription: subscription.id }).catch(() => undefined)
    }
  }

  #connected(): Link {
    if (this.#link !== undefined) return this.#link
    if (this.#refused !== undefined) throw this.#refused
    if (this.state === 'closed') throw sessionError('ERR_SESSION_CLOSED', `${this.name} is closed`)
    throw sessionError('ERR_SESSION_NOT_CONNECTED', `${this.name} has no connection`)
  }

  #lost(link: Link, error: MeasurandError): void {
    if (this.#link !== link) return
    this.#link = undefined
    // While a connection is being made, whoever makes it hears of it by its requests.
    if (this.state !== 'connected') return
    for (const subscription of this.#subscriptions) subscription.broken()
    if (this.#options.reconnect === false) {
      this.fail(error)
      return
    }
    this.setState('reconnecting', describeError(error))
    this.#persist(Number.POSITIVE_INFINITY).then(
      () => {
        this.stats.reconnects++
        this.setState('connected')
      },
      (failure: Error) => this.fail(failure),
    )
  }
}

/** Where a server is, and how it is connected to. */
export type ServerPlace = Pick<StreamSeaClientOptions, 'remoteHost' | 'remotePort' | 'secure' | 'tls' | 'signal'>

/** Connects with a secret and subscribes; closing the subscription closes the connection. */
export function subscribe<const S extends SchemaDefinition = never>(
  args: ServerPlace & { clientId: string; clientSecret: string } & SubscribeOptions & { readonly schema?: S },
): Promise<Subscription<[S] extends [never] ? unknown : MessageOf<S>>> {
  return subscribeAlone(args)
}

/** Connects with a token and subscribes; closing the subscription closes the connection. */
export function subscribeWithJwt<const S extends SchemaDefinition = never>(
  args: ServerPlace & Extract<Credentials, { jwt: unknown }> & SubscribeOptions & { readonly schema?: S },
): Promise<Subscription<[S] extends [never] ? unknown : MessageOf<S>>> {
  return subscribeAlone(args)
}

async function subscribeAlone<S extends SchemaDefinition>(
  args: ServerPlace & Credentials & SubscribeOptions & { readonly schema?: S },
): Promise<Subscription<[S] extends [never] ? unknown : MessageOf<S>>> {
  const { policy: _, queueBytes: __, ...options } = args
  const client = new StreamSeaClient(options)
  await client.connect()
  try {
    const subscription = await client.subscribe<S>(args)
    void subscription.closed.then(() => client.close())
    return subscription
  } catch (error) {
    await client.close()
    throw error
  }
}
