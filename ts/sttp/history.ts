import type { MeasurementBatch } from '../batch/index.js'
import { type SttpSubscription, sttpTimeConstraint } from './codec.js'
import { sttpError } from './error-codes.js'
import { Ticks } from './ticks.js'

/** What a historical subscription asks for. */
export interface HistoryRequest {
  /** First and last time that is wanted, ns since 1970-01-01 UTC; `undefined` where the subscriber sets no limit. */
  readonly start: bigint | undefined
  readonly stop: bigint | undefined
  /** Rows of the publisher's signal table that are wanted. */
  readonly rows: Uint32Array
  /** The same signals by their native ids, 16 bytes each. */
  readonly signalIds: Uint8Array
  /** What the subscriber says for the publisher to interpret. */
  readonly parameters: string | undefined
  /** Where the subscriber is, `host:port`. */
  readonly peer: string
  /** Aborts when nobody wants it any more. */
  readonly abort: AbortSignal
}

/**
 * Where a publisher takes the measurements of historical subscriptions from: batches in the order in which they are to
 * be sent. A batch is read until the next one is asked for. What lies outside the limits, or is of other signals, is
 * left out.
 */
export type History = (request: HistoryRequest) => AsyncIterable<MeasurementBatch>

/** Whether a subscription asks for what was, and not for what is published now. */
export function isHistorical({ startTimeConstraint, stopTimeConstraint }: SttpSubscription): boolean {
  return Boolean(startTimeConstraint) || Boolean(stopTimeConstraint)
}

/**
 * The time of a limit, ns since 1970-01-01 UTC: absolute as `2024-01-02T03:04:05Z`, or relative to `now` as `*`,
 * `*-30s`, `*+5m`, `*-1.5h`, `*-2d`. Times that 64 bits of ns do not hold are cut to the years 1678 and 2262.
 *
 * @param now ns since 1970-01-01 UTC
 */
export function constraintTime(text: string, now: bigint): bigint {
  const ticks = sttpTimeConstraint(text, Ticks.fromNs(now))
  if (ticks === null) {
    throw sttpError('ERR_STTP_TIME_CONSTRAINT', `"${text}" is no time: 2024-01-02T03:04:05Z or *-30s would be`)
  }
  const ns = (ticks - Ticks.UNIX_EPOCH) * 100n
  if (BigInt.asIntN(64, ns) === ns) return ns
  return ns < 0n ? 1n - (1n << 63n) : (1n << 63n) - 1n
}
