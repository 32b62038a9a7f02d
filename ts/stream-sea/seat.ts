import type { Extras } from './codec.js'
import type { Entry } from './entry.js'
import type { Stream } from './stream.js'

/** A subscription as its group sees it. */
export interface Member {
  /** Whether it takes messages now: its socket is not full and its credit not used up. */
  readonly ready: boolean
  /** How many messages it may be given; infinite where it asked for no credit. */
  readonly credit: number
  /** Whether it says what it has sent: until then it is not known to be delivered. */
  readonly confirms: boolean
  /** Sends messages `from` to `to` of an entry. */
  deliver(entry: Entry, from: number, to: number, extras: Extras): void
}

/** How a group keeps its place. */
export interface GroupOptions {
  /** Its name; groups without one are forgotten with their last member. */
  readonly name?: string
  /** Whether messages stay outstanding until they are acknowledged. */
  readonly acknowledge: boolean
  /** ms until a message that was not acknowledged is given out again. */
  readonly acknowledgeWithin: number
  /** Times that a message is given out before it goes to the dead-letter stream. */
  readonly maxDeliveries: number
  /** Messages given out and not acknowledged, at most. */
  readonly maxOutstanding: number
}

/** A group as those see it who are in it: it is kept here, or by another server. */
export interface Seat {
  readonly stream: Stream
  readonly client: string
  readonly key: string
  readonly options: GroupOptions
  /** Subscriptions in it that this server knows of. */
  readonly members: number
  /** Messages behind it, where this server knows. */
  readonly lag: number
  /** Everything before it is done with; where another server keeps it, only that one knows. */
  readonly committed: number | undefined
  join(member: Member): void
  /** Takes a member out; what it had not acknowledged goes to others. */
  leave(member: Member): void
  /** A member may be given so many more messages. */
  granted(member: Member, credit: number): void
  /** A member is done with messages; gives how many of them were outstanding. */
  acknowledge(member: Member, offsets: readonly number[]): number | Promise<number>
  /** A member is done with everything up to an offset that it was given. */
  acknowledgeTo(member: Member, offset: number): number | Promise<number>
  /** A member gives messages back, to be given out again at once. */
  reject(member: Member, offsets: readonly number[]): number | Promise<number>
  /** Gives out what there is to those who take it. */
  pump(): void
  /** Forgets its members. */
  close(): void
}
