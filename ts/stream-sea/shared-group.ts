import type { Clock } from '../session/clock.js'
import type { Entry } from './entry.js'
import { type Group, READ_AGAIN_AFTER } from './group.js'
import type { Peers } from './peers.js'
import type { GroupOptions, Member, Seat } from './seat.js'
import type { Stream } from './stream.js'

/** ms between two tries to find the server that keeps a group. */
const AGAIN_AFTER = 50

/** Messages that another server has given to a member here. */
export interface Gift {
  readonly offset: number
  readonly count: number
  readonly redelivered: number
}

/** A member of a group that another server keeps, or may keep. */
interface Guest {
  readonly number: number
  readonly member: Member
  readonly gifts: Gift[]
}

/** What a shared group needs of its server. */
export interface SharedGroupHost {
  readonly clock: Clock
  readonly peers: Peers
  /** Begins the group here; a group with a name where it was, another one at this offset. */
  begin(seat: SharedGroup, position: number): Promise<Group>
  failed(error: Error): void
}

/**
 * A group whose members may be at several servers. One of them keeps it, as it keeps a group of its own; the others pass
 * on what it gives to their members. When that one is gone, another one begins it where it is known to have been.
 */
export class SharedGroup implements Seat {
  readonly stream: Stream
  readonly client: string
  readonly key: string
  options: GroupOptions
  readonly #host: SharedGroupHost
  readonly #guests = new Map<Member, Guest>()
  #nextGuest = 1
  #local: Group | undefined
  #owner: string | undefined
  /** Where it has to be begun if it has to be begun here: everything before it is done with. */
  #position: number
  #settling: Promise<void> | undefined
  #closed = false
  #read: Entry[] = []
  #reading = false

  constructor(
    stream: Stream,
    client: string,
    key: string,
    options: GroupOptions,
    position: number,
    host: SharedGroupHost,
  ) {
    this.stream = stream
    this.client = client
    this.key = key
    this.options = options
    this.#position = position
    this.#host = host
  }

  /** The name of the group among all servers. */
  get id(): string {
    return `${this.stream.number}!${this.key}`
  }

  /** The group, where this server keeps it. */
  get local(): Group | undefined {
    return this.#local
  }

  /** The server that keeps it, where it is another one. */
  get owner(): string | undefined {
    return this.#owner
  }

  get members(): number {
    return this.#local?.members ?? this.#guests.size
  }

  get committed(): number | undefined {
    return this.#local?.committed
  }

  get lag(): number {
    return this.#local?.lag ?? this.stream.next - Math.max(this.#position, this.stream.start)
  }

