import { type Clock, sleep, type Timer } from '../session/clock.js'
import { sessionError } from '../session/error-codes.js'
import type { MeasurandError } from '../session/errors.js'
import { Backoff, type ReconnectOptions } from '../session/reconnect.js'
import { describeError, Session, type SessionOptions } from '../session/session.js'
import { Answer } from './answer.js'
import { deriveKey, signChallenge } from './authentication.js'
import {
  defer,
  type EventHandler,
  type Kwargs,
  loadAutobahn,
  type Procedure,
  type Registration,
  type Subscription,
  type WampError,
  type WampSession,
} from './autobahn.js'
import { sisockError } from './error-codes.js'
import { REALM, SISOCK_HOST, SISOCK_PORT, WAMP_SECRET, WAMP_USER } from './uri.js'
import { callError, isFinal, leaveError, thrownError } from './wamp-error.js'
import { type WampEndpoint, WampTransport } from './wamp-transport.js'

/** Where a client joins and as whom. */
export interface WampConfig extends SessionOptions, Partial<WampEndpoint> {
  /** `test_realm` unless told. */
  readonly realm?: string
  /** `WAMP_USER` unless told. */
  readonly user?: string
  /** `WAMP_SECRET` unless told; there is no other default. */
  readonly secret?: string
  /** Joins without a user, where the router allows it. */
  readonly anonymous?: boolean
  /** How long the first connection is tried, ms; 0, once, unless told. */
  readonly wait?: number
  /** How a connection that broke is tried again; `false`: it is not, and the session ends. */
  readonly reconnect?: ReconnectOptions | false
  /** How long a call waits for its answer, ms; 60,000 unless told, 0 for ever. */
  readonly callTimeout?: number
}

/** What the router says of the session: the Python class's `details`. */
export interface SessionDetails {
  /** The session's id, 1 to 2^53. */
  readonly session: number
  readonly realm: string
  readonly authid?: string
  readonly authrole?: string
  readonly [key: string]: unknown
}

/** A router's challenge. */
export interface Challenge {
  readonly method: string
  readonly extra: Kwargs
}

/** What a single call can be told. */
export interface CallOptions {
  /** ms; that of the session unless told. */
  readonly timeout?: number
  readonly signal?: AbortSignal
}

/**
 * A session of npm autobahn on a connection that comes back: what data nodes, hub and consumer have in common. After a
 * reconnection `onJoin` runs again, in a new WAMP session with a new id.
 */
export abstract class WampClient extends Session {
  readonly system = 'sisock'
  readonly config: WampConfig
  #transport: WampTransport | undefined
  #session: WampSession | undefined
  #details: SessionDetails | undefined
  #lost: ((error: MeasurandError) => void) | undefined
  readonly #pending = new Set<Answer<never>>()

  constructor(kind: string, config: WampConfig = {}) {
    const url = config.url ?? `wss://${SISOCK_HOST}:${SISOCK_PORT}/ws`
    super(`${kind}-${url.replace(/^wss?:\/\//, '').replace(/[^A-Za-z0-9]+/g, '-')}`, config)
    this.config = { ...config, url }
  }

  /** What the router said of the session, while there is one. */
  get details(): SessionDetails | undefined {
    return this.#details
  }

  /** The subprotocol that was agreed, while there is a connection. */
  get subprotocol(): string | undefined {
    return this.#transport?.framing.subprotocol
  }

  /** Whether bytes can be sent as they are: they cannot in JSON. */
  protected get isBinary(): boolean {
    return this.#transport?.framing.isBinary ?? false
  }

  /** Resolves when few enough bytes wait in the socket; nothing where they do. */
  protected ready(): Promise<void> | undefined {
    return this.#transport?.isFull ? this.#transport.ready() : undefined
  }

  /** Connects, joins, and does what `onJoin` does; rejects with what went wrong. */
  async connect(): Promise<void> {
    this.begin('connecting')
    try {
      await this.#establish(this.config.wait ?? 0)
    } catch (error) {
      this.fail(error as Error)
      throw error
    }
    this.#connected()
  }

  /** Fired when the connection stands: joins the realm. */
  onConnect(): void {
    const { anonymous = false, realm = REALM, user = WAMP_USER } = this.config
    if (anonymous) this.join(realm, ['anonymous'])
    else this.join(realm, ['wampcra'], user)
  }

