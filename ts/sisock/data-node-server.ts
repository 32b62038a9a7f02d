import { sleep } from '../session/clock.js'
import { type MeasurandError, ProtocolError } from '../session/errors.js'
import type { Ledger } from '../session/ledger.js'
import { Backoff } from '../session/reconnect.js'
import { describeError } from '../session/session.js'
import type { StatsSnapshot } from '../session/stats.js'
import type { StatusStream } from '../session/status.js'
import {
  type EventHandler,
  type Kwargs,
  loadAutobahn,
  type Procedure,
  type Registration,
  type Subscription,
} from './autobahn.js'
import { BlockingWorker } from './blocking-worker.js'
import { checkReply, columnReply, type DataReply, type FieldsReply, plainReply, sampleCount } from './data.js'
import { sisockError } from './error-codes.js'
import { isNodeName, nodeUri, uri } from './uri.js'
import { type CallOptions, type Challenge, type SessionDetails, WampClient, type WampConfig } from './wamp-client.js'

/** What a data node server can be told. */
export interface DataNodeConfig extends WampConfig {
  /** Samples beyond which `getData` answers `false`; 10,000,000 unless told. */
  readonly allowance?: number
  /** Whether peers that ask for them get columns as bytes; they do unless told. */
  readonly columns?: boolean
  /** How often it is looked whether the hub is another one, ms; 5,000 unless told, 0 never. */
  readonly checkInterval?: number
}

/**
 * Serves the data of a node: parent of all data node servers.
 *
 * ```ts
 * class Weather extends DataNodeServer {
 *   override name = 'weather'
 *   override description = 'the roof'
 *   override getFields() {
 *     return [{ temperature: { description: null, timeline: 't', type: 'number', units: 'C' } },
 *             { t: { interval: 1, field: ['temperature'] } }] as const
 *   }
 *   override getData(field, start, end, minStride) {
 *     return { data: { temperature: [20.5] }, timeline: { t: { t: [start], finalizedUntil: null } } }
 *   }
 * }
 * await new Weather({ url: 'ws://127.0.0.1:8080/ws', secret: process.env.WAMP_SECRET }).connect()
 * ```
 *
 * A subclass overrides `getFields` and `getData`, or, where they would block the event loop, `getFieldsBlocking` and
 * `getDataBlocking`, which run in a thread: `blockingModule` then names the module whose default export the class is.
 * After a reconnection, and when the hub comes back, the node adds itself again.
 */
export class DataNodeServer implements AsyncDisposable {
  /** The name under which consumers find it; the hub refuses one that is taken. */
  name: string | null = null
  /** What people are told of it. */
  description: string | null = null
  /** The module (its `import.meta.url`) whose default export this class is, for the blocking methods. */
  blockingModule: string | URL | undefined
  readonly config: DataNodeConfig
  readonly #session: NodeSession
  #worker: BlockingWorker | undefined

  constructor(config: DataNodeConfig = {}) {
    this.config = config
    this.#session = new NodeSession(this, config)
  }

  /** The available fields between two sisock times, `[start, end)`. */
  getFields(start: number, end: number): FieldsReply | Promise<FieldsReply> {
    return this.#blocking('getFieldsBlocking', [start, end]) as Promise<FieldsReply>
  }

  /**
   * The samples of fields between two sisock times, `[start, end)`, at least `minStride` seconds apart; `false` where
   * that is more than the node gives at once. An unknown field has no samples.
   */
  getData(
    field: readonly string[],
    start: number,
    end: number,
    minStride: number | null,
  ): DataReply | false | Promise<DataReply | false> {
    return this.#blocking('getDataBlocking', [field, start, end, minStride]) as Promise<DataReply | false>
  }

  /** `getFields`, in a thread. */
  getFieldsBlocking(_start: number, _end: number): FieldsReply | Promise<FieldsReply> {
    throw sisockError('ERR_SISOCK_NODE_OVERRIDE', 'getFieldsBlocking must be overridden')
  }

  /** `getData`, in a thread. */
  getDataBlocking(
    _field: readonly string[],
    _start: number,
    _end: number,
    _minStride: number | null,
  ): DataReply | false | Promise<DataReply | false> {
    throw sisockError('ERR_SISOCK_NODE_OVERRIDE', 'getDataBlocking must be overridden')
  }

  /** Fired when the connection stands: joins the realm by WAMP-CRA. */
  onConnect(): void {
    this.#session.joinRealm()
  }

  /** Fired when the router asks who we are: gives the signature. */
  onChallenge(challenge: Challenge): string | Promise<string> {
    return this.#session.sign(challenge)
  }

  /** Fired when the session has joined: registers the procedures, has the hub add the node, then `afterOnJoin`. */
  async onJoin(details: SessionDetails): Promise<void> {
    await this.#session.enlist(details)
    await this.afterOnJoin(details)
  }

  /** Called after `onJoin`, and awaited; does nothing unless overridden. */
  afterOnJoin(_details: SessionDetails): void | Promise<void> {}

