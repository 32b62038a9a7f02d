import type { NewSignal } from '../batch/index.js'
import { type DataRecord, DataSet } from './data-set.js'
import { guidBytes } from './measurement.js'

/** Units by the kind of a signal, as publishers derive them. */
const UNITS: Readonly<Record<string, string>> = { IPHM: 'Amps', VPHM: 'Volts', FREQ: 'Hz' }

/** Rows that become objects together where they are asked for one behind the other. */
const PAGE = 256

/** What metadata say of each signal; a row becomes an object when it is asked for, not before. */
export class SignalDetails {
  readonly #set: DataSet
  readonly #source: string
  #rates: ReadonlyMap<unknown, unknown> | undefined
  #phasors: ReadonlyMap<string, DataRecord> | undefined
  /** The row with which `#page` begins. */
  #first = 0
  #page: readonly DataRecord[] = []

  /** @param source what the signals are said to be of */
  constructor(set: DataSet | undefined, source: string) {
    this.#set = set ?? DataSet.metadata()
    this.#source = source
  }

  /** The rows in the metadata of signals by their ids, 16 bytes each; {@link NO_DETAILS} where there is none. */
  rowsOf(ids: Uint8Array): Uint32Array {
    return this.#set.measurementRows(ids)
  }

  /** What a row of the metadata says of its signal. */
  at(row: number): NewSignal {
    const record = this.#recordAt(row)
    const kind = text(record['signalAcronym'])
    const rate = this.#rateOf(record['deviceAcronym'])
    const phasor = this.#phasorOf(`${record['deviceAcronym']}/${record['phasorSourceIndex']}`)
    const [key, device] = [text(record['id']), text(record['deviceAcronym'])]
    const [reference, description] = [text(record['signalReference']), text(record['description'])]
    const { multiplier, adder } = record
    return {
      nativeId: guidBytes(text(record['signalId'])) as Uint8Array,
      source: this.#source,
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
    }
  }

  #recordAt(row: number): DataRecord {
    const known = this.#page[row - this.#first]
    if (known !== undefined) return known
    const rows = this.#set.table('MeasurementDetail')?.rows ?? 0
    const isNext = row === this.#first + this.#page.length
    const wanted = isNext ? Math.min(PAGE, rows - row) : 1
    this.#page = this.#set.records(
      'MeasurementDetail',
      Uint32Array.from({ length: wanted }, (_, at) => row + at),
    )
    this.#first = row
    return this.#page[0] as DataRecord
  }

  #rateOf(device: unknown): unknown {
    this.#rates ??= new Map(
      this.#all('DeviceDetail').map(({ acronym, framesPerSecond }) => [acronym, framesPerSecond] as const),
    )
    return this.#rates.get(device ?? null)
  }

  #phasorOf(key: string): DataRecord | undefined {
    this.#phasors ??= new Map(
      this.#all('PhasorDetail').map((phasor) => [`${phasor['deviceAcronym']}/${phasor['sourceIndex']}`, phasor]),
    )
    return this.#phasors.get(key)
  }

  #all(table: string): DataRecord[] {
    return this.#set.table(table) === undefined ? [] : this.#set.records(table)
  }
}

/** The row of a signal of which the metadata say nothing. */
export const NO_DETAILS = 0xffff_ffff

function text(value: unknown): string {
  return value === null || value === undefined ? '' : String(value)
}
