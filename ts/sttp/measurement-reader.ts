import { type MeasurementBatch, TIME_UNKNOWN } from '../batch/index.js'
import { guidText, Measurement } from './measurement.js'
import { Ticks } from './ticks.js'

/**
 * Reads measurement by measurement what one connection brings: the convenient way, and the slow one.
 *
 * ```ts
 * const reader = subscriber.readMeasurements()
 * for (;;) {
 *   const [measurement, success] = await reader.nextMeasurement()
 *   if (!success) break
 *   subscriber.statusMessage(String(measurement))
 * }
 * ```
 */
export class MeasurementReader {
  readonly #open: () => AsyncIterator<MeasurementBatch, undefined>
  readonly #previous: MeasurementReader | undefined
  #batches: AsyncIterator<MeasurementBatch, undefined> | undefined
  #batch: MeasurementBatch | undefined
  #row = 0
  #isEnding = false
  #isOver = false
  #waiting: Promise<IteratorResult<MeasurementBatch, undefined>> | undefined

  /**
   * @param open begins to take batches
   * @param previous the reader of the connection before, which has to let go of the batches first
   */
  constructor(open: () => AsyncIterator<MeasurementBatch, undefined>, previous?: MeasurementReader) {
    this.#open = open
    this.#previous = previous
  }

  /** Gives the next measurement and true; nothing and false when the connection is over and all it brought was read. */
  async nextMeasurement(): Promise<[Measurement, true] | [undefined, false]> {
    for (;;) {
      const batch = this.#batch
      if (batch !== undefined && this.#row < batch.length) return [measurementAt(batch, this.#row++), true]
      this.#batch = undefined
      if (this.#isOver) return [undefined, false]
      const result = await this.#next()
      if (result.done === true) this.#isOver = true
      else {
        this.#batch = result.value
        this.#row = 0
      }
    }
  }

  /** The connection is over: what it brought can still be read. */
  end(): void {
    this.#isEnding = true
    if (this.#waiting !== undefined) void this.#leave()
  }

  /** Takes no more batches; the rows of the one that is being read are kept. */
  async release(): Promise<void> {
    this.#isEnding = true
    if (this.#waiting !== undefined) await this.#leave()
    if (this.#isOver) return
    this.#isOver = true
    this.#batch = this.#batch?.copy()
    await this.#batches?.return?.()
  }

  async #next(): Promise<IteratorResult<MeasurementBatch, undefined>> {
    if (this.#batches === undefined) {
      await this.#previous?.release()
      this.#batches = this.#open()
    }
    this.#waiting = this.#batches.next()
    if (this.#isEnding) void this.#leave()
    try {
      return await this.#waiting
    } finally {
      this.#waiting = undefined
    }
  }

  /** Waits no longer where nothing has come by the next turn of the event loop. */
  async #leave(): Promise<void> {
    const waiting = this.#waiting
    await new Promise((resolve) => setImmediate(resolve))
    if (this.#waiting === waiting) await this.#batches?.return?.()
  }
}

/** A row of a batch as a measurement. */
export function measurementAt(batch: MeasurementBatch, row: number): Measurement {
  const time = batch.time[row] as bigint
  const ticks = batch.rawTime?.[row] ?? (time === TIME_UNKNOWN ? 0n : Ticks.fromNs(time))
  const signal = batch.signals.at(batch.signal[row] as number)
  const id = signal === undefined ? undefined : guidText(signal.nativeId)
  return new Measurement(id, batch.value[row] as number, ticks, batch.flags[row] as number)
}
