import type { Clock } from '../session/clock.js'
import type { Committer } from './committer.js'
import type { Client } from './directory.js'
import { type EventLog, offsetAtTime } from './event-log.js'
import { Group, type GroupHost } from './group.js'
import { GroupOffsets, type GroupState } from './group-offsets.js'
import type { Peers } from './peers.js'
import type { GroupOptions, Member, Seat } from './seat.js'
import { SharedGroup, type SharedGroupHost } from './shared-group.js'
import { SharedGroups } from './shared-groups.js'
import type { Stream } from './stream.js'

/** What a subscriber asks for beyond the closed system. */
export interface SubscribeOptions {
  readonly offsets: boolean
  readonly acknowledge: boolean
  readonly credit: number
  /** Where a new group begins: an offset, a time in ms, the first message that is kept, or the next that comes. */
  readonly from: { readonly offset: number } | { readonly time: number } | 'start' | undefined
  readonly acknowledgeWithin: number | undefined
  readonly maxDeliveries: number | undefined
}

/** What groups need of their server. */
export interface GroupsHost {
  readonly clock: Clock
  /** A message was given out too often. */
  deadLetter(group: Group, text: string): void
  failed(error: unknown): void
}

/** The groups of a server: who shares the messages of which stream. */
export class Groups {
  readonly #log: EventLog
  readonly #offsets: GroupOffsets
  readonly #groupHost: GroupHost
  readonly #sharedHost: SharedGroupHost | undefined
  readonly #shared: SharedGroups | undefined

  /** @param peers the other servers of a log that is shared */
  constructor(log: EventLog, committer: Committer, peers: Peers | undefined, host: GroupsHost) {
    this.#log = log
    const { clock } = host
    this.#offsets = new GroupOffsets(log, committer, clock, (error) => host.failed(error))
    this.#groupHost = {
      clock,
      commit: (group, offset) => this.#offsets.moved(group, offset),
      deadLetter: (group, text) => host.deadLetter(group, text),
      failed: (error) => host.failed(error),
    }
    if (peers === undefined) return
    const failed = (error: Error): void => host.failed(error)
    this.#sharedHost = { clock, peers, begin: (seat, position) => this.#begin(seat, position), failed }
    this.#shared = new SharedGroups(peers, {
      clock,
      kept: () => this.kept(),
      empty: (seat) => this.#remove(seat),
      failed,
    })
  }

  /** The group of a subscription: made if it is not there. Gives a text where that cannot be. */
  async find(
    client: Client,
    stream: Stream,
    options: SubscribeOptions,
    groupId: string | undefined,
    name: string | undefined,
  ): Promise<Seat | string> {
    const key = name === undefined ? `${client.id} ${groupId?.toLowerCase() ?? ''}` : `${client.id} =${name}`
    const seat = stream.groups.get(key) ?? (await this.#make(client, stream, key, options, name))
    if (seat.options.acknowledge === options.acknowledge) return seat
    if (seat.members === 0) this.#remove(seat)
    return 'the group acknowledges, or does not, as its first member said'
  }

  /** A subscription ends; its group with it if it was the last and the group has no name. */
  leave(seat: Seat, member: Member): void {
    seat.leave(member)
    if (seat.members === 0) this.#remove(seat)
  }

  /** Resolves when the committed offsets of groups are durable. */
  kept(): Promise<void> {
    return this.#offsets.kept()
  }

  /** The named groups of a stream and how far they are, also those that nobody is in. */
  of(stream: Stream): Promise<GroupState[]> {
    return this.#offsets.of(stream)
  }

  /** Forgets the groups of a stream, which is deleted. */
  async drop(stream: Stream, committer: Committer): Promise<void> {
    for (const seat of stream.groups.values()) this.#remove(seat)
    await committer.write(await this.#offsets.removal(stream))
  }

  /** Keeps the places of all groups, and gives up what others may go on with. */
  async close(): Promise<void> {
    await this.#offsets.keep()
    await this.#shared?.close()
  }

  async #make(
    client: Client,
    stream: Stream,
    key: string,
    asked: SubscribeOptions,
    name: string | undefined,
  ): Promise<Seat> {
    const options: GroupOptions = {
      ...(name === undefined ? {} : { name }),
      acknowledge: asked.acknowledge,
      acknowledgeWithin: asked.acknowledgeWithin ?? 30_000,
      maxDeliveries: asked.maxDeliveries ?? 5,
      maxOutstanding: 10_000,
    }
    const position = await this.#startOf(stream, asked)
    // Another subscription may have made it while the log was asked.
    const other = stream.groups.get(key)
    if (other !== undefined) return other
    if (this.#shared !== undefined && this.#sharedHost !== undefined) {
      const seat = new SharedGroup(stream, client.id, key, options, position, this.#sharedHost)
      stream.groups.set(key, seat)
      await this.#shared.add(seat)
      return seat
    }
    const kept = name === undefined ? undefined : await this.#kept(stream, client.id, name)
    const late = stream.groups.get(key)
    if (late !== undefined) return late
    const made = new Group(stream, client.id, key, options, kept ?? position, this.#groupHost)
    stream.groups.set(key, made)
    if (name !== undefined && kept === undefined) await this.#keep(made)
    return made
  }

  /** Begins a shared group at this server. */
  async #begin({ stream, client, key, options }: SharedGroup, position: number): Promise<Group> {
    const { name } = options
    const kept = name === undefined ? undefined : await this.#kept(stream, client, name)
    const group = new Group(stream, client, key, options, kept ?? position, this.#groupHost)
    if (name !== undefined && kept === undefined) await this.#keep(group)
    return group
  }

  async #kept(stream: Stream, client: string, name: string): Promise<number | undefined> {
    const kept = await this.#offsets.find(stream, client, name)
    return kept === undefined ? undefined : Math.max(kept, stream.start)
  }

  async #keep(group: Group): Promise<void> {
    this.#offsets.moved(group, group.committed)
    await this.kept()
  }

  #remove(seat: Seat): void {
    if (seat instanceof SharedGroup) this.#shared?.remove(seat)
    seat.close()
    if (seat.stream.groups.get(seat.key) === seat) seat.stream.groups.delete(seat.key)
  }

  async #startOf(stream: Stream, { from }: SubscribeOptions): Promise<number> {
    if (from === undefined) return stream.next
    if (from === 'start') return stream.start
    if ('offset' in from) return Math.min(Math.max(from.offset, stream.start), stream.next)
    return offsetAtTime(this.#log, stream.number, from.time, stream.start, stream.next)
  }
}
