import { randomUUID } from 'node:crypto'
import type { DataSet } from './data-set.js'
import { sttpError } from './error-codes.js'

/** The end of a signal's reference by its type; phasors and those in groups have their number behind it. */
const REFERENCES: Readonly<Record<string, string>> = {
  FREQ: 'FQ',
  DFDT: 'DF',
  VPHA: 'PA',
  IPHA: 'PA',
  VPHM: 'PM',
  IPHM: 'PM',
  ALOG: 'AV',
  DIGI: 'DV',
  FLAG: 'SF',
  CALC: 'CV',
  STAT: 'ST',
  ALRM: 'AL',
  QUAL: 'QF',
}

/** Devices, measurements and phasors that are defined one by one, in place of metadata that are read. */
export class OutputDefinitions {
  readonly #set: DataSet
  readonly #nodeId: string
  readonly #acronyms = new Set<string>()
  readonly #signalIds = new Map<string, string>()
  /** The highest number of a measurement key, by its source. */
  readonly #numbers = new Map<string, number>()
  readonly #phasors = new Map<string, number>()

  /** @param set what it adds to; what it has is known */
  constructor(set: DataSet, nodeId: string) {
    this.#set = set
    this.#nodeId = nodeId
    const records = (table: string) => (set.table(table) === undefined ? [] : set.records(table))
    for (const { acronym } of records('DeviceDetail')) this.#acronyms.add(String(acronym))
    for (const { pointTag, signalId, id } of records('MeasurementDetail')) {
      this.#signalIds.set(String(pointTag), String(signalId))
      const [, source = '', number = '0'] = /^(.*):(\d+)$/.exec(String(id)) ?? []
      this.#numbers.set(source, Math.max(this.#numbers.get(source) ?? 0, Number(number)))
    }
    for (const { deviceAcronym, sourceIndex, id } of records('PhasorDetail')) {
      this.#phasors.set(`${deviceAcronym} ${sourceIndex}`, Number(id))
    }
  }

  /** Defines a device, or finds it; gives its acronym. */
  source(name: string, wanted = name): string {
    const acronym = validAcronym(wanted)
    if (acronym === '') throw sttpError('ERR_STTP_OPTION_INVALID', `"${wanted}" has no letter for an acronym`)
    if (this.#acronyms.has(acronym)) return acronym
    this.#acronyms.add(acronym)
    this.#set.push('DeviceDetail', {
      NodeID: this.#nodeId,
      UniqueID: randomUUID(),
      IsConcentrator: false,
      Acronym: acronym,
      Name: name,
      AccessID: 0,
      ProtocolName: 'STTP',
      FramesPerSecond: 1,
      Longitude: 0,
      Latitude: 0,
      Enabled: true,
      UpdatedOn: now(),
    })
    return acronym
  }

  /** Defines a measurement, or finds it by its point tag; gives the signal's id. */
  measurement(device: string, tag: string, description: string, signalType: string, sourceIndex?: number): string {
    const deviceAcronym = validAcronym(device)
    const pointTag = validAcronym(tag)
    const known = this.#signalIds.get(pointTag)
    if (known !== undefined) return known
    const signalId = randomUUID()
    const number = (this.#numbers.get(deviceAcronym) ?? 0) + 1
    const type = validAcronym(signalType)
    const reference = REFERENCES[type]
    const isPhasor = reference === 'PA' || reference === 'PM'
    this.#signalIds.set(pointTag, signalId)
    this.#numbers.set(deviceAcronym, number)
    this.#set.push('MeasurementDetail', {
      DeviceAcronym: deviceAcronym,
      ID: `${deviceAcronym}:${number}`,
      SignalID: signalId,
      PointTag: pointTag,
      SignalReference: `${deviceAcronym}-${reference === undefined ? type : `${reference}${sourceIndex ?? ''}`}`,
      SignalAcronym: type,
      PhasorSourceIndex: isPhasor && sourceIndex !== undefined ? sourceIndex : null,
      Description: description,
      Internal: true,
      Enabled: true,
      UpdatedOn: now(),
    })
    return signalId
  }

  /** Defines a phasor, or finds it by its device and number; gives its id. */
  phasor(device: string, label: string, type: string, phase: string, sourceIndex: number, destination = 0): number {
    const deviceAcronym = validAcronym(device)
    const key = `${deviceAcronym} ${sourceIndex}`
    const known = this.#phasors.get(key)
    if (known !== undefined) return known
    const id = Math.max(0, ...this.#phasors.values()) + 1
    this.#phasors.set(key, id)
    this.#set.push('PhasorDetail', {
      ID: id,
      DeviceAcronym: deviceAcronym,
      Label: label,
      Type: type,
      Phase: phase,
      DestinationPhasorID: destination,
      SourceIndex: sourceIndex,
      UpdatedOn: now(),
    })
    return id
  }

  /** The id of a signal by its point tag. */
  signalId(pointTag: string): string | undefined {
    return this.#signalIds.get(pointTag)
  }
}

/** A text as acronyms and point tags have to be: capitals, digits and `-!_.@#$`. */
export function validAcronym(text: string): string {
  return text.toUpperCase().replace(/[^A-Z0-9\-!_.@#$]/g, '')
}

function now(): string {
  return new Date().toISOString()
}
