import type { Batch } from '../batch/index.js'
import { type Clock, type Sink, sleep, systemClock } from '../session/index.js'
import { timesOf } from './points.js'
import type { View } from './view.js'

/** ms between two looks at what is due. */
const STEP = 50

/**
 * Shows a recording at its own pace, from when a page looks.
 *
 * ```ts
 * const view = await View.open(source)
 * await pipeline(source, new Playback(view, 10))
 * ```
 */
export class Playback implements Sink {
  readonly #view: View
  readonly #speed: number
  readonly #signal: AbortSignal | undefined
  readonly #clock: Clock
  #start: { readonly at: number; readonly time: number } | undefined

  /** @param speed times as fast as it was; `Infinity`: all at once */
  constructor(view: View, speed: number, signal?: AbortSignal, clock: Clock = systemClock) {
    this.#view = view
    this.#speed = speed
    this.#signal = signal
    this.#clock = clock
  }

  get stored(): number {
    return this.#view.stored
  }

  async write(batch: Batch): Promise<void> {
    await this.#view.looked(this.#signal)
    const times = timesOf(batch)
    for (let at = 0; at < batch.length; ) {
      const from = at
      const due = this.#due(times, from)
      while (at < batch.length && !((times[at] as number) > due)) at++
      this.#view.show(batch, from, at)
      if (at < batch.length && !(await this.#wait())) break
    }
    this.#view.count(batch)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  /** The time up to which rows are shown now. */
  #due(times: Float64Array, from: number): number {
    const now = this.#clock.elapsed()
    if (this.#start === undefined) {
      const first = times.subarray(from).find((time) => !Number.isNaN(time))
      if (first !== undefined) this.#start = { at: now, time: first }
    }
    if (this.#start === undefined || this.#speed === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY
    return this.#start.time + (now - this.#start.at) * this.#speed
  }

  /** `false` when it was told to end. */
  #wait(): Promise<boolean> {
    return sleep(this.#clock, STEP, this.#signal).then(
      () => true,
      () => false,
    )
  }
}
