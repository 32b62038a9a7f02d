import type { DataSet, MeasurementRecord } from './data-set.js'

/** Finds measurements in metadata: by the signal's id, point tag, measurement key or reference, whatever their case. */
export class MeasurementLookup {
  readonly #set: DataSet
  readonly #indexes = new Map<keyof MeasurementRecord, ReadonlyMap<string, number>>()
  #records: readonly MeasurementRecord[] | undefined

  constructor(set: DataSet) {
    this.#set = set
  }

  /** All of them, in the order of the metadata. */
  get records(): readonly MeasurementRecord[] {
    const hasTable = this.#set.table('MeasurementDetail') !== undefined
    this.#records ??= hasTable ? (this.#set.records('MeasurementDetail') as unknown as MeasurementRecord[]) : []
    return this.#records
  }

  /** By GUID. */
  bySignalId(signalId: string): MeasurementRecord | undefined {
    return this.#find('signalId', signalId)
  }

  byPointTag(pointTag: string): MeasurementRecord | undefined {
    return this.#find('pointTag', pointTag)
  }

  /** By measurement key, `SOURCE:number`. */
  byId(id: string): MeasurementRecord | undefined {
    return this.#find('id', id)
  }

  bySignalReference(signalReference: string): MeasurementRecord | undefined {
    return this.#find('signalReference', signalReference)
  }

  /** Those of a type, such as FREQ, and where told of one device. */
  bySignalType(signalAcronym: string, deviceAcronym?: string): MeasurementRecord[] {
    const isEqual = (text: string | null, wanted: string) => text?.toUpperCase() === wanted.toUpperCase()
    return this.records.filter(
      (record) =>
        isEqual(record.signalAcronym, signalAcronym) &&
        (deviceAcronym === undefined || isEqual(record.deviceAcronym, deviceAcronym)),
    )
  }

  /** Those that have a text in point tag, reference, key, type or description. */
  search(text: string): MeasurementRecord[] {
    const wanted = text.toUpperCase()
    const has = (value: string | null): boolean => value?.toUpperCase().includes(wanted) ?? false
    return this.records.filter(
      ({ pointTag, signalReference, id, signalAcronym, description }) =>
        has(pointTag) || has(signalReference) || has(id) || has(signalAcronym) || has(description),
    )
  }

  #find(name: keyof MeasurementRecord, wanted: string): MeasurementRecord | undefined {
    let index = this.#indexes.get(name)
    if (index === undefined) {
      index = new Map(this.records.map((record, row) => [String(record[name] ?? '').toUpperCase(), row]))
      this.#indexes.set(name, index)
    }
    const row = index.get(wanted.toUpperCase())
    return row === undefined ? undefined : this.records[row]
  }
}
