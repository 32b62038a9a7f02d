import { type CompiledSchema, compileSchema, Gathering } from './codec.js'
import type { Entry } from './entry.js'
import type { EventLog, Published, StreamState } from './event-log.js'
import type { SchemaDefinition } from './schema.js'
import type { Seat } from './seat.js'

/** A publish that waits for its commit. */
export interface Waiter {
  readonly count: number
  readonly key: string | undefined
  done(error: Error | undefined, published: Published): void
}

/** Bytes of entries that are kept at hand for subscribers that are a little behind. */
const RECENT_BYTES = 4 << 20

/** A stream: its schema, its messages by offset, and the groups that read it. */
export class Stream {
  readonly jail: string
  readonly name: string
  readonly number: number
  /** Offset of the oldest message that is kept. */
  start = 0
  /** Offset of the next message. */
  next = 0
  /** Bytes kept. */
  bytes = 0
  /** When the newest message was stored, ms. */
  time = 0
  readonly groups = new Map<string, Seat>()
  readonly gathering = new Gathering()
  waiting: Waiter[] = []
  readonly pendingKeys = new Map<string, Waiter[]>()
  #schema: SchemaDefinition | undefined
  #compiled: CompiledSchema | undefined
  readonly #log: EventLog
  readonly #recent: Entry[] = []
  #recentBytes = 0

  constructor(jail: string, name: string, number: number, log: EventLog) {
    this.jail = jail
    this.name = name
    this.number = number
    this.#log = log
  }

  get schema(): SchemaDefinition | undefined {
    return this.#schema
  }

  set schema(schema: SchemaDefinition | undefined) {
    this.#compiled = schema === undefined ? undefined : compileSchema(schema.fields)
    this.#schema = schema
  }

  get compiled(): CompiledSchema | undefined {
    return this.#compiled
  }

  get state(): StreamState {
    return { start: this.start, next: this.next, bytes: this.bytes, time: this.time }
  }

  /** Begins where the log says that the stream is, and takes what others append to it. */
  async open(): Promise<void> {
    this.restore(await this.#log.open(this.number, (entry) => this.append(entry)))
  }

  /** Learns where the log says that the stream is by now: others may have let go of messages. */
  async refresh(): Promise<void> {
    const { start, bytes } = await this.#log.state(this.number)
    this.start = Math.max(this.start, start)
    this.bytes = bytes
  }

  restore(state: StreamState): void {
    this.start = state.start
    this.next = state.next
    this.bytes = state.bytes
    this.time = state.time
  }

  /** Takes the next entry that is durable, and lets the groups have it; others come, or came, in their turn. */
  append(entry: Entry): void {
    if (entry.first !== this.next) return
    this.next = entry.first + entry.count
    this.bytes += entry.packed.length
    this.time = entry.time
    this.#recent.push(entry)
    this.#recentBytes += entry.packed.length
    while (this.#recentBytes > RECENT_BYTES && this.#recent.length > 1) {
      this.#recentBytes -= (this.#recent.shift() as Entry).packed.length
    }
    for (const group of this.groups.values()) group.pump()
  }

  /** The entry of an offset, if it is at hand. */
  recent(offset: number): Entry | undefined {
    let [low, high] = [0, this.#recent.length - 1]
    while (low <= high) {
      const middle = (low + high) >> 1
      const entry = this.#recent[middle] as Entry
      if (offset < entry.first) high = middle - 1
      else if (offset >= entry.first + entry.count) low = middle + 1
      else return entry
    }
    return undefined
  }

  /** Entries from an offset on, out of the log. */
  read(offset: number, bytes = 1 << 20): Promise<Entry[]> {
    return this.#log.read(this.number, offset, bytes)
  }
}
