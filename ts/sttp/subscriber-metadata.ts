import type { NewSignal } from '../batch/index.js'
import { asSttpError, type SttpControl } from './codec.js'
import { DataSet, type MeasurementRecord } from './data-set.js'
import { guidText, type Measurement } from './measurement.js'
import { MeasurementLookup } from './measurement-lookup.js'
import { readMetadata } from './metadata-reading.js'
import { type SignalDetails, signalDetails } from './signal-details.js'
import { SubscriberEvents } from './subscriber-events.js'

/** What a subscriber knows of its signals by the publisher's metadata. */
export abstract class SubscriberMetadata extends SubscriberEvents {
  #metadata: DataSet | undefined
  #details: SignalDetails = new Map()
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
    const details = this.#details.get(signalId.toLowerCase())
    return value * (details?.scale ?? 1) + (details?.offset ?? 0)
  }

  /** The rows of the signals of a signal index cache, in its order; they are added with what the metadata say of them. @internal */
  protected rowsOf({ signalIds, sources = [], keyIds }: SttpControl): Uint32Array {
    // A copy: the table keeps views of it, and the cache's bytes need not stay with them.
    const ids = (signalIds as Uint8Array).slice()
    const keys = keyIds as BigUint64Array
    return Uint32Array.from(sources, (source, record) => {
      const nativeId = ids.subarray(record * 16, record * 16 + 16)
      const name = `${source}:${keys[record]}`
      const known = this.#detailsOf(nativeId)
      const unknown = { source: this.name, nativeId, name, type: 'f32', timeline: 'utc', meta: { key: name } } as const
      return this.signals.add(known ?? unknown)
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
    this.#details = signalDetails(set, this.name)
    for (const signal of this.signals) {
      const details = this.#detailsOf(signal.nativeId)
      if (details !== undefined) this.signals.add(details)
    }
    this.metadataReceived?.(set)
  }

  /** What the metadata say of a signal, by the 16 bytes of its GUID. */
  #detailsOf(nativeId: Uint8Array): NewSignal | undefined {
    return this.#details.get(guidText(nativeId))
  }
}
