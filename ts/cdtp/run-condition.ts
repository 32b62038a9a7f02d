import { runConditionName } from './codec.js'

/** The bits of a run's condition. */
export const RunCondition = {
  GOOD: 0x00,
  TAINTED: 0x01,
  INCOMPLETE: 0x02,
  INTERRUPTED: 0x04,
  ABORTED: 0x08,
  DEGRADED: 0x10,
} as const

/** A sum of the bits of {@link RunCondition}. */
export type RunCondition = number

/** The names of a condition's bits in rising order, joined by `|`, as the framework writes them; `GOOD` for 0. */
export function conditionName(condition: RunCondition): string {
  return runConditionName(BigInt(condition))
}
