import { createHash } from 'node:crypto'
import type { MeasurementBatch, Signal, SignalTable } from '../batch/index.js'
import type { Clock } from '../session/index.js'
import { type CacheSignals, cacheSignals } from './cache-signals.js'
import { SttpLatestMeasurements, type SttpSubscription } from './codec.js'
import { Cohort, type CohortOptions } from './cohort.js'
import { cohortFormat } from './cohort-format.js'
import { CohortMember, type MemberHost } from './cohort-member.js'
import { FrameMemory } from './frame-memory.js'
import type { PublisherPermissions } from './publisher-options.js'

/** What routing is made of. */
export interface RoutingOptions {
  readonly clock: Clock
  /** The publisher's signals; rows are added for what filters name beyond them. */
  readonly signals: SignalTable
  /** Name of the publisher: source of the signals that are added. */
  readonly name: string
  /** The ids that a filter selects; throws what is wrong with it. */
  readonly signalIds: (filter: string) => Uint8Array[]
  readonly permissions: PublisherPermissions
  /** A subscriber is served from now on by another cohort. */
  readonly joined: (member: CohortMember) => void
}

/** A subscription that is to be routed. */
export interface RoutedSubscription {
  readonly host: MemberHost
  readonly modes: number
  readonly subscription: SttpSubscription
  /** What serves the client now, and goes on to do so until the new subscription can. */
  readonly before: CohortMember | undefined
  /** Whether the client may have a signal; all unless told. */
  readonly permit: ((signal: Signal) => boolean) | undefined
}

export const EVERYTHING = 'FILTER ActiveMeasurements WHERE True'
/** How long after a subscription those that could share frames are brought together, ms. */
const MERGE_DELAY = 1000

/** Which subscriber gets what is published: cohorts, whose members are sent the same bytes. */
export class SubscriptionRouting {
  readonly #options: RoutingOptions
  readonly #memory = new FrameMemory()
  readonly #cohorts = new Set<Cohort>()
  readonly #members = new Set<CohortMember>()
  /** There while there are throttled subscriptions. */
  #latest: SttpLatestMeasurements | undefined
  #isMerging = false
  #isOver = false

  constructor(options: RoutingOptions) {
    this.#options = options
  }

  /** Encodes a batch once for each cohort; those who cannot be sent it yet hold it. */
  publish(batch: MeasurementBatch): void {
    this.#latest?.update(batch.block.bytes)
    for (const cohort of this.#cohorts) cohort.publish(batch.block)
    for (const member of this.#members) member.hold(batch)
  }

  /** Resolves when no subscriber holds more than it should. */
  async ready(): Promise<void> {
    await Promise.all([...this.#members].map((member) => member.ready()))
  }

  /** The member that serves a subscription: `before`, if there is one; throws what is wrong with the subscription. */
  subscribe({ host, modes, subscription, before, permit }: RoutedSubscription): CohortMember {
    const { signals: table, name, permissions } = this.#options
    const ids = this.#options.signalIds(subscription.filterExpression ?? EVERYTHING)
    const signals = cacheSignals(ids, { signals: table, name, permit })
    const format = cohortFormat(modes, subscription, permissions, host.frameBytes)
    const key = `${JSON.stringify(format)} ${digestOf(signals)}`
    const make = (cacheIndex: number): Cohort => this.#newCohort({ key, format, signals, cacheIndex })
    if (before !== undefined) {
      before.want(signals.rows.length, make)
      return before
    }
    const routing = {
      joined: (member: CohortMember) => this.#joined(member),
      relieved: (member: CohortMember) => this.#offerAlone(member),
      left: (member: CohortMember) => {
        this.#members.delete(member)
        this.#forgetEmpty()
      },
    }
    const member = new CohortMember(host, routing)
    member.want(signals.rows.length, make)
    this.#members.add(member)
    return member
  }

  /** Brings nobody together any more, and sends nothing of itself. */
  close(): void {
    this.#isOver = true
    for (const cohort of this.#cohorts) cohort.close()
  }

  #newCohort(options: Pick<CohortOptions, 'key' | 'format' | 'signals' | 'cacheIndex'>): Cohort {
    if (options.format.throttle !== null) this.#latest ??= new SttpLatestMeasurements()
    const latest = options.format.throttle === null ? undefined : this.#latest
    const cohort = new Cohort({ ...options, memory: this.#memory, clock: this.#options.clock, latest })
    this.#cohorts.add(cohort)
    return cohort
  }

  /** The same cohort for others, or with another of the two caches. */
  #likeCohort({ options }: Cohort, cacheIndex: number): Cohort {
    return this.#newCohort({ ...options, cacheIndex })
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
    if (cohort !== undefined) this.#likeCohort(cohort, cohort.cacheIndex ^ 1).offer([member])
  }

  /**
   * Brings subscribers together who could share frames, by a cache that all of them get. A new cache takes the place of
   * the one that is not in use, so that those who use one and those who use the other are brought to one first.
   */
  #merge(): void {
    const groups = new Map<string, Cohort[]>()
    for (const cohort of this.#cohorts) {
      const { key } = cohort.options
      groups.set(key, [...(groups.get(key) ?? []), cohort])
    }
    for (const cohorts of groups.values()) {
      const settled = cohorts.filter((cohort) => cohort.members.size > 0 && cohort.isSettled)
      if (settled.length < 2) continue
      const largest = settled.reduce((a, b) => (b.members.size > a.members.size ? b : a))
      const [together, apart] = [largest.cacheIndex, largest.cacheIndex ^ 1]
      const using = (index: number): CohortMember[] =>
        settled.filter((cohort) => cohort.cacheIndex === index).flatMap((cohort) => [...cohort.members])
      const stray = using(apart).filter((member) => member.isSteady)
      if (stray.length > 0) {
        this.#likeCohort(largest, together).offer(stray)
        continue
      }
      const members = using(together).filter((member) => member.isSteady)
      if (members.length > 1) this.#likeCohort(largest, apart).offer(members)
    }
  }

  #forgetEmpty(): void {
    let isThrottled = false
    for (const cohort of this.#cohorts) {
      if (cohort.members.size === 0 && cohort.isSettled) {
        cohort.close()
        this.#cohorts.delete(cohort)
      } else if (cohort.isThrottled) isThrottled = true
    }
    if (!isThrottled) this.#latest = undefined
  }
}

function digestOf({ ids, unauthorized }: CacheSignals): string {
  return createHash('sha256').update(ids).update('|').update(unauthorized).digest('hex')
}
