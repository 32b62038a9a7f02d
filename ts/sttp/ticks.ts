import { nsToTicks, ticksToNs } from '../batch/index.js'

/** Times of STTP: u64 counts of 100 ns since 0001-01-01 UTC; bit 63 says a leap second, bit 62 that it is deleted. */
export const Ticks = {
  /** The bits of the count. */
  VALUE_MASK: 0x3fff_ffff_ffff_ffffn,
  /** A leap second is inserted or deleted. */
  LEAP_SECOND: 1n << 63n,
  /** The leap second is a deleted one. */
  LEAP_SECOND_NEGATIVE: 1n << 62n,
  /** 1970-01-01 UTC. */
  UNIX_EPOCH: 621_355_968_000_000_000n,
  PER_SECOND: 10_000_000n,

  /** Now, to the millisecond. */
  utcNow(): bigint {
    return Ticks.fromMs(Date.now())
  },

  /** Of ms since 1970-01-01 UTC. */
  fromMs(ms: number): bigint {
    return BigInt(Math.round(ms * 10_000)) + Ticks.UNIX_EPOCH
  },

  /** Of ns since 1970-01-01 UTC, rounded down. */
  fromNs: nsToTicks,

  /** ns since 1970-01-01 UTC; -2^63 where they do not fit. Leap bits are left out. */
  toNs: ticksToNs,

  /** The time as a `Date`, cut to the millisecond. */
  toDate(ticks: bigint): Date {
    return new Date(Number(((ticks & Ticks.VALUE_MASK) - Ticks.UNIX_EPOCH) / 10_000n))
  },

  /** Time of day, as `19:43:53.600`. */
  toShortString(ticks: bigint): string {
    const ms = ((ticks & Ticks.VALUE_MASK) / 10_000n) % 86_400_000n
    const part = (unit: bigint, modulus: bigint, digits: number) =>
      ((ms / unit) % modulus).toString().padStart(digits, '0')
    return `${part(3_600_000n, 24n, 2)}:${part(60_000n, 60n, 2)}:${part(1000n, 60n, 2)}.${part(1n, 1000n, 3)}`
  },
} as const
