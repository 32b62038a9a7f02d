import type { NewSignal } from '../batch/index.js'
import type { DataRecord, DataSet } from './data-set.js'
import { guidBytes } from './measurement.js'

/** Units by the kind of a signal, as publishers derive them. */
const UNITS: Readonly<Record<string, string>> = { IPHM: 'Amps', VPHM: 'Volts', FREQ: 'Hz' }

/** What metadata says of each signal, by the text of its GUID in lower case. */
export type SignalDetails = ReadonlyMap<string, NewSignal>

/** Reads the measurements of a data set as signals of a session. */
export function signalDetails(set: DataSet, source: string): SignalDetails {
  const rates = new Map<unknown, unknown>()
  for (const { acronym, framesPerSecond } of records(set, 'DeviceDetail')) rates.set(acronym, framesPerSecond)
  const phasors = new Map<string, DataRecord>()
  for (const phasor of records(set, 'PhasorDetail')) {
    phasors.set(`${phasor['deviceAcronym']}/${phasor['sourceIndex']}`, phasor)
  }
  const details = new Map<string, NewSignal>()
  for (const record of records(set, 'MeasurementDetail')) {
    const id = text(record['signalId']).toLowerCase()
    const nativeId = guidBytes(id)
    if (nativeId === undefined) continue
    const kind = text(record['signalAcronym'])
    const rate = rates.get(record['deviceAcronym'] ?? null)
    const phasor = phasors.get(`${record['deviceAcronym']}/${record['phasorSourceIndex']}`)
    const [key, device] = [text(record['id']), text(record['deviceAcronym'])]
    const [reference, description] = [text(record['signalReference']), text(record['description'])]
    const { multiplier, adder } = record
    // Written out, so that all have one shape: of 100,000 that are spread, each costs hundreds of bytes more.
    details.set(id, {
      nativeId,
      source,
      name: text(record['pointTag']),
      kind,
      type: 'f32',
      unit: UNITS[kind] ?? (kind.endsWith('PHA') ? 'Degrees' : ''),
      rateHz: typeof rate === 'number' ? rate : null,
      timeline: 'utc',
      // Only some publishers' metadata have them.
      scale: typeof multiplier === 'number' ? multiplier : 1,
      offset: typeof adder === 'number' ? adder : 0,
      meta:
        phasor === undefined
          ? { key, device, reference, description }
          : { key, device, reference, description, phasor: text(phasor['label']), phase: text(phasor['phase']) },
    })
  }
  return details
}

/** Rows that are objects at once: of metadata with 100,000 measurements the garbage would be hundreds of megabytes. */
const CHUNK = 4096

function* records(set: DataSet, table: string): Generator<DataRecord, undefined> {
  const rows = set.table(table)?.rows ?? 0
  for (let first = 0; first < rows; first += CHUNK) {
    const wanted = Uint32Array.from({ length: Math.min(CHUNK, rows - first) }, (_, row) => first + row)
    yield* set.records(table, wanted)
  }
  return undefined
}

function text(value: unknown): string {
  return value === null || value === undefined ? '' : String(value)
}
