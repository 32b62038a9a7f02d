import { type Extras, writeFrames } from './codec.js'
import type { Connection } from './connection.js'
import { type Entry, packedText } from './entry.js'
import { type Filter, passes } from './filter.js'
import type { Member, Seat } from './seat.js'

/** Frames that subscriptions with the same head share, by entry. */
const shared = new WeakMap<Entry, Map<string, Buffer>>()

/** A subscription of a connection, as a member of its group. */
export class Subscriber implements Member {
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
    const withheld: number[] = []
    for (let index = from; index < to; index++) {
      const offset = entry.first + index
      if (passes(this.#filter, JSON.parse(packedText(entry.packed, index)), this.group.stream.name)) {
        this.#connection.write(this.#frames(entry, index, index + 1, { ...extras, offset }), 1)
      } else withheld.push(offset)
    }
    if (withheld.length > 0 && this.group.options.acknowledge) this.#acknowledgeSoon(withheld)
  }

  /** Nobody gets what the filter withholds. The group is giving out just now, and is not asked to give out more in that. */
  #acknowledgeSoon(offsets: readonly number[]): void {
    Promise.resolve()
      .then(() => this.group.acknowledge(this, offsets))
      .catch((error) => this.#connection.report(error))
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
