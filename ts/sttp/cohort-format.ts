import type { SttpSubscription } from './codec.js'
import { isTssc, STTPAPI } from './codes.js'
import type { PublisherPermissions } from './publisher-options.js'
import { Ticks } from './ticks.js'

/** What subscribers of equal signals must share to share frames. */
export interface CohortFormat {
  /** Operational modes. */
  readonly modes: number
  readonly includeTime: boolean
  readonly milliseconds: boolean
  /** Whether NaN values are left out. */
  readonly filterNaN: boolean
  /** Whether compact times count from base times, and from how many of the two. */
  readonly baseTimes: 0 | 1 | 2
  /** Whether the real time is the machine's, not the latest that was published. */
  readonly localClock: boolean
  readonly throttle: ThrottleSettings | null
  /** Bytes of a compact frame at most, where they go by datagrams. */
  readonly frameBytes: number | null
}

/** How the latest measurements are sent in place of all of them. */
export interface ThrottleSettings {
  /** ms. */
  readonly interval: number
  /** Which times are reasonable, in ticks before and behind the real time; `null`: all. */
  readonly reasonable: { readonly lag: number; readonly lead: number } | null
}

const LAG_TIME = 10
const LEAD_TIME = 5
const PUBLISH_INTERVAL = 1
/** The longest interval that a timer takes, s. */
const LONGEST = 2_000_000

/** What a subscription asks for, as far as the publisher permits it. */
export function cohortFormat(
  modes: number,
  subscription: SttpSubscription,
  permissions: PublisherPermissions,
  frameBytes: number | undefined,
): CohortFormat {
  const isCompact = !isTssc(modes)
  const includeTime = !isCompact || (subscription.includeTime ?? true)
  const asked = subscription.requestNanValueFilter === true && permissions.isNaNValueFilterAllowed
  const hasBases = isCompact && includeTime && permissions.useBaseTimeOffsets
  // It ends the connection when it meets a time that counts from the second base.
  const isSttpapi = subscription.source === STTPAPI
  const baseTimes = !hasBases || subscription.dataChannel ? 0 : isSttpapi ? 1 : 2
  const throttle = subscription.throttled ? throttleSettings(subscription) : null
  const usesClock = baseTimes > 0 || (throttle !== null && throttle.reasonable !== null)
  return {
    modes,
    includeTime,
    milliseconds: isCompact && includeTime && (subscription.useMillisecondResolution ?? false),
    filterNaN: asked || permissions.isNaNValueFilterForced,
    baseTimes,
    localClock: usesClock && (subscription.useLocalClockAsRealTime ?? false),
    throttle,
    frameBytes: frameBytes ?? null,
  }
}

function throttleSettings(subscription: SttpSubscription): ThrottleSettings {
  const { publishInterval = PUBLISH_INTERVAL, lagTime = LAG_TIME, leadTime = LEAD_TIME } = subscription
  const otherwise = lagTime > 0 && lagTime !== LAG_TIME ? lagTime : PUBLISH_INTERVAL
  const seconds = Math.min(publishInterval > 0 ? publishInterval : otherwise, LONGEST)
  const ticks = (time: number): number => Math.max(0, Math.round(time * Number(Ticks.PER_SECOND)))
  const isChecked = subscription.enableTimeReasonabilityCheck ?? true
  return {
    interval: Math.max(1, seconds * 1000),
    reasonable: isChecked ? { lag: ticks(lagTime), lead: ticks(leadTime) } : null,
  }
}
