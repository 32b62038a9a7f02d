import { randomUUID } from 'node:crypto'
import { type Batch, SignalTable } from '../batch/index.js'
import type { Clock } from '../session/clock.js'
import { Delivery, type Filler, type Ready } from '../session/delivery.js'
import { Ledger } from '../session/ledger.js'
import type { Source, SourceDescription, SourcePolicy } from '../session/source.js'
import { Stats } from '../session/stats.js'
import { StatusStream } from '../session/status.js'
import { EventBatch, type EventBlock, type EventContext, type StreamMessage } from './event-batch.js'
import { FieldRows } from './field-rows.js'
import type { Reply } from './link.js'
import type { SchemaDefinition } from './schema.js'

/** Which messages to subscribe to, and how. */
export interface SubscribeOptions {
  readonly stream: string
  /** Whether to get every message, whoever else subscribes by the same client; not so unless told. */
  readonly fanout?: boolean
  /** A UUID: subscriptions of the client with the same one share the messages. */
  readonly groupId?: string
  /** The schema, where the types of its messages are wanted. */
  readonly schema?: SchemaDefinition
  /** The path of the field that says when a message was, where its fields are stored as measurements. */
  readonly timeField?: string
  /** What happens when the consumer does not keep up; `block` unless told. */
  readonly policy?: SourcePolicy
  /** Bytes that may wait for the consumer; 16 MiB unless told. */
  readonly queueBytes?: number
  /** The name in ledger and recordings. */
  readonly name?: string
  /** Our server only: whether messages come with offset and time, so that a broken connection goes on where it was. */
  readonly offsets?: boolean
  /** Our server only: a group with a name, whose place is kept. */
  readonly group?: string
  /** Our server only: where to begin; a group with a place begins there. */
  readonly from?: 'start' | { readonly offset: number } | { readonly time: number }
  /** Our server only: whether messages have to be acknowledged. */
  readonly ack?: boolean
  /** Our server only: ms until a message that was not acknowledged comes again; 30,000 unless told. */
  readonly ackWithin?: number
  /** Our server only: times that a message comes before it goes to the stream `<name>.dead`; 5 unless told. */
  readonly maxDeliveries?: number
  /** Our server only: messages that the server may send before the consumer has taken as many. */
  readonly credit?: number
}

/** What a subscription needs of its client. */
export interface SubscriptionHost {
  readonly clock: Clock
  readonly peer: string
  /** Sends a request about a subscription. */
  request(action: string, payload: Record<string, unknown>): Promise<Reply>
  /** Stops reading while a consumer is behind. */
  hold(subscription: object, held: boolean): void
  /** It is over. */
  leave(subscription: Subscription): Promise<void>
}

/**
 * The messages of a stream, in batches or one by one; at most one consumer.
 *
 * ```ts
 * const subscription = await client.subscribe({ stream: 'boiler_data', fanout: true })
 * for await (const batch of subscription) for (const { payload } of batch) console.log(payload)
 * ```
 *
 * A batch is valid until the loop's next turn; what it gave (texts, payloads) stays.
 */
export class Subscription<M = unknown> implements Source<EventBatch<M>> {
  readonly system = 'stream-sea'
  readonly options: SubscribeOptions
  readonly signals = new SignalTable()
  readonly stats = new Stats()
  readonly ledger: Ledger
  readonly status: StatusStream
  readonly closed: Promise<Error | undefined>
  readonly name: string
  readonly #host: SubscriptionHost
  readonly #delivery: Delivery<EventBatch<M>>
  readonly #filler: Filler<EventBatch<M>>
  #resolveClosed: (error: Error | undefined) => void = () => {}
  #id = 0
  #paused = false
  #ended = false
  #next: number | undefined
  #gap: number | undefined
  #taken = 0
  readonly #fieldRows: FieldRows | undefined
  #schemaVersion = ''

