import { sleep } from '../session/clock.js'
import type { MeasurandError } from '../session/errors.js'
import type { FieldsReply } from './data.js'
import type { DataNode } from './data-node-hub.js'
import { type DataResult, joinResults, readData, readFields, sliceResult } from './data-reader.js'
import { sisockError } from './error-codes.js'
import { isNodeName, nodeUri, sisockToUnixTime, uri } from './uri.js'
import { type CallOptions, type SessionDetails, WampClient, type WampConfig } from './wamp-client.js'

/** What a consumer can be told. */
export interface DataNodeConsumerConfig extends WampConfig {
  /** Whether final samples are kept, and not asked for again; bytes, 64 MiB unless told, 0 for none. */
  readonly cacheBytes?: number
  /** How long a hub is waited for on joining, ms; 30,000 unless told. */
  readonly hubWait?: number
  /** Whether nodes that offer it are asked for columns as bytes; they are unless told. */
  readonly columns?: boolean
}

/** What a request for data can be told. */
export interface DataRequest extends CallOptions {
  /** Seconds that successive samples are to be apart at least. */
  readonly minStride?: number | null
  /** Seconds that are asked for at once; all unless told. What is too much for the node is cut in any case. */
  readonly chunk?: number
}

/** A node came or went. */
export interface NodeEvent {
  readonly kind: 'added' | 'subtracted'
  readonly node: DataNode
}

interface Cached {
  readonly node: string
  /** Seconds since 1970: the result is final in `[from, until)`. */
  readonly from: number
  readonly until: number
  readonly result: DataResult
  readonly bytes: number
}

/** What is asked of a node, beside the window. */
interface Question {
  readonly node: string
  readonly fields: readonly string[]
  readonly request: DataRequest
}

/** Windows shorter than this are not cut any further, seconds. */
const SHORTEST = 1e-3

/**
 * Lists data nodes and asks them for data.
 *
 * ```ts
 * await using consumer = new DataNodeConsumer({ url: 'ws://127.0.0.1:8080/ws', user: 'simonsobs' })
 * await consumer.connect()
 * for (const { name } of consumer.nodes) {
 *   const [fields] = await consumer.getFields(name)
 *   const { data, timeline } = await consumer.getData(name, Object.keys(fields), -3600, 0)
 * }
 * ```
 *
 * Numbers come as `Float64Array`s, gaps as NaN. What a node calls final is not asked for twice.
 */
export class DataNodeConsumer extends WampClient {
  readonly #config: DataNodeConsumerConfig
  readonly #nodes = new Map<string, DataNode>()
  readonly #watchers = new Set<(event: NodeEvent) => void>()
  readonly #fields = new Map<string, FieldsReply[0]>()
  /** Nodes that have no `get_columns`. */
  readonly #plain = new Set<string>()
  readonly #cache = new Map<string, Cached>()
  #cachedBytes = 0

  constructor(config: DataNodeConsumerConfig = {}) {
    super('sisock-consumer', config)
    this.#config = config
  }

