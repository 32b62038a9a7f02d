// The values that the recording publisher sent: `__test__/interop/sttp` has the same formula in Python (common.py).

const T0 = 638_000_000_000_000_000n
const STEP = 333_333n
const FLAGS = [0x0, 0x1, 0x2, 0x20, 0x10000, 0x1000, 0x80000000, 0x10001]
const COMPACT_MASKS = [0x000000fc, 0x0000ef03, 0x00bf0000, 0xe0000000, 0x00001000, 0x00400000]
const PREFIX = '00000000-0000-4000-8000-'

/** Whether the signal is one of those with known values. */
export function isKnownSignal(id: string): boolean {
  return id.startsWith(PREFIX)
}

/** The number of such a signal. */
export function signalNumber(id: string): number {
  return Number.parseInt(id.slice(PREFIX.length), 16)
}

/**
 * Checks measurements of known values. Whether times have jitter and flags are cycled is not said by a recording: one
 * of the four ways has to fit every measurement.
 */
export class KnownValues {
  checked = 0
  readonly #fits = [
    { jitter: false, cycled: false, misfit: '' },
    { jitter: false, cycled: true, misfit: '' },
    { jitter: true, cycled: false, misfit: '' },
    { jitter: true, cycled: true, misfit: '' },
  ]

  /** What is wrong, if something is. */
  get wrong(): string | undefined {
    const misfits = this.#fits.map(({ misfit }) => misfit)
    return misfits.includes('') ? undefined : misfits.join('; ')
  }

  /** Takes a measurement. */
  check(id: string, ticks: bigint, value: number, flags: number, isCompact: boolean): void {
    this.checked++
    const n = Number((ticks - T0) / STEP)
    for (const fit of this.#fits) {
      if (fit.misfit !== '') continue
      const jitter = fit.jitter ? BigInt((n * 7919) % 97) : 0n
      const full = fit.cycled ? (FLAGS[Math.floor(n / 50) % FLAGS.length] as number) : 0
      const expected = [
        T0 + BigInt(n) * STEP + jitter,
        1000 * signalNumber(id) + 0.25 * (n % 4000),
        isCompact ? compactImage(full) : full,
      ]
      const found = [ticks, value, flags]
      if (found.join() !== expected.join()) fit.misfit = `${id}: ${found.join()} instead of ${expected.join()}`
    }
  }
}

/** A quality word behind one trip through the eight flags of a compact measurement. */
export function compactImage(flags: number): number {
  const word = COMPACT_MASKS.reduce((word, mask) => ((flags & mask) !== 0 ? word | mask : word), 0)
  return word >>> 0
}
