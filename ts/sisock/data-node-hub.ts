import { ProtocolError } from '../session/errors.js'
import { describeError } from '../session/session.js'
import { nodeOf, nodeUri, uri } from './uri.js'
import { type SessionDetails, WampClient, type WampConfig } from './wamp-client.js'

/** A node as consumers see it. */
export interface DataNode {
  readonly name: string
  readonly description: string | null
}

interface Entry extends DataNode {
  readonly session: number
}

/** What a hub can be told. */
export interface DataNodeHubConfig extends WampConfig {
  /** Whether a hub that starts takes in the nodes that are registered already; it does unless told. */
  readonly adopt?: boolean
}

/**
 * Keeps the list of data nodes and tells consumers who comes and goes.
 *
 * ```ts
 * await using hub = new DataNodeHub({ url: 'ws://127.0.0.1:8080/ws', secret: process.env.WAMP_SECRET })
 * await hub.connect()
 * ```
 *
 * A node is taken in when the session that it names is there and serves it. A hub that starts again adopts the nodes that the router still has, Python ones too (without their description). When
 * a session leaves, all its nodes go.
 */
export class DataNodeHub extends WampClient {
  readonly #nodes = new Map<string, Entry>()
  readonly #adopt: boolean
  /** Adds that are being checked, and the sessions that have left meanwhile. */
  #checking = 0
  readonly #gone = new Set<number>()

  constructor(config: DataNodeHubConfig = {}) {
    super('sisock-hub', config)
    this.#adopt = config.adopt ?? true
  }

  /** The nodes, in the order in which they came. */
  get nodes(): DataNode[] {
    return Array.from(this.#nodes.values(), asNode)
  }

  async onJoin(_details: SessionDetails): Promise<void> {
    // What was known may be gone: the router, and with it every session, may be another.
    this.#nodes.clear()
    await this.subscribe('wamp.session.on_leave', ([session]) => this.#left(session))
    await this.register(uri('data_node.add'), ([name, description, session]) => this.#add(name, description, session))
    await this.register(uri('consumer.get_data_node'), () => this.nodes)
    await this.register(uri('data_node.subtract'), ([name, session]) => this.#subtract(name, session))
    if (this.#adopt)
      await this.#adoptNodes().catch((error: Error) => this.status.emit('adopt-failed', describeError(error)))
  }

  async #add(name: unknown, description: unknown, session: unknown): Promise<boolean> {
    if (typeof name !== 'string' || name === '' || typeof session !== 'number') return false
    if (this.#isTaken(name, session)) return false
    this.#checking++
    try {
      const fault = await this.#faultOf(name, session)
      if (fault !== undefined || this.#gone.has(session)) {
        this.status.emit('add-refused', { node: name, session, reason: fault ?? 'the session has left' })
        return false
      }
    } finally {
      if (--this.#checking === 0) this.#gone.clear()
    }
    return !this.#isTaken(name, session) && this.#enter(name, description, session)
  }

  /** A node that was adopted, and asks again, brings its description; every other name is taken. */
  #isTaken(name: string, session: number): boolean {
    const known = this.#nodes.get(name)
    return known !== undefined && (known.session !== session || known.description !== null)
  }

  #enter(name: string, description: unknown, session: number): true {
    const entry = { name, description: typeof description === 'string' ? description : null, session }
    this.#nodes.delete(name)
    this.#nodes.set(name, entry)
    this.#publish('data_node_added', entry)
    return true
  }

  /**
   * What is wrong with the session that a node says is its own: one that is not there could never be swept, and another's
   * would take the node along. A router that does not tell is believed.
   */
  async #faultOf(name: string, session: number): Promise<string | undefined> {
    const asked = async (procedure: string, argument: unknown): Promise<unknown> => {
      try {
        return await this.call(procedure, [argument])
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error
        return /no_such_session/.test(error.message) ? null : undefined
      }
    }
    const registration = await asked('wamp.registration.lookup', nodeUri(name, 'get_data'))
    if (typeof registration === 'number') {
      const callees = await asked('wamp.registration.list_callees', registration)
      if (isList(callees) && ![...callees].includes(session)) return 'another session serves a node of this name'
    }
    return (await asked('wamp.session.get', session)) === null ? 'there is no such session' : undefined
  }

  #subtract(name: unknown, session: unknown): null {
    const entry = typeof name === 'string' ? this.#nodes.get(name) : undefined
    if (entry !== undefined && entry.session === session) this.#remove(entry)
    else this.status.emit('subtract-refused', { node: String(name), session: String(session) })
    return null
  }

  #left(session: unknown): void {
    if (this.#checking > 0 && typeof session === 'number') this.#gone.add(session)
    for (const entry of [...this.#nodes.values()]) if (entry.session === session) this.#remove(entry)
  }

  #remove(entry: Entry): void {
    this.#nodes.delete(entry.name)
    this.#publish('data_node_subtracted', entry)
  }

  #publish(what: 'data_node_added' | 'data_node_subtracted', entry: Entry): void {
    this.status.emit(what, { node: entry.name, session: entry.session })
    void this.publish(uri(`consumer.${what}`), [asNode(entry)])
  }

  /** Takes in every node whose `get_data` the router has. */
  async #adoptNodes(): Promise<void> {
    const { exact = [] } = (await this.call('wamp.registration.list')) as { exact?: Iterable<number> }
    const found = await Promise.all(
      Array.from(exact, async (id) => {
        try {
          const { uri: procedure } = (await this.call('wamp.registration.get', [id])) as { uri: string }
          const name = nodeOf(procedure)
          if (name === undefined) return undefined
          const [session] = (await this.call('wamp.registration.list_callees', [id])) as Iterable<number>
          return session === undefined ? undefined : { name, session }
        } catch {
          // It went away in between.
          return undefined
        }
      }),
    )
    for (const node of found)
      if (node !== undefined && !this.#nodes.has(node.name)) this.#enter(node.name, null, node.session)
  }
}

function isList(value: unknown): value is Iterable<unknown> {
  return Array.isArray(value) || ArrayBuffer.isView(value)
}

function asNode({ name, description }: Entry): DataNode {
  return { name, description }
}
