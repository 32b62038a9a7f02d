import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { hasModes, MODE } from './codes.js'
import { DataSet, type MeasurementRecord, type Precedence } from './data-set.js'
import { OutputDefinitions } from './output-definitions.js'

/** What is derived for the filters is not sent. */
const PUBLIC = { without: ['ActiveMeasurements'] }

/** The metadata of a publisher: what clients filter, and what they are sent, which is made once for all of them. */
export class PublisherMetadata {
  readonly #precedence: Precedence | undefined
  readonly #nodeId: string
  #definitions: OutputDefinitions | undefined
  /** Rows were added since `ActiveMeasurements` was derived. */
  #isStale = false
  #dataSet = DataSet.metadata()
  #xml: Promise<Uint8Array> | undefined
  #zipped: Promise<Uint8Array> | undefined

  /** @param nodeId the source node of what is defined one by one */
  constructor(nodeId: string, precedence?: Precedence) {
    this.#nodeId = nodeId
    this.#precedence = precedence
    this.#dataSet.deriveActiveMeasurements()
  }

  get dataSet(): DataSet {
    if (this.#isStale) this.define(this.#dataSet)
    return this.#dataSet
  }

  /** Adds rows one by one; {@link dataSet} has them. */
  get definitions(): OutputDefinitions {
    this.#definitions ??= new OutputDefinitions(this.#dataSet, this.#nodeId)
    this.#isStale = true
    return this.#definitions
  }

  /** The id of a signal by its point tag. */
  signalId(pointTag: string): string | undefined {
    this.#definitions ??= new OutputDefinitions(this.#dataSet, this.#nodeId)
    return this.#definitions.signalId(pointTag)
  }

  /** Takes a data set's place, or the same one again that has changed; `ActiveMeasurements` is derived anew. */
  define(dataSet: DataSet): void {
    dataSet.deriveActiveMeasurements()
    if (dataSet !== this.#dataSet) this.#definitions = undefined
    this.#isStale = false
    this.#dataSet = dataSet
    this.#xml = undefined
    this.#zipped = undefined
  }

  /** The measurements that a filter selects. */
  measurements(filter: string): MeasurementRecord[] {
    const rows = this.dataSet.select(filter, 'MeasurementDetail', this.#precedence)
    return this.dataSet.records('MeasurementDetail', rows) as unknown as MeasurementRecord[]
  }

  /** The ids of the signals that a subscription's filter selects. */
  signalIds(filter: string): Uint8Array[] {
    return this.dataSet.signalIds(filter, 'ActiveMeasurements', this.#precedence)
  }

  /** The answer to a refresh with these filters under these operational modes; rejects with what is wrong with them. */
  async payload(filters: string, modes: number): Promise<Uint8Array> {
    const isZipped = hasModes(modes, MODE.compressMetadata | MODE.gzip)
    if (filters !== '') {
      const xml = this.dataSet.filtered(filters, this.#precedence).toXml(PUBLIC)
      return isZipped ? promisify(gzip)(xml) : xml
    }
    const { dataSet } = this
    this.#xml ??= Promise.resolve(dataSet.toXml(PUBLIC))
    if (!isZipped) return this.#xml
    this.#zipped ??= this.#xml.then((xml) => promisify(gzip)(xml))
    return this.#zipped
  }
}