  /** Fired when the router asks who we are: gives the signature. */
  onChallenge(challenge: Challenge): string | Promise<string> {
    const { method, extra } = challenge
    if (method !== 'wampcra') throw sisockError('ERR_SISOCK_AUTH_METHOD', `the router asks for ${method}`)
    const secret = this.#secret()
    const { challenge: text, salt, iterations, keylen } = extra
    if (typeof text !== 'string') throw sisockError('ERR_SISOCK_PROTOCOL', 'a challenge without its text')
    if (typeof salt !== 'string' || salt === '') return signChallenge(secret, text)
    const numbers = {
      ...(typeof iterations === 'number' ? { iterations } : {}),
      ...(typeof keylen === 'number' ? { keylen } : {}),
    }
    return signChallenge(deriveKey(secret, { salt, ...numbers }), text)
  }

  /** Fired when the session has joined; `connect` resolves when it has. */
  abstract onJoin(details: SessionDetails): void | Promise<void>

  /** Asks the router to let us into a realm. */
  join(realm: string, authmethods: readonly string[], authid?: string): void {
    this.#session?.join(realm, authmethods, authid)
  }

  /** Calls a procedure; rejects with a typed error. */
  call(procedure: string, args: readonly unknown[] = [], kwargs?: Kwargs, options: CallOptions = {}): Promise<unknown> {
    const { timeout = this.config.callTimeout ?? 60_000, signal } = options
    if (signal?.aborted) return Promise.reject(signal.reason as Error)
    const session = this.#session
    if (!session?.isOpen) return Promise.reject(this.#notConnected())
    const pending = session.call(procedure, args, kwargs)
    // In its other modes npm autobahn forgets the call at once, and takes the router's answer for a protocol violation.
    return this.#answered(procedure, pending, timeout, signal, () => pending.cancel({ mode: 'kill' }))
  }

  /** Registers a procedure. */
  async register(procedure: string, endpoint: Procedure, options?: Kwargs): Promise<Registration> {
    return this.#answered(procedure, this.#joined.register(procedure, endpoint, options))
  }

  /** Subscribes a topic. */
  async subscribe(topic: string, handler: EventHandler, options?: Kwargs): Promise<Subscription> {
    return this.#answered(topic, this.#joined.subscribe(topic, handler, options))
  }

  /** Publishes to a topic; resolves when the router has it, where the option `acknowledge` is true. */
  async publish(topic: string, args: readonly unknown[] = [], kwargs?: Kwargs, options?: Kwargs): Promise<void> {
    const acknowledged = this.#joined.publish(topic, args, kwargs, options)
    if (acknowledged !== undefined) await this.#answered(topic, acknowledged)
  }

  /** The connection is gone; what is under way has been rejected. */
  protected onLost(_error: MeasurandError | undefined): void {}

  /** Says good-bye to others before the session leaves. */
  protected farewell(): Promise<void> | void {}

  protected async deliverRest(): Promise<void> {}

  protected async shut(): Promise<void> {
    const [transport, session] = [this.#transport, this.#session]
    if (transport === undefined) return
    if (session?.isOpen) {
      await within(
        this.clock,
        2000,
        Promise.resolve(this.farewell()).catch(() => {}),
      )
      const left = new Promise<void>((resolve) => {
        session.onleave = () => resolve()
      })
      if (session.isOpen) {
        session.leave('wamp.close.normal')
        await within(this.clock, 1000, left)
      }
    }
    const closed = new Promise<void>((resolve) => {
      transport.onclose = () => resolve()
    })
    transport.close()
    await within(this.clock, 1000, closed)
    transport.terminate()
    this.#drop(sessionError('ERR_SESSION_CLOSED', `${this.name} is closed`))
  }

  /** The session of npm autobahn, once it has joined. */
  get #joined(): WampSession {
    if (!this.#session?.isOpen) throw this.#notConnected()
    return this.#session
  }

  #notConnected(): Error {
    return sessionError('ERR_SESSION_NOT_CONNECTED', `${this.name} is not connected`)
  }

  #secret(): string {
    const secret = this.config.secret ?? WAMP_SECRET
    if (secret === undefined) throw sisockError('ERR_SISOCK_SECRET_MISSING', 'set WAMP_SECRET or the option secret')
    return secret
  }

