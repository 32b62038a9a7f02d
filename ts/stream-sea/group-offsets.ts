import type { Clock } from '../session/clock.js'
import type { Committer } from './committer.js'
import type { EventLog, Write } from './event-log.js'
import type { Group } from './group.js'
import type { Stream } from './stream.js'

/** How far a group is. */
export interface GroupState {
  readonly client: string
  readonly group: string
  /** Everything before it is done with. */
  readonly committed: number
  /** Messages behind it. */
  readonly lag: number
  /** Subscriptions in it now. */
  readonly members: number
}

/** ms after which a place that moved is kept, where nobody waits for it. */
const KEEP_AFTER = 100

/** The places of groups with names, in the log. */
export class GroupOffsets {
  readonly #log: EventLog
  readonly #committer: Committer
  readonly #clock: Clock
  readonly #report: (error: unknown) => void
  readonly #moved = new Map<string, Write>()
  #flush: Promise<void> | undefined

  constructor(log: EventLog, committer: Committer, clock: Clock, report: (error: unknown) => void) {
    this.#log = log
    this.#committer = committer
    this.#clock = clock
    this.#report = report
  }

  /** The place that is kept of a group, if there is one. */
  async find(stream: Stream, client: string, group: string): Promise<number | undefined> {
    const kept = await this.#log.get(keyOf(stream, client, group))
    return kept === undefined ? undefined : Number(kept)
  }

  /** A group has moved. */
  moved(group: Group, offset: number): void {
    const key = keyOf(group.stream, group.client, group.options.name ?? '')
    this.#moved.set(key, { type: 'put', key, value: String(offset) })
    if (this.#moved.size === 1) this.#clock.after(KEEP_AFTER, () => this.keep().catch(this.#report))
  }

  /** Resolves when every place is durable. Those who ask in one turn share the write. */
  kept(): Promise<void> {
    if (this.#moved.size === 0) return Promise.resolve()
    this.#flush ??= Promise.resolve().then(() => {
      this.#flush = undefined
      return this.keep()
    })
    return this.#flush
  }

  /** Writes the places that have moved. */
  keep(): Promise<void> {
    const writes = [...this.#moved.values()]
    this.#moved.clear()
    return writes.length === 0 ? Promise.resolve() : this.#committer.write(writes)
  }

  /** The groups of a stream, also those that nobody is in. */
  async of(stream: Stream): Promise<GroupState[]> {
    const kept = await this.#log.list(`g!${stream.number}!`)
    return kept.map(([key, value]) => {
      const [, , client = '', group = ''] = key.split('!')
      const live = stream.groups.get(`${client} =${group}`)
      const committed = live?.committed ?? Number(value)
      const lag = stream.next - Math.max(committed, stream.start)
      return { client, group, committed, lag, members: live?.members ?? 0 }
    })
  }

  /** What takes the groups of a stream out of the log. */
  async removal(stream: Stream): Promise<Write[]> {
    return (await this.#log.list(`g!${stream.number}!`)).map(([key]) => ({ type: 'delete', key }))
  }
}

function keyOf(stream: Stream, client: string, group: string): string {
  return `g!${stream.number}!${client}!${group}`
}
