import { Block, COLUMN, MeasurementBatch, type SignalTable } from '../batch/index.js'
import type { Clock, Timer } from '../session/index.js'

/** Rows that are gathered at most before they go. */
const ROWS = 16_384

/** Gathers what is published in small batches for some ms, so that it goes out in few packets. */
export class PublicationGather {
  readonly #clock: Clock
  readonly #delay: number
  readonly #signals: SignalTable
  readonly #publish: (batch: MeasurementBatch) => void
  readonly #block = new Block(ROWS, COLUMN.rawTime)
  #count = 0
  #present = 0
  #timer: Timer | undefined

  /**
   * @param delay ms that rows wait at most
   * @param publish takes what was gathered; its memory is used again behind the call
   */
  constructor(clock: Clock, delay: number, signals: SignalTable, publish: (batch: MeasurementBatch) => void) {
    this.#clock = clock
    this.#delay = delay
    this.#signals = signals
    this.#publish = publish
  }

  /** Takes the rows of a batch of the publisher's signals, whose memory is free behind the call. */
  add(batch: MeasurementBatch): void {
    const { length, block } = batch
    const present = block.present & COLUMN.rawTime
    if (this.#count + length > ROWS || (present !== this.#present && this.#count > 0)) this.flush()
    if (length > ROWS / 4) {
      this.flush()
      this.#publish(batch)
      return
    }
    const { time, value, signal, flags, rawTime } = this.#block
    const at = this.#count
    // A block that is full is copied without a view of its part.
    const isWhole = length === block.capacity
    time.set(isWhole ? block.time : block.time.subarray(0, length), at)
    value.set(isWhole ? block.value : block.value.subarray(0, length), at)
    signal.set(isWhole ? block.signal : block.signal.subarray(0, length), at)
    flags.set(isWhole ? block.flags : block.flags.subarray(0, length), at)
    if (present !== 0) rawTime.set(block.rawTime.subarray(0, length), at)
    this.#present = present
    this.#count += length
    this.#timer ??= this.#clock.after(this.#delay, () => {
      this.#timer = undefined
      this.flush()
    })
  }

  /** Publishes what was gathered. */
  flush(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    if (this.#count === 0) return
    this.#block.count = this.#count
    this.#block.present = this.#present
    this.#count = 0
    this.#publish(new MeasurementBatch(this.#block, this.#signals, 'f32'))
  }
}
