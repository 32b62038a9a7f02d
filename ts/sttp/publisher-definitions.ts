import { randomUUID } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { SignalTable } from '../batch/index.js'
import { Session } from '../session/index.js'
import { DataSet, type MeasurementRecord } from './data-set.js'
import { guidBytes } from './measurement.js'
import { PublisherMetadata } from './publisher-metadata.js'
import type { PublisherOptions } from './publisher-options.js'

/** What a publisher says of its signals: a data set of metadata, or what is defined one by one. */
export abstract class PublisherDefinitions extends Session {
  readonly system = 'sttp'
  /** The signals that it has: a batch that is published has this table, or one whose native ids are in it. */
  readonly signals = new SignalTable()
  /** GUID of this publisher. */
  readonly nodeId: string
  /** @internal */
  protected readonly published: PublisherMetadata
  #isTelling = false

  constructor(options: PublisherOptions) {
    super('sttp-publisher', options)
    this.nodeId = options.nodeId ?? randomUUID()
    this.published = new PublisherMetadata(this.nodeId, options.precedence)
  }

  /** Tells those who are connected that the metadata have changed. */
  protected abstract tellChange(): void

  /**
   * Sets the metadata: what subscribers can filter and are told. Who is connected is told that it has changed.
   * `ActiveMeasurements` is derived; what the set has of its own under that name is replaced.
   */
  defineMetadata(dataSet: DataSet): void {
    this.published.define(dataSet)
    this.#takeSignals(dataSet)
    this.tellChange()
  }

  /** The metadata. */
  get metadata(): DataSet {
    return this.published.dataSet
  }

  /** Reads metadata from a file; resolves to true, rejects with why they cannot be read. */
  async loadMetadata(path: string): Promise<true> {
    const [dataSet, error] = DataSet.fromXml(await readFile(path))
    if (dataSet === null) throw error
    this.defineMetadata(dataSet)
    return true
  }

  /** Writes the metadata to a file, so that what was defined one by one has the same ids at the next start. */
  async saveMetadata(path: string): Promise<true> {
    await writeFile(path, await this.published.payload('', 0))
    return true
  }

  /**
   * Defines a source of measurements, a device, where there is none of this acronym (by default made of the name); gives
   * the acronym.
   */
  defineOutputSource(name: string, acronym?: string): string {
    return this.#defined(() => this.published.definitions.source(name, acronym))
  }

  /**
   * Defines a measurement where there is none of this point tag; gives the signal's id, a GUID. The type is FREQ, DFDT,
   * VPHM, VPHA, IPHM, IPHA, ALOG, DIGI, FLAG, CALC, ... or of your own.
   */
  defineOutputMeasurement(
    deviceAcronym: string,
    pointTag: string,
    description: string,
    signalType = 'CALC',
    sourceIndex?: number,
  ): string {
    const define = () =>
      this.published.definitions.measurement(deviceAcronym, pointTag, description, signalType, sourceIndex)
    return this.#defined(define)
  }

  /** Defines a phasor where its device has none of this number; gives its id. Type is V or I, phase A, B, C, +, -, 0. */
  defineOutputPhasor(
    deviceAcronym: string,
    label: string,
    type: string,
    phase: string,
    sourceIndex: number,
    destinationPhasorId = 0,
  ): number {
    const define = () =>
      this.published.definitions.phasor(deviceAcronym, label, type, phase, sourceIndex, destinationPhasorId)
    return this.#defined(define)
  }

  /** The id of a signal by its point tag; `undefined` where the metadata do not have it. */
  getSignalId(pointTag: string): string | undefined {
    return this.published.signalId(pointTag)
  }

  /** The measurements that a filter selects, such as `SignalAcronym <> 'STAT'`, with their columns in camelCase. */
  filterMetadata(filter: string): MeasurementRecord[] {
    return this.published.measurements(filter)
  }

  #takeSignals(dataSet: DataSet): void {
    for (const record of dataSet.records('MeasurementDetail')) {
      const nativeId = guidBytes(String(record['signalId']))
      if (nativeId === undefined) continue
      const text = (name: string): string => String(record[name] ?? '')
      const kind = text('signalAcronym')
      const meta = { id: text('id'), device: text('deviceAcronym'), description: text('description') }
      this.signals.add({ nativeId, source: this.name, name: text('pointTag'), kind, meta })
    }
  }

  /** Subscribers are told once of what is defined in one turn of the event loop. */
  #defined<T>(define: () => T): T {
    const result = define()
    if (this.#isTelling) return result
    this.#isTelling = true
    queueMicrotask(() => {
      this.#isTelling = false
      this.#takeSignals(this.published.dataSet)
      this.tellChange()
    })
    return result
  }
}
