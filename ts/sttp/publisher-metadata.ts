import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { hasModes, MODE } from './codes.js'
import { DataSet, type MeasurementRecord, type Precedence } from './data-set.js'

/** What is derived for the filters is not sent. */
const PUBLIC = { without: ['ActiveMeasurements'] }

/** The metadata of a publisher: what clients filter, and what they are sent, which is made once for all of them. */
export class PublisherMetadata {
  readonly #precedence: Precedence | undefined
  #dataSet = DataSet.metadata()
  #xml: Promise<Uint8Array> | undefined
  #zipped: Promise<Uint8Array> | undefined

  constructor(precedence?: Precedence) {
    this.#precedence = precedence
    this.#dataSet.deriveActiveMeasurements()
  }

  get dataSet(): DataSet {
    return this.#dataSet
  }

  /** Takes a data set's place, or the same one again that has changed; `ActiveMeasurements` is derived anew. */
  define(dataSet: DataSet): void {
    dataSet.deriveActiveMeasurements()
    this.#dataSet = dataSet
    this.#xml = undefined
    this.#zipped = undefined
  }

  /** The measurements that a filter selects. */
  measurements(filter: string): MeasurementRecord[] {
    const rows = this.#dataSet.select(filter, 'MeasurementDetail', this.#precedence)
    return this.#dataSet.records('MeasurementDetail', rows) as unknown as MeasurementRecord[]
  }

  /** The ids of the signals that a subscription's filter selects. */
  signalIds(filter: string): Uint8Array[] {
    return this.#dataSet.signalIds(filter, 'ActiveMeasurements', this.#precedence)
  }

  /** The answer to a refresh with these filters under these operational modes; rejects with what is wrong with them. */
  async payload(filters: string, modes: number): Promise<Uint8Array> {
    const isZipped = hasModes(modes, MODE.compressMetadata | MODE.gzip)
    if (filters !== '') {
      const xml = this.#dataSet.filtered(filters, this.#precedence).toXml(PUBLIC)
      return isZipped ? promisify(gzip)(xml) : xml
    }
    this.#xml ??= Promise.resolve(this.#dataSet.toXml(PUBLIC))
    if (!isZipped) return this.#xml
    this.#zipped ??= this.#xml.then((xml) => promisify(gzip)(xml))
    return this.#zipped
  }
}