  /** The nodes that the hub lists, kept up to date. */
  get nodes(): DataNode[] {
    return [...this.#nodes.values()]
  }

  async onJoin(_details: SessionDetails): Promise<void> {
    // First the topics, then the list: in the other order a node could come in between and be missed.
    await this.subscribe(uri('consumer.data_node_added'), ([node]) => this.#changed('added', node))
    await this.subscribe(uri('consumer.data_node_subtracted'), ([node]) => this.#changed('subtracted', node))
    const start = this.clock.elapsed()
    for (;;) {
      try {
        await this.refresh()
        return
      } catch (error) {
        const { code } = error as MeasurandError
        if (code !== 'ERR_SISOCK_PROCEDURE_MISSING' || this.clock.elapsed() - start > (this.#config.hubWait ?? 30_000))
          throw error
        await sleep(this.clock, 200, this.signal)
      }
    }
  }

  /** Asks the hub for the nodes; gives them. */
  async refresh(): Promise<DataNode[]> {
    const answer = await this.call(uri('consumer.get_data_node'))
    if (!Array.isArray(answer)) throw sisockError('ERR_SISOCK_REPLY_SHAPE', 'get_data_node gave no list')
    const listed = answer.map(readNode)
    for (const name of [...this.#nodes.keys()]) {
      if (!listed.some((node) => node.name === name)) this.#changed('subtracted', this.#nodes.get(name))
    }
    for (const node of listed) if (!this.#nodes.has(node.name)) this.#changed('added', node)
    return this.nodes
  }

  /** Calls when a node comes or goes; gives the function that stops it. */
  watch(call: (event: NodeEvent) => void): () => void {
    this.#watchers.add(call)
    return () => this.#watchers.delete(call)
  }

  /** The fields and timelines that a node has between two sisock times; of all times unless told. */
  async getFields(node: string, start = 1, end = 0, options?: CallOptions): Promise<FieldsReply> {
    const reply = readFields(await this.call(nodeUri(checked(node), 'get_fields'), [start, end], undefined, options))
    this.#fields.set(node, { ...this.#fields.get(node), ...reply[0] })
    return reply
  }

  /** The samples of fields of a node between two sisock times, `[start, end)`. */
  async getData(
    node: string,
    fields: readonly string[],
    start: number,
    end: number,
    request: DataRequest = {},
  ): Promise<DataResult> {
    checked(node)
    if (fields.some((name) => this.#fields.get(node)?.[name] === undefined)) await this.getFields(node, 1, 0, request)
    const question = { node, fields, request }
    const isAbsolute = start > 0 && end > 0
    if (!isAbsolute || (request.minStride ?? null) !== null || (this.#config.cacheBytes ?? DEFAULT_CACHE) === 0) {
      return this.#fetch(question, start, end)
    }
    return this.#cached(question, start, end)
  }

  async #cached(question: Question, start: number, end: number): Promise<DataResult> {
    const { node, fields } = question
    const known = this.#fields.get(node) ?? {}
    const key = JSON.stringify([node, [...fields].sort()])
    const cached = this.#cache.get(key)
    if (cached === undefined || start < cached.from || start >= cached.until) {
      const result = await this.#fetch(question, start, end)
      this.#keep({ key, node }, start, end, result, known)
      return result
    }
    // The newest use is last: the first goes when there is no room.
    this.#cache.delete(key)
    this.#cache.set(key, cached)
    if (end <= cached.until) return sliceResult(cached.result, known, start, end)
    const rest = await this.#fetch(question, cached.until, end)
    const whole = joinResults([sliceResult(cached.result, known, cached.from, cached.until), rest])
    this.#keep({ key, node }, cached.from, end, whole, known)
    return sliceResult(whole, known, start, end)
  }

  #keep(
    { key, node }: { key: string; node: string },
    from: number,
    end: number,
    result: DataResult,
    known: FieldsReply[0],
  ): void {
    const limits = Object.values(result.timeline).map(({ finalizedUntil }) => finalizedUntil ?? end)
    const until = Math.min(end, this.#now(), ...limits)
    this.#forget(key)
    if (!(until > from) || Object.keys(result.timeline).length === 0) return
    const final = sliceResult(result, known, from, until)
    let bytes = 0
    for (const values of Object.values(final.data)) bytes += values.length * 8
    for (const { t } of Object.values(final.timeline)) bytes += t.byteLength
    const limit = this.#config.cacheBytes ?? DEFAULT_CACHE
    if (bytes > limit) return
    this.#cache.set(key, { node, from, until, result: final, bytes })
    this.#cachedBytes += bytes
    for (const oldest of this.#cache.keys()) {
      if (this.#cachedBytes <= limit) break
      this.#forget(oldest)
    }
  }

  #forget(key: string): void {
    this.#cachedBytes -= this.#cache.get(key)?.bytes ?? 0
    this.#cache.delete(key)
  }

  #now(): number {
    return Number(this.clock.now() / 1000n) / 1e6
  }

  /** Asks for all at once, or piece by piece. */
  #fetch(question: Question, start: number, end: number): Promise<DataResult> {
    const { chunk = 0 } = question.request
    return chunk > 0 ? this.#pieces(question, start, end, chunk) : this.#window(question, start, end)
  }

  async #pieces(question: Question, start: number, end: number, chunk: number): Promise<DataResult> {
    const [from, to] = [sisockToUnixTime(start, this.#now()), sisockToUnixTime(end, this.#now())]
    const results: DataResult[] = []
    let size = chunk
    for (let at = from; at < to; ) {
      const end = Math.min(at + size, to)
      const result = await this.#window(question, at, end)
      results.push(result)
      at = end
      // Years without a sample are not gone through hour by hour.
      size = Object.keys(result.timeline).length === 0 ? 2 * size : chunk
    }
    return results.length === 0
      ? { data: Object.fromEntries(question.fields.map((name) => [name, []])), timeline: {} }
      : joinResults(results)
  }

  /** What is too much for the node is halved. */
  async #window(question: Question, start: number, end: number): Promise<DataResult> {
    const { node } = question
    const answer = await this.#ask(question, start, end)
    if (answer !== false) return readData(answer, this.#fields.get(node) ?? {})
    const [from, to] = [sisockToUnixTime(start, this.#now()), sisockToUnixTime(end, this.#now())]
    const middle = from + (to - from) / 2
    if (!(to - from > SHORTEST) || middle <= from || middle >= to) {
      throw sisockError('ERR_SISOCK_ALLOWANCE', `${node} gives less than the samples of ${from} to ${to} at once`)
    }
    return joinResults([await this.#window(question, from, middle), await this.#window(question, middle, to)])
  }

  async #ask({ node, fields, request }: Question, start: number, end: number): Promise<unknown> {
    const { minStride = null } = request
    const args = minStride === null ? [fields, start, end] : [fields, start, end, minStride]
    if (this.isBinary && this.#config.columns !== false && !this.#plain.has(node)) {
      try {
        return await this.call(nodeUri(node, 'get_columns'), args, undefined, request)
      } catch (error) {
        if ((error as MeasurandError).code !== 'ERR_SISOCK_PROCEDURE_MISSING') throw error
        this.#plain.add(node)
      }
    }
    return this.call(nodeUri(node, 'get_data'), args, undefined, request)
  }

  #changed(kind: NodeEvent['kind'], value: unknown): void {
    const node = readNode(value)
    this.#plain.delete(node.name)
    this.#fields.delete(node.name)
    // Who comes under the name of one that went may be another, with other data.
    for (const [key, cached] of this.#cache) if (cached.node === node.name) this.#forget(key)
    const isKnown = this.#nodes.has(node.name)
    if (kind === 'added') this.#nodes.set(node.name, node)
    else this.#nodes.delete(node.name)
    if (isKnown === (kind === 'added')) return
    this.status.emit(`node-${kind}`, { node: node.name })
    for (const watcher of this.#watchers) watcher({ kind, node })
  }
}

const DEFAULT_CACHE = 64 << 20

function checked(node: string): string {
  if (isNodeName(node)) return node
  throw sisockError('ERR_SISOCK_NAME_INVALID', `no node is named ${node}`)
}

function readNode(value: unknown): DataNode {
  const { name, description } = (value ?? {}) as { name?: unknown; description?: unknown }
  if (typeof name !== 'string') throw sisockError('ERR_SISOCK_REPLY_SHAPE', 'a node without a name')
  return { name, description: typeof description === 'string' ? description : null }
}
