import { Block, COLUMN, MeasurementBatch, type SignalTable, TIME_UNKNOWN } from '../batch/index.js'
import { sttpError } from './error-codes.js'
import { guidBytes, type Measurement } from './measurement.js'
import { Ticks } from './ticks.js'

/** No row of a signal table. */
const NO_ROW = 0xffff_ffff

/** Makes batches of a publisher's signals of what its users publish: measurements as objects, batches of other sessions. */
export class PublishedRows {
  readonly #signals: SignalTable
  readonly #name: string
  readonly #rowsOfText = new Map<string, number>()
  /** The rows here of each row there. */
  readonly #foreign = new WeakMap<SignalTable, Uint32Array>()
  #block: Block | undefined

  /** @param name source of the signals that are added */
  constructor(signals: SignalTable, name: string) {
    this.#signals = signals
    this.#name = name
  }

  /** The row of a signal's id, added where it is new. */
  rowOf(signalId: string): number {
    const known = this.#rowsOfText.get(signalId)
    if (known !== undefined) return known
    const nativeId = guidBytes(signalId)
    if (nativeId === undefined) throw sttpError('ERR_STTP_SIGNAL_ID', `"${signalId}" is no GUID`)
    const row = this.#signals.add({ nativeId, source: this.#name })
    this.#rowsOfText.set(signalId, row)
    return row
  }

  /** The measurements as a batch, which is valid until the next. */
  batchOf(measurements: readonly Measurement[]): MeasurementBatch {
    const { length } = measurements
    if (this.#block === undefined || this.#block.capacity < length) this.#block = new Block(length, COLUMN.rawTime)
    const block = this.#block
    block.clear()
    let isExact = true
    for (const [row, { signalId, value, timestamp, flags }] of measurements.entries()) {
      const time = Ticks.toNs(timestamp)
      if (time === TIME_UNKNOWN || (timestamp & ~Ticks.VALUE_MASK) !== 0n) isExact = false
      block.time[row] = time
      block.rawTime[row] = timestamp
      block.value[row] = value
      block.signal[row] = this.rowOf(signalId)
      block.flags[row] = flags
    }
    block.count = length
    if (!isExact) block.present = COLUMN.rawTime
    return new MeasurementBatch(block, this.#signals, 'f32')
  }

  /** The batch with rows of the publisher's signals; a copy unless it has them already. */
  own(batch: MeasurementBatch): MeasurementBatch {
    if (batch.signals === this.#signals) return batch
    let rows = this.#foreign.get(batch.signals)
    if (rows === undefined || rows.length < batch.signals.length) {
      rows = Uint32Array.from(batch.signals, ({ nativeId, name, kind }) => {
        if (nativeId.length !== 16) throw sttpError('ERR_STTP_SIGNAL_ID', `"${name}" has no GUID as its id`)
        return this.#signals.add({ nativeId, source: this.#name, name, kind })
      })
      this.#foreign.set(batch.signals, rows)
    }
    const { block } = batch.copy()
    for (let row = 0; row < batch.length; row++) block.signal[row] = rows[block.signal[row] as number] ?? NO_ROW
    return new MeasurementBatch(block, this.#signals, 'f32')
  }
}
