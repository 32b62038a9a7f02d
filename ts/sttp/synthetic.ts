import { Block, MeasurementBatch, type SignalTable } from '../batch/index.js'
import { COUNT, checkNumbers, SyntheticTimes, type SyntheticTimesOptions, syntheticValue } from '../session/index.js'
import { DataSet } from './data-set.js'
import { guidBytes } from './measurement.js'
import { Ticks } from './ticks.js'

/** What a synthetic source is made of. */
export interface SyntheticOptions extends SyntheticTimesOptions {
  readonly signals: number
}

/** Types of the signals in turn. */
const KINDS = ['FREQ', 'VPHM', 'VPHA', 'IPHM', 'IPHA'] as const
const REFERENCES = ['FQ', 'PM1', 'PA1', 'PM2', 'PA2'] as const

/**
 * Frames that any receiver can check: signal k, frame n has the value `1000*(k mod 4000) + 0.25*(n mod 4000)`, which is
 * exact in float32, the time `t0 + floor(n * 10^9 / rate)` ns cut to 100 ns, and flags 0.
 */
export class Synthetic {
  readonly times: SyntheticTimes
  readonly #base: Float64Array

  constructor(options: SyntheticOptions) {
    checkNumbers(options, { signals: COUNT })
    this.times = new SyntheticTimes(options)
    this.#base = Float64Array.from({ length: options.signals }, (_, k) => syntheticValue(k, 0))
  }

  /** The metadata of its signals: `00000000-0000-4000-8000-<k>`, point tag `SYN:T<k>`, one device. */
  metadata(): DataSet {
    const set = DataSet.metadata()
    const updated = { Enabled: 'true', UpdatedOn: '2024-01-01T00:00:00.0Z' }
    const device = { Acronym: 'SYNTHETIC', Name: 'Synthetic device', ProtocolName: 'STTP', AccessID: 1, Longitude: 0 }
    const frames = Math.max(1, Math.round(this.times.rate))
    const node = '00000000-0000-4000-9000-000000000000'
    set.push('DeviceDetail', {
      NodeID: node,
      UniqueID: '00000000-0000-4000-9000-000000000001',
      IsConcentrator: false,
      FramesPerSecond: frames,
      Latitude: 0,
      ...device,
      ...updated,
    })
    for (let k = 0; k < this.#base.length; k++) {
      set.push('MeasurementDetail', {
        DeviceAcronym: 'SYNTHETIC',
        ID: `SYN:${k + 1}`,
        SignalID: syntheticId(k),
        PointTag: `SYN:T${k}`,
        SignalReference: `SYNTHETIC-${REFERENCES[k % REFERENCES.length]}`,
        SignalAcronym: KINDS[k % KINDS.length] as string,
        PhasorSourceIndex: k % KINDS.length === 0 ? 0 : ((k - 1) >> 1) % 2,
        Description: `Synthetic signal ${k}, T0=${Ticks.fromNs(this.times.t0)}`,
        Internal: true,
        ...updated,
      })
    }
    set.push('SchemaVersion', { VersionNumber: 14 })
    return set
  }

  /** Its rows in a publisher's signal table. */
  rows(signals: SignalTable): Uint32Array {
    return Uint32Array.from(this.#base, (_, k) => {
      const nativeId = guidBytes(syntheticId(k)) as Uint8Array
      return signals.rowOf(nativeId) ?? signals.add({ nativeId })
    })
  }

  /** A block for so many frames, with the columns that are the same in all of them. */
  block(frames: number, rows: Uint32Array): Block {
    const block = new Block(frames * rows.length)
    for (let frame = 0; frame < frames; frame++) block.signal.set(rows, frame * rows.length)
    return block
  }

  /** Writes frames from `first` on into a block that {@link block} made. */
  fill(block: Block, first: number, frames: number): void {
    const base = this.#base
    const { time, value } = block
    for (let frame = 0, row = 0; frame < frames; frame++) {
      const n = first + frame
      time.fill(this.timeOf(n), row, row + base.length)
      const more = syntheticValue(0, n)
      for (let k = 0; k < base.length; k++) value[row++] = (base[k] as number) + more
    }
    block.count = frames * base.length
  }

  /** ns since 1970-01-01 UTC of a frame, cut to the wire's 100 ns. */
  timeOf(n: number): bigint {
    const time = this.times.timeOf(n)
    return time - (time % 100n)
  }

  /** Frames as a batch of their own. */
  batch(first: number, frames: number, signals: SignalTable): MeasurementBatch {
    const block = this.block(frames, this.rows(signals))
    this.fill(block, first, frames)
    return new MeasurementBatch(block, signals, 'f32')
  }
}

/** The id of a synthetic signal. */
export function syntheticId(k: number): string {
  return `00000000-0000-4000-8000-${k.toString(16).padStart(12, '0')}`
}