  /** Finds the server that keeps it, which is this one where there is none; again where that one is gone. */
  settle(): Promise<void> {
    this.#settling ??= this.#settle()
      .catch((error: Error) => {
        this.#host.failed(error)
        if (!this.#closed) this.#host.clock.after(10 * AGAIN_AFTER, () => void this.settle())
      })
      .finally(() => {
        this.#settling = undefined
      })
    return this.#settling
  }

  /** The server that kept it is gone, or does not any more; everything before the offset is done with. */
  orphan(position?: number): void {
    this.#owner = undefined
    if (position !== undefined) this.#position = Math.max(this.#position, position)
    void this.settle()
  }

  /** Whether this server still keeps it is not sure any more. */
  async verify(): Promise<void> {
    const local = this.#local
    if (local !== undefined) {
      if ((await this.#host.peers.claim(this.id)) === this.#host.peers.id) return
      this.#position = local.committed
      this.#local = undefined
      local.close()
    }
    // What was said while the connection was away is lost: what was given and not confirmed is given again.
    this.orphan()
  }

  join(member: Member): void {
    const guest = { number: this.#nextGuest++, member, gifts: [] }
    this.#guests.set(member, guest)
    if (this.#local !== undefined) this.#local.join(member)
    else if (this.#owner === undefined) void this.settle()
    else this.#enter(this.#owner, guest).catch(() => this.orphan())
  }

  leave(member: Member): void {
    const guest = this.#guests.get(member)
    this.#guests.delete(member)
    if (this.#local !== undefined) this.#local.leave(member)
    else if (guest !== undefined) this.#tell('leave', guest, {})
  }

  granted(member: Member, credit: number): void {
    if (this.#local !== undefined) {
      this.#local.granted()
      return
    }
    const guest = this.#guests.get(member)
    if (guest !== undefined) this.#tell('credit', guest, { credit })
    this.pump()
  }

  acknowledge(member: Member, offsets: readonly number[]): number | Promise<number> {
    return this.#local?.acknowledge(member, offsets) ?? this.#ask('ack', member, { offsets })
  }

  acknowledgeTo(member: Member, offset: number): number | Promise<number> {
    return this.#local?.acknowledgeTo(member, offset) ?? this.#ask('ack', member, { upTo: offset })
  }

  reject(member: Member, offsets: readonly number[]): number | Promise<number> {
    return this.#local?.reject(member, offsets) ?? this.#ask('nack', member, { offsets })
  }

  pump(): void {
    if (this.#local !== undefined) this.#local.pump()
    else for (const guest of this.#guests.values()) this.#pass(guest)
  }

  /** Another server gives messages to a member; everything before `position` is done with. */
  give(number: number, gift: Gift, position: number): void {
    this.#position = Math.max(this.#position, position)
    for (const guest of this.#guests.values()) {
      if (guest.number !== number) continue
      guest.gifts.push(gift)
      this.#pass(guest)
    }
  }

  close(): void {
    this.#closed = true
    this.#local?.close()
    this.#guests.clear()
  }

  async #settle(): Promise<void> {
    const { peers } = this.#host
    while (!this.#closed) {
      const owner = await peers.claim(this.id)
      if (this.#closed) return
      if (owner === peers.id) {
        const local = await this.#host.begin(this, this.#position)
        this.#owner = undefined
        this.#local = local
        for (const { member, gifts } of this.#guests.values()) {
          gifts.length = 0
          local.join(member)
        }
        return
      }
      try {
        const look = (await peers.ask(owner, { type: 'look', group: this.id })) as Look
        this.options = { ...this.options, acknowledge: look.acknowledge }
        this.#position = Math.max(this.#position, look.position)
        this.#owner = owner
        for (const guest of this.#guests.values()) await this.#enter(owner, guest)
        return
      } catch {
        // It has just given the group up, or has not begun it yet.
        this.#owner = undefined
        await new Promise<void>((resolve) => this.#host.clock.after(AGAIN_AFTER, resolve))
      }
    }
  }

  async #enter(owner: string, guest: Guest): Promise<void> {
    guest.gifts.length = 0
    const credit = Number.isFinite(guest.member.credit) ? guest.member.credit : null
    await this.#host.peers.ask(owner, { type: 'join', ...this.#about(guest), credit })
  }

  /** Passes on what was given, while the member takes it. */
  #pass(guest: Guest): void {
    while (guest.member.ready) {
      const [gift] = guest.gifts
      if (gift === undefined) return
      const entry = this.#entry(gift.offset)
      if (entry === undefined) {
        // What is not here yet comes soon, and this is called again.
        if (gift.offset < this.stream.next) void this.#load(gift.offset)
        return
      }
      guest.gifts.shift()
      const from = gift.offset - entry.first
      const to = Math.min(entry.count, from + gift.count)
      const { offset, redelivered } = gift
      guest.member.deliver(entry, from, to, { offset, time: entry.time, redelivered })
      this.#tell('taken', guest, { offset, count: to - from })
    }
  }

  #entry(offset: number): Entry | undefined {
    const holds = (entry: Entry): boolean => offset >= entry.first && offset < entry.first + entry.count
    return this.stream.recent(offset) ?? this.#read.find(holds)
  }

  async #load(offset: number): Promise<void> {
    if (this.#reading) return
    this.#reading = true
    try {
      this.#read = await this.stream.read(offset)
      if (this.#entry(offset) === undefined) await this.stream.refresh()
    } catch (error) {
      this.#host.failed(error as Error)
    } finally {
      this.#reading = false
    }
    // Retention took what is not there any more.
    for (const { gifts } of this.#guests.values()) {
      while (gifts[0] !== undefined && gifts[0].offset < this.stream.start) gifts.shift()
    }
    if (this.#entry(offset) !== undefined || offset < this.stream.start) this.pump()
    else this.#host.clock.after(READ_AGAIN_AFTER, () => this.pump())
  }

  #tell(type: string, guest: Guest, more: Record<string, unknown>): void {
    if (this.#owner !== undefined) this.#host.peers.tell(this.#owner, { type, ...this.#about(guest), ...more })
  }

  async #ask(type: string, member: Member, more: Record<string, unknown>): Promise<number> {
    const guest = this.#guests.get(member)
    if (guest === undefined) return 0
    if (this.#owner === undefined) await this.settle()
    const owner = this.#owner
    // What was outstanding with a server that is gone is given again: nothing is there to acknowledge.
    if (owner === undefined) return 0
    return Number(await this.#host.peers.ask(owner, { type, ...this.#about(guest), ...more }))
  }

  #about({ number }: Guest): { group: string; server: string; member: number } {
    return { group: this.id, server: this.#host.peers.id, member: number }
  }
}

/** What the server that keeps a group says of it. */
export interface Look {
  readonly acknowledge: boolean
  readonly position: number
}
