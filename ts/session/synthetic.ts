import type { OptionValues } from './option-values.js'

/** 2024-01-01T00:00:00Z, ns since 1970-01-01 UTC. */
export const SYNTHETIC_T0 = 1_704_067_200_000_000_000n

/** How synthetic frames follow one another. */
export interface SyntheticTimesOptions {
  /** Frames a second; 30 unless told. */
  readonly rate?: number
  /** ns between frames, in place of a rate. */
  readonly periodNs?: bigint
  /** Time of the first frame, ns since 1970-01-01 UTC; {@link SYNTHETIC_T0} unless told. */
  readonly t0?: bigint
}

/**
 * Times of synthetic frames, which any receiver can check: frame n is at `t0 + floor(n * 10^9 / rate)` ns, exactly for
 * rates of up to three decimals.
 */
export class SyntheticTimes {
  readonly t0: bigint
  /** Frames a second. */
  readonly rate: number
  readonly #period: bigint | undefined

  constructor({ rate = 30, periodNs, t0 = SYNTHETIC_T0 }: SyntheticTimesOptions = {}) {
    this.t0 = t0
    this.rate = periodNs === undefined ? rate : 1e9 / Number(periodNs)
    this.#period = periodNs
  }

  /** ns since 1970-01-01 UTC of frame n. */
  timeOf(n: number): bigint {
    return this.t0 + this.#exactly(n)
  }

  /** ns from the first frame to frame n; exact for 104 days. */
  since(n: number): number {
    // A quotient of integers that doubles hold is never rounded up to the next integer.
    if (this.#period === undefined && Number.isInteger(this.rate) && n * 1e9 <= Number.MAX_SAFE_INTEGER) {
      return Math.floor((n * 1e9) / this.rate)
    }
    return Number(this.#exactly(n))
  }

  #exactly(n: number): bigint {
    if (this.#period !== undefined) return BigInt(n) * this.#period
    return (BigInt(n) * 1_000_000_000_000n) / BigInt(Math.round(this.rate * 1000))
  }
}

/** The value of signal k in frame n of every synthetic source; exact in float32. */
export function syntheticValue(k: number, n: number): number {
  return 1000 * (k % 4000) + 0.25 * (n % 4000)
}

/** The options by which a synthetic source is served. */
export type CourseOption = 'rate' | 'nominal' | 'period' | 't0' | 'frames'

/**
 * The entries of these options in an option table.
 *
 * @param frames what frames are called in the system
 * @param rate how many there are in a second unless told
 */
export function courseOptions(frames: string, rate: number) {
  return {
    rate: { value: 'HZ|max', line: `${frames} per second; ${rate} unless told` },
    nominal: { value: 'HZ', line: 'the rate that times have under --rate max; 30 unless told' },
    period: { value: 'NS', line: `ns between ${frames}, in place of --rate` },
    t0: { value: 'NS', line: 'time of the first, ns since 1970-01-01 UTC; 2024-01-01 unless told' },
    frames: { value: 'N', line: `ends after N ${frames}` },
  } as const
}

/** How a synthetic source goes. */
export interface Course {
  readonly times: SyntheticTimesOptions
  /** Whether frames follow one another as fast as they are taken. */
  readonly isMax: boolean
  /** How many there are. */
  readonly frames: number
}

/** How a synthetic source goes by its options; one whose wire has no date need not have `t0`. */
export function courseOf(options: OptionValues<Exclude<CourseOption, 't0'>>, rate: number): Course {
  const values: OptionValues<CourseOption> = options
  const isMax = values.text('rate') === 'max'
  const periodNs = values.whole('period', 1)
  const hz = isMax ? values.number('nominal', 0.001, 30) : values.number('rate', 0.001, rate)
  const t0 = values.integer('t0', SYNTHETIC_T0)
  return {
    times: periodNs === undefined ? { rate: hz, t0 } : { periodNs: BigInt(periodNs), t0 },
    isMax,
    frames: values.whole('frames', 1, Number.POSITIVE_INFINITY),
  }
}
