import { createHash } from 'node:crypto'
import type { MeasurementBatch, SignalTable } from '../batch/index.js'
import type { Clock } from '../session/index.js'
import { type CacheSignals, cacheSignals } from './cache-signals.js'
import type { SttpSubscription } from './codec.js'
import { Cohort } from './cohort.js'
import { CohortMember, type MemberHost } from './cohort-member.js'
import { FrameMemory } from './frame-memory.js'

/** What routing is made of. */
export interface RoutingOptions {
  readonly clock: Clock
  /** The publisher's signals; rows are added for what filters name beyond them. */
  readonly signals: SignalTable
  /** Name of the publisher: source of the signals that are added. */
  readonly name: string
  /** The ids that a filter selects; throws what is wrong with it. */
  readonly signalIds: (filter: string) => Uint8Array[]
  /** A subscriber is served from now on by another cohort. */
  readonly joined: (member: CohortMember) => void
}

const EVERYTHING = 'FILTER ActiveMeasurements WHERE True'
/** How long after a subscription those that could share frames are brought together, ms. */
const MERGE_DELAY = 1000

/** Which subscriber gets what is published: cohorts, whose members are sent the same bytes. */
export class SubscriptionRouting {
  readonly #options: RoutingOptions
  readonly #memory = new FrameMemory()
  readonly #cohorts = new Set<Cohort>()
  readonly #members = new Set<CohortMember>()
  #isMerging = false
  #isOver = false

  constructor(options: RoutingOptions) {
    this.#options = options
  }

  /** Encodes a batch once for each cohort; those who cannot be sent it yet hold it. */
  publish(batch: MeasurementBatch): void {
    for (const cohort of this.#cohorts) cohort.publish(batch.block)
    for (const member of this.#members) member.hold(batch)
  }

  /** Resolves when no subscriber holds more than it should. */
  async ready(): Promise<void> {
    await Promise.all([...this.#members].map((member) => member.ready()))
  }

  /** A subscription of a client, in place of `before`, which serves it until the new one does. */
  subscribe(
    host: MemberHost,
    modes: number,
    subscription: SttpSubscription,
    before: CohortMember | undefined,
  ): CohortMember {
    const { includeTime = true, useMillisecondResolution: milliseconds = false } = subscription
    const ids = this.#options.signalIds(subscription.filterExpression ?? EVERYTHING)
    const signals = cacheSignals(ids, this.#options.signals, this.#options.name)
    const format = { modes, includeTime, milliseconds }
    const digest = createHash('sha256').update(signals.ids).digest('hex')
    const key = `${format.modes} ${includeTime} ${milliseconds} ${digest}`
    const inUse = before?.cohort?.cacheIndex
    const cohort = this.#newCohort(key, format, signals, inUse === 0 ? 1 : 0)
    if (before !== undefined) {
      before.want(cohort)
      return before
    }
    const member = new CohortMember(
      host,
      {
        joined: (member) => this.#joined(member),
        relieved: (member) => this.#offerAlone(member),
        left: (member) => {
          this.#members.delete(member)
          this.#forgetEmpty()
        },
      },
      cohort,
    )
    this.#members.add(member)
    return member
  }

  /** Brings nobody together any more. */
  close(): void {
    this.#isOver = true
  }

  #newCohort(...[key, format, signals, cacheIndex]: [string, Cohort['format'], CacheSignals, number]): Cohort {
    const cohort = new Cohort(key, format, signals, cacheIndex, this.#memory)
    this.#cohorts.add(cohort)
    return cohort
  }

  #joined(member: CohortMember): void {
    this.#options.joined(member)
    this.#forgetEmpty()
    if (this.#isMerging) return
    this.#isMerging = true
    this.#options.clock.after(MERGE_DELAY, () => {
      this.#isMerging = false
      if (!this.#isOver) this.#merge()
    })
  }

  /** Gives a subscriber that has caught up a cache, and so a start, of its own. */
  #offerAlone(member: CohortMember): void {
    const { cohort } = member
    if (cohort === undefined) return
    this.#newCohort(cohort.key, cohort.format, cohort.signals, cohort.cacheIndex ^ 1).offer([member])
  }

  /**
   * Brings subscribers together who could share frames, by a cache that all of them get. A new cache takes the place of
   * the one that is not in use, so that those who use one and those who use the other are brought to one first.
   */
  #merge(): void {
    const groups = new Map<string, Cohort[]>()
    for (const cohort of this.#cohorts) groups.set(cohort.key, [...(groups.get(cohort.key) ?? []), cohort])
    for (const [key, cohorts] of groups) {
      const settled = cohorts.filter((cohort) => cohort.members.size > 0 && cohort.isSettled)
      if (settled.length < 2) continue
      const largest = settled.reduce((a, b) => (b.members.size > a.members.size ? b : a))
      const [together, apart] = [largest.cacheIndex, largest.cacheIndex ^ 1]
      const using = (index: number): CohortMember[] =>
        settled.filter((cohort) => cohort.cacheIndex === index).flatMap((cohort) => [...cohort.members])
      const stray = using(apart).filter((member) => member.isSteady)
      if (stray.length > 0) {
        this.#newCohort(key, largest.format, largest.signals, together).offer(stray)
        continue
      }
      const members = using(together).filter((member) => member.isSteady)
      if (members.length > 1) this.#newCohort(key, largest.format, largest.signals, apart).offer(members)
    }
  }

  #forgetEmpty(): void {
    for (const cohort of this.#cohorts) {
      if (cohort.members.size === 0 && cohort.isSettled) this.#cohorts.delete(cohort)
    }
  }
}
