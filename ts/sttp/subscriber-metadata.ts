import { asSttpError, type SttpControl } from './codec.js'
import { type DataRecord, DataSet, type MeasurementRecord } from './data-set.js'
import type { Measurement } from './measurement.js'
import { MeasurementLookup } from './measurement-lookup.js'
import { readMetadata } from './metadata-reading.js'
import { NO_DETAILS, SignalDetails } from './signal-details.js'
import { SubscriberEvents } from './subscriber-events.js'

/** What a subscriber knows of its signals by the publisher's metadata. */
export abstract class SubscriberMetadata extends SubscriberEvents {
  #metadata: DataSet | undefined
  #details = new SignalDetails(undefined, this.name)
  #lookup: MeasurementLookup | undefined

  /** The metadata that came last. */
  get metadata(): DataSet | undefined {
    return this.#metadata
  }

  /** The measurements that the metadata have, to be looked up; none before metadata came. */
  get measurements(): MeasurementLookup {
    this.#lookup ??= new MeasurementLookup(this.#metadata ?? DataSet.metadata())
    return this.#lookup
  }

  /** What the metadata say of a measurement's signal. */
  measurementMetadata(measurement: Pick<Measurement, 'signalId'>): MeasurementRecord | undefined {
    return this.measurements.bySignalId(measurement.signalId)
  }

  /** A measurement's value times the multiplier of its signal plus its adder, as far as the metadata have them. */
  adjustedValue({ signalId, value }: Pick<Measurement, 'signalId' | 'value'>): number {
    const { multiplier, adder } = (this.measurements.bySignalId(signalId) ?? {}) as DataRecord
    return value * (typeof multiplier === 'number' ? multiplier : 1) + (typeof adder === 'number' ? adder : 0)
  }

  /** The rows of the signals of a signal index cache, in its order; they are added with what the metadata say of them. @internal */
  protected rowsOf({ signalIds, sources = [], keyIds }: SttpControl): Uint32Array {
    // A copy: the table keeps views of it, and the cache's bytes need not stay with them.
    const ids = (signalIds as Uint8Array).slice()
    const keys = keyIds as BigUint64Array
    const known = this.#details.rowsOf(ids)
    return Uint32Array.from(sources, (source, record) => {
      const nativeId = ids.subarray(record * 16, record * 16 + 16)
      const row = known[record] as number
      if (row !== NO_DETAILS) return this.signals.addLater(nativeId, this.#details, row)
      const name = `${source}:${keys[record]}`
      return this.signals.add({ source: this.name, nativeId, name, type: 'f32', timeline: 'utc', meta: { key: name } })
    })
  }

  /**
   * Reads metadata as they came. Those that cannot be read are told and done without: measurements do not need them.
   *
   * @param requested when they were asked for, as the clock's elapsed time
   *
   * @internal
   */
  protected async takeMetadata(payload: Uint8Array, requested: number, quirk: (name: string) => void): Promise<void> {
    try {
      const say = (text: string): void => this.statusMessage(text)
      const set = await readMetadata(payload, requested, { clock: this.clock, say, quirk })
      if (set !== undefined) this.#take(set)
    } catch (thrown) {
      const { code, message } = asSttpError(thrown)
      this.errorMessage(`Failed to parse metadata: ${message}`)
      this.status.emit('metadata-failed', { code, message })
    }
  }

  #take(set: DataSet): void {
    this.#metadata = set
    this.#lookup = undefined
    this.#details = new SignalDetails(set, this.name)
    const ids = [...this.signals.nativeIds()]
    for (const [at, row] of this.#details.rowsOf(Buffer.concat(ids)).entries()) {
      if (row !== NO_DETAILS) this.signals.addLater(ids[at] as Uint8Array, this.#details, row)
    }
    this.metadataReceived?.(set)
  }
}
