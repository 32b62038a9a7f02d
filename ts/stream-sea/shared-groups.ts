import type { Clock, Timer } from '../session/clock.js'
import type { Extras } from './codec.js'
import type { Entry } from './entry.js'
import type { Group } from './group.js'
import type { Asked, Peers, PeersHandler } from './peers.js'
import type { Member } from './seat.js'
import type { Gift, Look, SharedGroup } from './shared-group.js'

/** ms between two looks whether the others are there. */
const LOOK_EVERY = 1000
/** Messages that a member elsewhere may have before it says what it has sent. */
const WINDOW = 2000

/** What shared groups need of their server. */
export interface SharedGroupsHost {
  readonly clock: Clock
  /** Resolves when the places of groups are durable. */
  kept(): Promise<void>
  /** A group has no member any more. */
  empty(seat: SharedGroup): void
  failed(error: Error): void
}

/** A member of a group that this server keeps, at another server. */
class RemoteMember implements Member {
  readonly confirms = true
  readonly server: string
  readonly number: number
  credit: number
  readonly #group: SharedGroup
  readonly #peers: Peers
  #unconfirmed = 0

  constructor(group: SharedGroup, peers: Peers, server: string, number: number, credit: number) {
    this.server = server
    this.number = number
    this.credit = credit
    this.#group = group
    this.#peers = peers
  }

  get ready(): boolean {
    return this.credit > 0 && this.#unconfirmed < WINDOW
  }

  deliver(entry: Entry, from: number, to: number, { redelivered }: Extras): void {
    const gift: Gift = { offset: entry.first + from, count: to - from, redelivered }
    this.credit -= gift.count
    this.#unconfirmed += gift.count
    const { id, committed } = this.#group
    this.#peers.tell(this.server, { type: 'give', group: id, member: this.number, gift, position: committed })
  }

  taken(count: number): void {
    this.#unconfirmed = Math.max(0, this.#unconfirmed - count)
  }
}

/** The groups of this server that members elsewhere may be in, or that other servers keep. */
export class SharedGroups implements PeersHandler {
  readonly peers: Peers
  readonly #host: SharedGroupsHost
  readonly #groups = new Map<string, SharedGroup>()
  readonly #members = new Map<string, RemoteMember>()
  readonly #releases = new Map<string, Promise<void>>()
  #timer: Timer | undefined
  #looking = false

  constructor(peers: Peers, host: SharedGroupsHost) {
    this.peers = peers
    this.#host = host
    peers.listen(this)
    this.#watch()
  }

  /** A group that is found or begun. */
  async add(seat: SharedGroup): Promise<void> {
    await this.#releases.get(seat.id)
    this.#groups.set(seat.id, seat)
    await seat.settle()
  }

  /** A group without members; others may begin it anew. */
  remove(seat: SharedGroup): void {
    if (!this.#groups.delete(seat.id)) return
    if (seat.local !== undefined) this.#release(seat)
  }

  async asked(message: Asked): Promise<unknown> {
    const { type, offsets, upTo } = message
    if (type === 'ping') return true
    const [seat, local] = this.#local(message)
    if (type === 'look') {
      const look: Look = { acknowledge: seat.options.acknowledge, position: local.committed }
      return look
    }
    if (type === 'join') {
      this.#leave(message)
      const credit = typeof message['credit'] === 'number' ? message['credit'] : Number.POSITIVE_INFINITY
      const member = new RemoteMember(seat, this.peers, String(message['server']), Number(message['member']), credit)
      this.#members.set(memberKey(message), member)
      local.join(member)
      return true
    }
    const member = this.#members.get(memberKey(message))
    if (member === undefined) return 0
    const list = (offsets ?? []) as number[]
    let count = 0
    if (type === 'nack') count = local.reject(member, list)
    else if (type === 'ack') {
      count = upTo === undefined ? local.acknowledge(member, list) : local.acknowledgeTo(member, upTo as number)
    }
    await this.#host.kept()
    return count
  }

  told(message: Asked): void {
    const { type, group, gift, member: number, position } = message
    if (type === 'give') {
      this.#groups.get(String(group))?.give(Number(number), gift as Gift, Number(position))
      return
    }
    if (type === 'gone') {
      const seat = this.#groups.get(String(group))
      if (seat !== undefined && seat.local === undefined) seat.orphan(Number(position))
      return
    }
    if (type === 'leave') this.#leave(message)
    const member = this.#members.get(memberKey(message))
    const local = this.#groups.get(String(group))?.local
    if (member === undefined || local === undefined) return
    if (type === 'credit') member.credit += Number(message['credit'])
    else if (type === 'taken') {
      const [offset, count] = [Number(message['offset']), Number(message['count'])]
      member.taken(count)
      if (!local.options.acknowledge) {
        local.acknowledge(
          member,
          Array.from({ length: count }, (_, index) => offset + index),
        )
      }
    }
    local.pump()
  }

  returned(): void {
    for (const seat of this.#groups.values()) seat.verify().catch((error) => this.#host.failed(error))
  }

  /** Gives up what this server keeps, so that the others begin it without a wait. */
  async close(): Promise<void> {
    this.#timer?.cancel()
    for (const seat of this.#groups.values()) {
      const { local, id } = seat
      if (local === undefined) continue
      const servers = [...this.#members].filter(([key]) => key.startsWith(`${id} `)).map(([, { server }]) => server)
      const position = local.committed
      this.#release(seat)
      await this.#releases.get(id)
      for (const server of new Set(servers)) this.peers.tell(server, { type: 'gone', group: id, position })
    }
    await Promise.all(this.#releases.values())
    this.#groups.clear()
  }

  #release({ id }: SharedGroup): void {
    const release = this.peers
      .release(id)
      .catch((error) => this.#host.failed(error))
      .finally(() => this.#releases.delete(id))
    this.#releases.set(id, release)
  }

  #local({ group }: Asked): [SharedGroup, Group] {
    const seat = this.#groups.get(String(group))
    if (seat?.local === undefined) throw new Error('the group is not kept here')
    return [seat, seat.local]
  }

  #leave(message: Asked): void {
    const key = memberKey(message)
    const member = this.#members.get(key)
    if (member === undefined) return
    this.#members.delete(key)
    this.#out(String(message['group']), member)
  }

  #out(group: string, member: RemoteMember): void {
    const seat = this.#groups.get(group)
    seat?.local?.leave(member)
    if (seat?.local !== undefined && seat.members === 0) this.#host.empty(seat)
  }

  #watch(): void {
    this.#timer = this.#host.clock.after(LOOK_EVERY, () => {
      if (!this.#looking) {
        this.#looking = true
        this.#look()
          .catch((error) => this.#host.failed(error))
          .finally(() => {
            this.#looking = false
          })
      }
      this.#watch()
    })
  }

  /** Whether those that this server has to do with are there. */
  async #look(): Promise<void> {
    const owners = [...this.#groups.values()].map(({ owner }) => owner).filter((owner) => owner !== undefined)
    const servers = new Set([...owners, ...[...this.#members.values()].map(({ server }) => server)])
    for (const server of servers) if (!(await this.peers.isThere(server))) this.#gone(server)
  }

  #gone(server: string): void {
    for (const [key, member] of this.#members) {
      if (member.server !== server) continue
      this.#members.delete(key)
      this.#out(key.slice(0, key.lastIndexOf(' ', key.lastIndexOf(' ') - 1)), member)
    }
    for (const seat of this.#groups.values()) if (seat.owner === server) seat.orphan()
  }
}

function memberKey({ group, server, member }: Asked): string {
  return `${group} ${server} ${member}`
}
