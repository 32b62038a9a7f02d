import { FIELD_ID } from './fields.js'
import type { Points } from './points.js'

/** Bytes in front of the columns of a frame. */
const HEADER_BYTES = 16
const KIND = 1

/**
 * Reduces measurements to the least and the greatest value of every signal in every pixel's time. A pixel of which
 * more comes later is told again: whoever draws merges.
 */
export class MinMax {
  readonly #bucketMs: number
  /** By rows of the signal table. */
  readonly #slots: Int32Array
  readonly #fieldSlots = new Map<number, number>()
  readonly #signals: readonly number[]
  readonly #bucket: Float64Array
  readonly #min: Float64Array
  readonly #max: Float64Array
  #out: number[] = []

  /**
   * @param signals rows of the signal table, and ids of fields, that are looked at
   * @param bucketMs ms of a pixel
   */
  constructor(signals: readonly number[], bucketMs: number) {
    this.#bucketMs = bucketMs
    this.#signals = signals
    this.#slots = new Int32Array(Math.max(0, ...signals.filter((id) => id < FIELD_ID)) + 1).fill(-1)
    signals.forEach((signal, slot) => {
      if (signal < FIELD_ID) this.#slots[signal] = slot
      else this.#fieldSlots.set(signal, slot)
    })
    this.#bucket = new Float64Array(signals.length).fill(Number.NaN)
    this.#min = new Float64Array(signals.length)
    this.#max = new Float64Array(signals.length)
  }

  /** Takes rows `from` to `to`; those without a time have that of their receipt, `nowMs`. */
  add(points: Points, nowMs: number, from = 0, to = points.length): void {
    const { signal, value, timeMs } = points
    for (let row = from; row < to; row++) {
      const slot = this.#slots[signal[row] as number]
      if (slot === undefined || slot < 0) continue
      const time = timeMs[row] as number
      this.#put(slot, Number.isNaN(time) ? nowMs : time, value[row] as number)
    }
  }

  /** Takes the value of a field. */
  put(id: number, timeMs: number, value: number): void {
    const slot = this.#fieldSlots.get(id)
    if (slot !== undefined) this.#put(slot, timeMs, value)
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

  #put(slot: number, time: number, value: number): void {
    if (Number.isNaN(value)) return
    const bucket = Math.floor(time / this.#bucketMs)
    if (bucket !== this.#bucket[slot]) {
      this.#emit(slot)
      this.#bucket[slot] = bucket
      this.#min[slot] = value
      this.#max[slot] = value
      return
    }
    if (value < (this.#min[slot] as number)) this.#min[slot] = value
    if (value > (this.#max[slot] as number)) this.#max[slot] = value
  }

  #emit(slot: number): void {
    const bucket = this.#bucket[slot] as number
    if (Number.isNaN(bucket)) return
    this.#out.push(bucket, this.#min[slot] as number, this.#max[slot] as number, this.#signals[slot] as number)
  }
}
