import type { MeasurementBatch } from '../batch/index.js'

/** Bytes in front of the columns of a frame. */
const HEADER_BYTES = 16
const KIND = 1

/**
 * Reduces measurements to the least and the greatest value of every signal in every pixel's time. A pixel of which
 * more comes later is told again: whoever draws merges.
 */
export class MinMax {
  readonly #bucketMs: number
  readonly #slots: Int32Array
  readonly #signals: readonly number[]
  readonly #bucket: Float64Array
  readonly #min: Float64Array
  readonly #max: Float64Array
  #out: number[] = []

  /**
   * @param signals rows of the signal table that are looked at
   * @param bucketMs ms of a pixel
   */
  constructor(signals: readonly number[], bucketMs: number) {
    this.#bucketMs = bucketMs
    this.#signals = signals
    this.#slots = new Int32Array(Math.max(0, ...signals) + 1).fill(-1)
    signals.forEach((signal, slot) => {
      this.#slots[signal] = slot
    })
    this.#bucket = new Float64Array(signals.length).fill(Number.NaN)
    this.#min = new Float64Array(signals.length)
    this.#max = new Float64Array(signals.length)
  }

  /** Takes a batch; rows without a time have that of their receipt, `nowMs`. */
  add(batch: MeasurementBatch, nowMs: number): void {
    const { signal, value, timeMs, length } = batch
    for (let row = 0; row < length; row++) {
      const slot = this.#slots[signal[row] as number]
      if (slot === undefined || slot < 0) continue
      const number = value[row] as number
      if (Number.isNaN(number)) continue
      let time = timeMs[row] as number
      if (Number.isNaN(time)) time = nowMs
      const bucket = Math.floor(time / this.#bucketMs)
      if (bucket !== this.#bucket[slot]) {
        this.#emit(slot)
        this.#bucket[slot] = bucket
        this.#min[slot] = number
        this.#max[slot] = number
      } else {
        if (number < (this.#min[slot] as number)) this.#min[slot] = number
        if (number > (this.#max[slot] as number)) this.#max[slot] = number
      }
    }
  }

  /**
   * What came since the last call: `u32 kind 1 | u32 count | f64 ms of a pixel`, then columns of the count:
   * `f64 pixel | f64 min | f64 max | u32 signal`, little-endian. Nothing where nothing came.
   */
  take(): Uint8Array | undefined {
    for (let slot = 0; slot < this.#signals.length; slot++) {
      this.#emit(slot)
      this.#bucket[slot] = Number.NaN
    }
    const out = this.#out
    if (out.length === 0) return undefined
    this.#out = []
    const count = out.length / 4
    const buffer = new ArrayBuffer(HEADER_BYTES + 28 * count)
    const head = new DataView(buffer)
    head.setUint32(0, KIND, true)
    head.setUint32(4, count, true)
    head.setFloat64(8, this.#bucketMs, true)
    const columns = new Float64Array(buffer, HEADER_BYTES, 3 * count)
    const signals = new Uint32Array(buffer, HEADER_BYTES + 24 * count, count)
    for (let row = 0; row < count; row++) {
      for (let column = 0; column < 3; column++) columns[column * count + row] = out[4 * row + column] as number
      signals[row] = out[4 * row + 3] as number
    }
    return new Uint8Array(buffer)
  }

  #emit(slot: number): void {
    const bucket = this.#bucket[slot] as number
    if (Number.isNaN(bucket)) return
    this.#out.push(bucket, this.#min[slot] as number, this.#max[slot] as number, this.#signals[slot] as number)
  }
}