  /** @internal */
  constructor(options: SubscribeOptions, host: SubscriptionHost) {
    this.options = options
    this.#host = host
    this.name = options.name ?? `streamsea-${host.peer}-${options.stream}`.replace(/[^A-Za-z0-9_.-]+/g, '-')
    this.ledger = new Ledger(this.name, host.clock)
    this.status = new StatusStream(this.name, host.clock)
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
    this.#delivery = new Delivery({
      source: this.name,
      clock: host.clock,
      policy: options.policy ?? 'block',
      ...(options.queueBytes === undefined ? {} : { queueBytes: options.queueBytes }),
      stats: this.stats,
      onDrop: ({ rows, bytes }) => this.#dropped(rows, bytes),
      onOverflow: (error) => void this.end(error),
    })
    this.#filler = {
      rows: 0,
      seal: () => {
        throw new RangeError('nothing gathers here')
      },
      room: () => this.#room(),
      discard: () => 0,
      isHolding: false,
    }
    Object.defineProperty(this.#filler, 'isHolding', { get: () => this.#paused })
    this.#delivery.attach(this.#filler)
    const { schema, stream, timeField } = options
    if (schema === undefined) return
    this.#schemaVersion = String(schema.version)
    this.#fieldRows = new FieldRows(stream, schema, this.signals, timeField)
  }

  /** The id of the request that subscribed, on the connection of now. */
  get id(): number {
    return this.#id
  }

  get policy(): SourcePolicy {
    return this.#delivery.policy
  }

  set policy(policy: SourcePolicy) {
    this.#delivery.policy = policy
  }

  /** Whether it uses what only our server has. */
  get isExtended(): boolean {
    const { offsets, group, from, ack, credit } = this.options
    return offsets === true || ack === true || group !== undefined || from !== undefined || credit !== undefined
  }

  /** The text of the request; after a reconnect it asks for what was missed where it can. */
  request(id: number): string {
    const { stream, fanout, groupId, offsets, group, from, ack, ackWithin, maxDeliveries, credit } = this.options
    const resumed = this.#next !== undefined && group === undefined ? { offset: this.#next } : from
    return JSON.stringify({
      id,
      action: 'subscribe',
      payload: stream,
      // A fresh group for each connection: the old one may still look alive to the server.
      groupId: groupId ?? (fanout ? randomUUID() : undefined),
      offsets,
      group,
      from: resumed,
      ack,
      ackWithin,
      maxDeliveries,
      credit,
    })
  }

  /** The server has accepted it on a new connection. */
  accepted(id: number): void {
    this.#id = id
    this.#taken = 0
    if (this.#gap === undefined) return
    this.stats.reconnects++
    const resumes = this.#next !== undefined || this.options.group !== undefined
    this.ledger.complete(this.#gap, { to: this.#host.clock.now(), ...(resumes && { count: 0 }) })
    this.#gap = undefined
  }

  /** The connection broke; what is published until it stands again may be lost. */
  broken(): void {
    this.#gap ??= this.ledger.add({
      cause: 'disconnect',
      from: this.#host.clock.now(),
      ...(this.#next === undefined ? {} : { firstSeq: BigInt(this.#next) }),
    })
  }

  /**
   * Takes rows of a block.
   *
   * @internal
   */
  take(block: EventBlock, from: number, to: number, release: () => void): void {
    const rows = to - from
    if (this.#ended) {
      release()
      return
    }
    const context: EventContext = {
      stream: this.options.stream,
      schemaVersion: this.#schemaVersion,
      group: this.options.group ?? this.options.groupId,
      rx: this.#host.clock.now(),
    }
    let batch = new EventBatch<M>(block, from, to, context)
    let bytes = block.bytes.length
    let done = release
    this.#watchOffsets(batch)
    if (batch.byteLength < block.textCapacity / 4) {
      // A block for a few messages would hold far more memory than they need.
      batch = batch.copy()
      bytes = batch.byteLength + 64 * rows
      done = () => undefined
      release()
    }
    this.stats.received += rows
    const ready: Ready<EventBatch<M>> = {
      batch,
      rows,
      bytes,
      release: () => {
        done()
        this.#refill(rows)
      },
    }
    this.#delivery.push(ready)
    if (this.#delivery.isFull) this.#pause()
  }

  /** Says that messages are done with: all up to an offset that came here, or those of a list. */
  async acknowledge(offsets: number | readonly number[]): Promise<void> {
    const what = typeof offsets === 'number' ? { upTo: offsets } : { offsets }
    await this.#host.request('ack', { subscription: this.#id, ...what })
  }

  /** Gives messages back, to come again at once, here or elsewhere in the group. */
  async reject(offsets: readonly number[]): Promise<void> {
    await this.#host.request('nack', { subscription: this.#id, offsets })
  }

  /** The messages one by one. */
  async *messages(): AsyncGenerator<StreamMessage<M>, void, undefined> {
    for await (const batch of this) for (const message of batch) yield message
  }

  countOf(batch: EventBatch<M>): number {
    return batch.length
  }

  /** The scalar fields of messages as measurements, where the schema is known. */
  derive(batch: Batch): Batch | undefined {
    return this.#fieldRows?.of(batch)
  }

  describe(): SourceDescription {
    const { schema, stream, group, groupId } = this.options
    const meta = { stream, ...(schema && { schema }), ...(group && { group }), ...(groupId && { groupId }) }
    return { peer: this.#host.peer, quirks: [], clock: {}, meta }
  }

  consume(call: (batch: EventBatch<M>) => void | Promise<void>): Promise<void> {
    return this.#delivery.consume(call).catch(async (error) => {
      await this.close()
      throw error
    })
  }

  [Symbol.asyncIterator](): AsyncIterator<EventBatch<M>, undefined> {
    return this.#delivery[Symbol.asyncIterator]()
  }

  /** Ends it now. */
  close(): Promise<void> {
    return this.end(undefined)
  }

  /** Ends it after what has come was taken. */
  async drain(): Promise<void> {
    if (this.#ended) return
    this.status.emit('draining')
    this.#ended = true
    this.#pauseOver()
    this.#delivery.end()
    await this.#delivery.drained
    await this.#finish(undefined)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Ends it, with the error that its consumer gets. */
  async end(error: Error | undefined): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    this.#pauseOver()
    this.stats.received -= this.#delivery.close(error)
    await this.#finish(error)
  }

  async #finish(error: Error | undefined): Promise<void> {
    this.#delivery.detach(this.#filler)
    await this.#host.leave(this as Subscription)
    this.status.emit('closed')
    this.status.end()
    this.#resolveClosed(error)
  }

  /** Enters a jump of the offsets into the ledger; messages that came before are not counted as missing. */
  #watchOffsets(batch: EventBatch<M>): void {
    const exclusive =
      this.options.group === undefined && this.options.groupId === undefined && this.options.fanout === true
    for (let row = 0; row < batch.length; row++) {
      const offset = batch.offset(row)
      if (offset === undefined) return
      if (exclusive && this.#next !== undefined && offset > this.#next) {
        const count = offset - this.#next
        this.ledger.add({ cause: 'wire', firstSeq: BigInt(this.#next), lastSeq: BigInt(offset - 1), count })
        this.stats.lost += count
      }
      this.#next = Math.max(this.#next ?? 0, offset + 1)
    }
  }

  #dropped(rows: number, bytes: number): void {
    this.stats.dropped += rows
    this.ledger.add({ cause: 'queue', count: rows, bytes })
  }

  #pause(): void {
    this.#delivery.scheduleRoom()
    this.#host.hold(this, true)
    if (this.#paused) return
    this.#paused = true
    this.#delivery.tellPressure(true)
  }

  #room(): void {
    while (this.#delivery.isFull) if (!this.#delivery.makeRoom()) return
    this.#pauseOver()
  }

  #pauseOver(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#delivery.tellPressure(false)
    this.#host.hold(this, false)
  }

  /** Lets the server send as many as the consumer has taken. */
  #refill(rows: number): void {
    const { credit } = this.options
    if (credit === undefined || this.#ended) return
    this.#taken += rows
    if (this.#taken < credit / 2) return
    const taken = this.#taken
    this.#taken = 0
    this.#host.request('credit', { subscription: this.#id, credit: taken }).catch((error) => {
      // The connection broke; the next one begins with full credit.
      this.status.emit('credit-failed', { message: String(error) })
    })
  }
}