  /** Tries until it works or `wait` is over; who is refused for what he is does not try again. */
  async #establish(wait: number): Promise<void> {
    const backoff = new Backoff(this.config.reconnect === false ? {} : this.config.reconnect)
    const start = this.clock.elapsed()
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#open()
        return
      } catch (error) {
        this.#transport?.terminate()
        this.#drop(error as Error)
        const delay = backoff.next()
        this.status.emit('attempt-failed', { attempt, ...describeError(error as Error) })
        if (this.signal.aborted || isFinal(error) || this.clock.elapsed() + delay - start > wait) throw error
        await sleep(this.clock, delay, this.signal)
      }
    }
  }

  async #open(): Promise<void> {
    if (!this.config.anonymous) this.#secret()
    const { Session: AutobahnSession } = await loadAutobahn()
    const transport = await WampTransport.open(
      { ...this.config, url: this.config.url as string },
      this.stats,
      this.signal,
      this.network.observe?.(),
    )
    this.#transport = transport
    const joined = new Promise<SessionDetails>((resolve, reject) => {
      this.#lost = reject
      let refused: Error | undefined
      const session = new AutobahnSession(
        transport,
        defer,
        (_, method, extra) => {
          try {
            return this.onChallenge({ method, extra })
          } catch (error) {
            refused = error as Error
            throw error
          }
        },
        (error) => this.status.emit('handler-failed', describeError(thrownError(error))),
        (error) => reject(sisockError('ERR_SISOCK_PROTOCOL', String((error as WampError)?.error ?? error))),
      )
      this.#session = session
      session.onjoin = (details) =>
        resolve({ ...details, session: session.id as number, realm: this.config.realm ?? REALM })
      session.onleave = (reason, details) => {
        const error = refused ?? leaveError(reason, details)
        reject(error)
        transport.close()
        this.#ended(transport, error as MeasurandError)
      }
      transport.onclose = (error) => {
        const why =
          error ?? sessionError('ERR_SESSION_CONNECTION_LOST', 'the router closed the connection', { system: 'sisock' })
        reject(refused ?? why)
        this.#ended(transport, why)
      }
      this.onConnect()
    })
    const limit = this.config.connectTimeout ?? 10_000
    this.#details = await within(this.clock, limit, joined)
    if (this.#details === undefined)
      throw sessionError('ERR_SESSION_CONNECT_TIMEOUT', `no WELCOME in ${limit} ms`, { system: 'sisock' })
    await Promise.race([
      this.onJoin(this.#details),
      new Promise<never>((_, reject) => {
        this.#lost = reject
      }),
    ])
  }

  #connected(): void {
    this.setState('connected', { session: this.#details?.session, subprotocol: this.subprotocol })
    if (this.#transport === undefined) this.#reconnect(undefined)
  }

  /** A transport is over; what it carried is rejected. */
  #ended(transport: WampTransport, error: MeasurandError | undefined): void {
    if (this.#transport !== transport) return
    const why = error ?? sessionError('ERR_SESSION_CONNECTION_LOST', 'the connection was closed', { system: 'sisock' })
    this.#drop(why)
    this.#lost?.(why as MeasurandError)
    if (this.state === 'connected') this.#reconnect(why as MeasurandError)
  }

  #drop(error: Error): void {
    this.#transport = undefined
    this.#session = undefined
    this.#details = undefined
    for (const answer of [...this.#pending]) answer.reject(error)
  }

  #reconnect(error: MeasurandError | undefined): void {
    this.onLost(error)
    if (this.config.reconnect === false) {
      this.fail(error ?? sessionError('ERR_SESSION_CONNECTION_LOST', 'the connection was closed', { system: 'sisock' }))
      return
    }
    this.setState('reconnecting', error === undefined ? undefined : describeError(error))
    this.#establish(Number.POSITIVE_INFINITY).then(
      () => {
        this.stats.reconnects++
        this.#connected()
      },
      (reason: Error) => {
        if (!this.signal.aborted) this.fail(reason)
      },
    )
  }

  #answered<T>(
    what: string,
    promise: Promise<T>,
    timeout = 60_000,
    signal?: AbortSignal,
    cancel?: () => void,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const answer = new Answer(what, this.#pending, resolve, reject)
      answer.watch(this.clock, timeout, signal, () => {
        if (this.#session?.isOpen) cancel?.()
      })
      promise.then(
        (value) => answer.resolve(value),
        (error: unknown) => answer.reject(callError(what, error)),
      )
    })
  }
}

/** What a promise gives; `undefined` where it takes longer than so many ms. */
async function within<T>(clock: Clock, ms: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: Timer | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = clock.after(ms, () => resolve(undefined))
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    timer?.cancel()
  }
}