  /** Connects and adds the node; rejects with a typed error, `ERR_SISOCK_NODE_DENIED` where the name is taken. */
  async connect(): Promise<void> {
    if (!isNodeName(this.name)) throw sisockError('ERR_SISOCK_NAME_INVALID', `a node cannot be named ${this.name}`)
    await this.#session.connect()
  }

  /** Calls a procedure. */
  call(procedure: string, args?: readonly unknown[], kwargs?: Kwargs, options?: CallOptions): Promise<unknown> {
    return this.#session.call(procedure, args, kwargs, options)
  }

  /** Registers a procedure. */
  register(procedure: string, endpoint: Procedure, options?: Kwargs): Promise<Registration> {
    return this.#session.register(procedure, endpoint, options)
  }

  /** Subscribes a topic. */
  subscribe(topic: string, handler: EventHandler, options?: Kwargs): Promise<Subscription> {
    return this.#session.subscribe(topic, handler, options)
  }

  /** Publishes to a topic. */
  publish(topic: string, args?: readonly unknown[], kwargs?: Kwargs, options?: Kwargs): Promise<void> {
    return this.#session.publish(topic, args, kwargs, options)
  }

  get status(): StatusStream {
    return this.#session.status
  }

  get stats(): StatsSnapshot {
    return this.#session.stats
  }

  get ledger(): Ledger {
    return this.#session.ledger
  }

  /** Resolves when it is over: with the error that ended it, or nothing. */
  get closed(): Promise<Error | undefined> {
    return this.#session.closed
  }

  /** Has the hub remove the node, leaves and closes. */
  async close(): Promise<void> {
    await this.#session.close()
    await this.#worker?.close()
  }

  /** Answers what was asked, then closes. */
  async drain(): Promise<void> {
    await this.#session.drain()
    await this.#worker?.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #blocking(method: 'getFieldsBlocking' | 'getDataBlocking', args: readonly unknown[]): Promise<unknown> {
    if (this[method] === DataNodeServer.prototype[method]) {
      const plain = method === 'getDataBlocking' ? 'getData' : 'getFields'
      throw sisockError('ERR_SISOCK_NODE_OVERRIDE', `${plain} or ${method} must be overridden`)
    }
    if (this.blockingModule === undefined) {
      throw sisockError('ERR_SISOCK_NODE_OVERRIDE', `${method} needs blockingModule, the import.meta.url of the class`)
    }
    if (this.#worker === undefined) {
      const { signal: _, clock: _c, network: _n, secret: _s, ...config } = this.config
      this.#worker = new BlockingWorker(this.blockingModule, config)
    }
    return this.#worker.run(method, args)
  }
}

/** The WAMP session of a data node server. */
class NodeSession extends WampClient {
  readonly #node: DataNodeServer
  readonly #config: DataNodeConfig
  /** Calls that are being answered. */
  #answering = 0
  readonly #idle: (() => void)[] = []
  #session = 0
  #hasJoinedBefore = false
  #checks = 0
  #hub: number | null | undefined

  constructor(node: DataNodeServer, config: DataNodeConfig) {
    super('sisock-node', config)
    this.#node = node
    this.#config = config
  }

  override onConnect(): void {
    this.#node.onConnect()
  }

  override onChallenge(challenge: Challenge): string | Promise<string> {
    return this.#node.onChallenge(challenge)
  }

  onJoin(details: SessionDetails): Promise<void> {
    return this.#node.onJoin(details)
  }

  joinRealm(): void {
    super.onConnect()
  }

  sign(challenge: Challenge): string | Promise<string> {
    return super.onChallenge(challenge)
  }

