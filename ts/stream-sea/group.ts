import type { Clock, Timer } from '../session/clock.js'
import { type Entry, packedText } from './entry.js'
import type { GroupOptions, Member, Seat } from './seat.js'
import type { Stream } from './stream.js'

interface Outstanding {
  readonly offset: number
  readonly member: Member
  readonly deadline: number
  /** Times given out so far. */
  readonly deliveries: number
}

/** What a group needs of its server. */
export interface GroupHost {
  readonly clock: Clock
  /** Keeps a committed offset. */
  commit(group: Group, offset: number): void
  /** A message was given out too often. */
  deadLetter(group: Group, text: string): void
  /** Reading the log failed. */
  failed(error: Error): void
}

/** ms after which the log is read again where that failed. */
export const READ_AGAIN_AFTER = 500
/** Bytes of one delivery to one socket, about. */
const SLICE = 256 << 10

/** Those who share the messages of a stream: each goes to one of them. A member that is slow is read for later. */
export class Group implements Seat {
  readonly stream: Stream
  readonly client: string
  readonly key: string
  readonly options: GroupOptions
  /** Offset of the next message that has not been given out. */
  position: number
  /** Everything before it is done with. */
  committed: number
  readonly #host: GroupHost
  readonly #members: Member[] = []
  readonly #outstanding = new Map<number, Outstanding>()
  /** Offsets to give out again, with the times that they were. */
  readonly #again = new Map<number, number>()
  #turn = 0
  #read: Entry[] = []
  #reading = false
  /** What follows {@link #read}, asked for before it is needed. */
  #ahead: { readonly from: number; readonly entries: Promise<Entry[]> } | undefined
  #timer: Timer | undefined

  constructor(stream: Stream, client: string, key: string, options: GroupOptions, position: number, host: GroupHost) {
    this.stream = stream
    this.client = client
    this.key = key
    this.options = options
    this.position = position
    this.committed = position
    this.#host = host
  }

  get members(): number {
    return this.#members.length
  }

  /** Messages that nobody has had, or acknowledged where that is asked. */
  get lag(): number {
    return this.stream.next - Math.max(this.committed, this.stream.start)
  }

  /** Messages given out and not acknowledged. */
  get outstanding(): number {
    return this.#outstanding.size
  }

  join(member: Member): void {
    this.#members.push(member)
    this.pump()
  }

  leave(member: Member): void {
    const index = this.#members.indexOf(member)
    if (index < 0) return
    this.#members.splice(index, 1)
    for (const { offset, deliveries, member: holder } of this.#outstanding.values()) {
      if (holder === member) this.#giveAgain(offset, deliveries)
    }
    this.pump()
  }

  granted(): void {
    this.pump()
  }