  /** Registers the procedures and has the hub add the node, in the order of the Python class. */
  async enlist({ session }: SessionDetails): Promise<void> {
    this.#session = session
    const { name } = this.#node as { name: string }
    await this.register(nodeUri(name, 'get_fields'), (args) => this.#answer(() => this.#fields(args)))
    await this.register(nodeUri(name, 'get_data'), (args, kwargs) =>
      this.#answer(() => this.#data(args, kwargs, false)),
    )
    if (this.isBinary && this.#config.columns !== false) {
      await this.register(nodeUri(name, 'get_columns'), (args, kwargs) =>
        this.#answer(() => this.#data(args, kwargs, true)),
      )
    }
    this.#hub = undefined
    await this.#add()
    this.#hasJoinedBefore = true
    void this.#check(++this.#checks)
  }

  protected override async deliverRest(): Promise<void> {
    if (this.#answering > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  protected override async farewell(): Promise<void> {
    this.#checks++
    await this.call(uri('data_node.subtract'), [this.#node.name, this.#session], undefined, { timeout: 2000 }).catch(
      () => {},
    )
  }

  /** Has the hub add the node; waits for a hub, and after a reconnection for the old session to be gone. */
  async #add(): Promise<void> {
    const { name, description } = this.#node
    const session = this.#session
    const backoff = new Backoff({ minDelay: 100, maxDelay: 5000 })
    for (let attempt = 1; ; attempt++) {
      try {
        if ((await this.call(uri('data_node.add'), [name, description, session])) === true) {
          this.status.emit('added', { node: name, session })
          return
        }
        if (!this.#hasJoinedBefore || attempt > 10) {
          throw sisockError('ERR_SISOCK_NODE_DENIED', `the hub has a node named ${name} already`)
        }
        this.status.emit('denied', { node: name, attempt })
      } catch (error) {
        if ((error as MeasurandError).code !== 'ERR_SISOCK_PROCEDURE_MISSING') throw error
        if (attempt === 1) this.status.emit('hub-missing', { node: name })
        if (this.state === 'connecting') {
          // The node serves already; the hub finds it when it comes.
          void this.#addLater(session)
          return
        }
      }
      await sleep(this.clock, backoff.next(), this.signal)
      if (session !== this.#session) return
    }
  }

  /** Goes on trying behind the back of `connect`. */
  async #addLater(session: number): Promise<void> {
    const backoff = new Backoff({ minDelay: 100, maxDelay: 5000 })
    try {
      while (session === this.#session && this.details !== undefined) {
        await sleep(this.clock, backoff.next(), this.signal)
        if (session !== this.#session) return
        if (await this.#isListed()) return
        if (await this.#tryAdd()) return
      }
    } catch (error) {
      if (!this.signal.aborted) this.status.emit('add-failed', describeError(error as Error))
    }
  }

  /** Adds once; `false` where there is no hub. A hub that has adopted the node says no, and lists it. */
  async #tryAdd(): Promise<boolean> {
    const { name, description } = this.#node
    const session = this.#session
    try {
      const added = await this.call(uri('data_node.add'), [name, description, session])
      if (added === true) this.status.emit('added', { node: name, session })
      else if (!(await this.#isListed())) this.status.emit('denied', { node: name })
      return true
    } catch (error) {
      if ((error as MeasurandError).code === 'ERR_SISOCK_PROCEDURE_MISSING') return false
      throw error
    }
  }

  async #isListed(): Promise<boolean> {
    try {
      const nodes = await this.call(uri('consumer.get_data_node'))
      return Array.isArray(nodes) && nodes.some((node) => (node as { name?: unknown })?.name === this.#node.name)
    } catch {
      return false
    }
  }

  /**
   * A hub that was started again may not list us, and does not say that it is there. Its procedure has another id then:
   * asking for that is cheap, where events of every registration at every node would not be.
   */
  async #check(turn: number): Promise<void> {
    const interval = this.#config.checkInterval ?? 5000
    if (interval === 0) return
    try {
      this.#hub = await this.#hubId().catch(() => undefined)
      while (turn === this.#checks) {
        await sleep(this.clock, interval, this.signal)
        if (turn !== this.#checks || this.state !== 'connected') continue
        try {
          const hub = await this.#hubId()
          if (turn !== this.#checks || hub === null || hub === this.#hub) continue
          if (hub !== undefined || !(await this.#isListed())) await this.#tryAdd()
          this.#hub = hub
        } catch (error) {
          // The hub went away while it was asked: the next turn sees another.
          this.status.emit('check-failed', describeError(error as Error))
        }
      }
    } catch {
      // The session has ended, or its connection, after which another turn begins.
    }
  }

  /** The id of the hub's procedure; `null` where there is no hub, `undefined` where the router does not say. */
  async #hubId(): Promise<number | null | undefined> {
    try {
      return (await this.call('wamp.registration.lookup', [uri('data_node.add')])) as number | null
    } catch (error) {
      if (error instanceof ProtocolError) return undefined
      throw error
    }
  }

  #fields([start, end]: unknown[]): FieldsReply | Promise<FieldsReply> {
    return this.#node.getFields(asTime(start, 'start'), asTime(end, 'end'))
  }

  async #data([field, start, end, stride]: unknown[], kwargs: Kwargs, asColumns: boolean): Promise<unknown> {
    const minStride = stride ?? kwargs['min_stride'] ?? null
    if (minStride !== null && typeof minStride !== 'number') throw new TypeError('min_stride is no number')
    // A single name for a list of one: Python nodes take it for its letters.
    const fields = typeof field === 'string' ? [field] : (field ?? [])
    if (!Array.isArray(fields) || !fields.every((name) => typeof name === 'string')) {
      throw new TypeError('field is no list of names')
    }
    const reply = await this.#node.getData(fields, asTime(start, 'start'), asTime(end, 'end'), minStride)
    if (reply === false) return false
    checkReply(reply)
    if (sampleCount(reply) > (this.#config.allowance ?? 10_000_000)) return false
    return asColumns ? columnReply(reply) : plainReply(reply)
  }

  /** Answers a call; what goes wrong is told to the caller as a Python node would. */
  async #answer(work: () => unknown): Promise<unknown> {
    this.#answering++
    try {
      await this.ready()
      return await work()
    } catch (error) {
      const { Error: AutobahnError } = await loadAutobahn()
      throw new AutobahnError('wamp.error.runtime_error', [(error as Error).message])
    } finally {
      if (--this.#answering === 0) for (const idle of this.#idle.splice(0)) idle()
    }
  }
}

function asTime(value: unknown, name: string): number {
  if (typeof value === 'bigint') return Number(value)
  if (typeof value === 'number') return value
  throw new TypeError(`${name} is no time: ${String(value)}`)
}