  acknowledge(member: Member, offsets: Iterable<number>): number {
    let count = 0
    for (const offset of offsets) {
      if (this.#outstanding.get(offset)?.member !== member) continue
      this.#outstanding.delete(offset)
      count++
    }
    this.#advance()
    this.pump()
    return count
  }

  acknowledgeTo(member: Member, offset: number): number {
    const offsets: number[] = []
    for (const entry of this.#outstanding.values()) {
      if (entry.member === member && entry.offset <= offset) offsets.push(entry.offset)
    }
    return this.acknowledge(member, offsets)
  }

  reject(member: Member, offsets: Iterable<number>): number {
    let count = 0
    for (const offset of offsets) {
      const entry = this.#outstanding.get(offset)
      if (entry?.member !== member) continue
      this.#giveAgain(offset, entry.deliveries)
      count++
    }
    this.#advance()
    this.pump()
    return count
  }

  pump(): void {
    if (this.#members.length === 0) return
    if (this.position < this.stream.start) this.position = this.stream.start
    while (this.#again.size > 0 && this.#pumpAgain());
    while (this.position < this.stream.next && this.#pumpNext());
  }

  #pumpAgain(): boolean {
    const [offset, deliveries] = this.#again.entries().next().value as [number, number]
    const entry = this.#entry(offset)
    if (entry === null) return false
    if (entry === undefined || offset < this.stream.start) {
      this.#again.delete(offset)
      this.#advance()
      return true
    }
    if (this.options.acknowledge && deliveries >= this.options.maxDeliveries) {
      this.#again.delete(offset)
      this.#host.deadLetter(this, packedText(entry.packed, offset - entry.first))
      this.#advance()
      return true
    }
    const member = this.#next()
    if (member === undefined) return false
    this.#again.delete(offset)
    const index = offset - entry.first
    this.#give(member, entry, index, index + 1, deliveries)
    return true
  }

  #pumpNext(): boolean {
    const entry = this.#entry(this.position)
    if (entry === null) return false
    if (entry === undefined) {
      // Retention took it.
      this.position = this.stream.start > this.position ? this.stream.start : this.stream.next
      return true
    }
    const room = this.options.acknowledge
      ? this.options.maxOutstanding - this.#outstanding.size
      : Number.POSITIVE_INFINITY
    const member = room > 0 ? this.#next() : undefined
    if (member === undefined) return false
    const from = this.position - entry.first
    const share = Math.ceil((entry.count - from) / this.#members.length)
    const slice = Math.max(1, Math.floor((SLICE * entry.count) / entry.packed.length))
    const to = from + Math.min(share, slice, member.credit, room)
    this.position = entry.first + to
    this.#give(member, entry, from, to, 0)
    return true
  }

  #give(member: Member, entry: Entry, from: number, to: number, redelivered: number): void {
    const { acknowledge, acknowledgeWithin } = this.options
    if (acknowledge || member.confirms) {
      const deadline = acknowledge ? this.#host.clock.elapsed() + acknowledgeWithin : Number.POSITIVE_INFINITY
      for (let index = from; index < to; index++) {
        const offset = entry.first + index
        this.#outstanding.set(offset, { offset, member, deadline, deliveries: redelivered + 1 })
      }
      if (acknowledge) this.#watch()
    }
    member.deliver(entry, from, to, { offset: entry.first + from, time: entry.time, redelivered })
    if (acknowledge) return
    if (this.#outstanding.size === 0 && this.#again.size === 0) this.#commit(this.position)
    else this.#advance()
  }

  /** The member whose turn it is, of those that are ready. */
  #next(): Member | undefined {
    for (let tried = 0; tried < this.#members.length; tried++) {
      const member = this.#members[this.#turn++ % this.#members.length] as Member
      if (member.ready) return member
    }
    return undefined
  }

  /** The entry of an offset; null while it is being read, undefined where there is none. */
  #entry(offset: number): Entry | undefined | null {
    const holds = (entry: Entry): boolean => offset >= entry.first && offset < entry.first + entry.count
    const recent = this.stream.recent(offset)
    if (recent !== undefined) {
      this.#read = []
      this.#ahead = undefined
      return recent
    }
    const entry = this.#read.find(holds)
    if (entry !== undefined || offset >= this.stream.next) return entry
    if (!this.#reading && this.#members.some((member) => member.ready)) void this.#load(offset)
    return null
  }

  async #load(offset: number): Promise<void> {
    this.#reading = true
    let isThere = false
    try {
      this.#read = await (this.#ahead?.from === offset ? this.#ahead.entries : this.stream.read(offset))
      const [found] = this.#read
      isThere = found !== undefined && found.first <= offset
      // Retention took it while it was read, or what answered has not got it yet.
      if (!isThere) await this.stream.refresh()
      const last = this.#read.at(-1)
      const from = last === undefined ? this.stream.next : last.first + last.count
      const isBehind = isThere && from < this.stream.next && this.stream.recent(from) === undefined
      this.#ahead = isBehind ? { from, entries: this.stream.read(from) } : undefined
      // Whoever needs it gets the error.
      this.#ahead?.entries.catch(() => undefined)
    } catch (error) {
      this.#ahead = undefined
      this.#host.failed(error as Error)
    } finally {
      this.#reading = false
    }
    if (isThere || offset < this.stream.start) this.pump()
    else this.#host.clock.after(READ_AGAIN_AFTER, () => this.pump())
  }

  #giveAgain(offset: number, deliveries: number): void {
    this.#outstanding.delete(offset)
    this.#again.set(offset, deliveries)
  }

  /** Commits up to the first message that is not done with. */
  #advance(): void {
    let offset = this.committed
    while (offset < this.position && !this.#outstanding.has(offset) && !this.#again.has(offset)) offset++
    this.#commit(offset)
  }

  #commit(offset: number): void {
    if (offset === this.committed) return
    this.committed = offset
    if (this.options.name !== undefined) this.#host.commit(this, offset)
  }

  #watch(): void {
    if (this.#timer !== undefined) return
    const [oldest] = this.#outstanding.values()
    if (oldest === undefined) return
    const wait = Math.max(1, oldest.deadline - this.#host.clock.elapsed())
    this.#timer = this.#host.clock.after(wait, () => {
      this.#timer = undefined
      const now = this.#host.clock.elapsed()
      for (const { offset, deadline, deliveries } of this.#outstanding.values()) {
        if (deadline > now) break
        this.#giveAgain(offset, deliveries)
      }
      this.pump()
      this.#watch()
    })
  }

  /** Ends its timer. */
  close(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#members.length = 0
  }
}
