import { asSttpError, SttpDataSet } from './codec.js'
import { sttpError } from './error-codes.js'

/** Operators as all implementations bind them (`2 + 3 * 4` is 20), or as elsewhere (14). */
export type Precedence = 'compat' | 'standard'

/** A column's name and the name of its type. */
export interface DataColumn {
  readonly name: string
  readonly kind: string
  /** What its values are computed by, from others of their row. */
  readonly expression?: string
}

/** A table's name, its number of rows and its columns. */
export interface DataTable {
  readonly name: string
  readonly rows: number
  readonly columns: readonly DataColumn[]
}

/** A value of a cell: text also for GUIDs, times (ISO 8601, 100 ns) and decimals; 64-bit integers are bigint. */
export type CellValue = string | number | boolean | bigint | null

/** A row as an object: the columns' names in camelCase (`SignalID` is `signalId`). */
export type DataRecord = Readonly<Record<string, CellValue>>

/** A row of MeasurementDetail. */
export interface MeasurementRecord {
  readonly deviceAcronym: string | null
  /** Measurement key, `SOURCE:number`. */
  readonly id: string | null
  /** GUID. */
  readonly signalId: string
  readonly pointTag: string | null
  readonly signalReference: string | null
  /** Type of the signal: FREQ, VPHM, VPHA, STAT, ... */
  readonly signalAcronym: string | null
  readonly phasorSourceIndex: number | null
  readonly description: string | null
  readonly internal: boolean | null
  readonly enabled: boolean | null
  /** ISO 8601. */
  readonly updatedOn: string | null
}

/** A row of DeviceDetail. */
export interface DeviceRecord {
  /** GUIDs. */
  readonly nodeId: string | null
  readonly uniqueId: string | null
  readonly originalSource: string | null
  readonly isConcentrator: boolean | null
  readonly acronym: string | null
  readonly name: string | null
  readonly accessId: number | null
  readonly parentAcronym: string | null
  readonly protocolName: string | null
  readonly framesPerSecond: number | null
  readonly companyAcronym: string | null
  readonly vendorAcronym: string | null
  readonly vendorDeviceName: string | null
  /** Degrees, decimal. */
  readonly longitude: string | null
  readonly latitude: string | null
  readonly interconnectionName: string | null
  readonly contactList: string | null
  readonly enabled: boolean | null
  /** ISO 8601. */
  readonly updatedOn: string | null
}

/** A row of PhasorDetail. */
export interface PhasorRecord {
  readonly id: number | null
  readonly deviceAcronym: string | null
  readonly label: string | null
  /** `V` or `I`. */
  readonly type: string | null
  readonly phase: string | null
  readonly destinationPhasorId: number | null
  readonly sourceIndex: number | null
  /** ISO 8601. */
  readonly updatedOn: string | null
}

/** Bytes of XML, uncompressed, that are read unless told. */
const LIMIT_BYTES = 1 << 30

/**
 * Metadata: tables of typed columns, as XML with an inline schema on the wire.
 *
 * ```ts
 * const [dataset, error] = DataSet.fromXml(await readFile('Metadata.xml'))
 * if (dataset === null) throw error
 * for (const { signalId, pointTag } of dataset.records('MeasurementDetail')) console.log(signalId, pointTag)
 * ```
 */
export class DataSet {
  readonly #native: SttpDataSet
  #tables: DataTable[] | undefined

  private constructor(native: SttpDataSet) {
    this.#native = native
  }

  /** Reads XML, plain or as gzip; gives the data set and null, or null and a `MalformedError` or `LimitError`. */
  static fromXml(xml: string | Uint8Array, limitBytes = LIMIT_BYTES): [DataSet, null] | [null, Error] {
    try {
      return [new DataSet(SttpDataSet.fromXml(typeof xml === 'string' ? Buffer.from(xml) : xml, limitBytes)), null]
    } catch (error) {
      return [null, asSttpError(error)]
    }
  }

  /** The same in another thread, for metadata of many megabytes; rejects where `fromXml` gives an error. */
  static async read(xml: Uint8Array, limitBytes = LIMIT_BYTES): Promise<DataSet> {
    try {
      return new DataSet(await SttpDataSet.read(xml, limitBytes))
    } catch (error) {
      throw asSttpError(error)
    }
  }

  /** The standard tables (DeviceDetail, MeasurementDetail, PhasorDetail, SchemaVersion) without rows. */
  static metadata(): DataSet {
    return new DataSet(SttpDataSet.metadata())
  }

  /** The tables in their order. */
  get tables(): readonly DataTable[] {
    this.#tables ??= this.#native.tables()
    return this.#tables
  }

  /** The table of this name, whatever its case. */
  table(name: string): DataTable | undefined {
    return this.tables.find((table) => table.name.toLowerCase() === name.toLowerCase())
  }

  /** Its XML in UTF-8, without some tables. */
  toXml({ without = [] }: { readonly without?: readonly string[] } = {}): Buffer {
    return call(() => this.#native.toXml([...without]))
  }

  /** Bytes of the XML that it was read from, uncompressed; 0 where it was not read. */
  get xmlBytes(): number {
    return this.#native.xmlBytes
  }

  /** Whether a time in that XML has a point and no digits behind it, as sttpapi writes it. */
  get hasBarePoint(): boolean {
    return this.#native.hasBarePoint
  }

  /** The rows of MeasurementDetail of signals by their ids, 16 bytes each; 0xffffffff where there is none. */
  measurementRows(ids: Uint8Array): Uint32Array {
    return call(() => this.#native.measurementRows(ids))
  }

  /** Rows of a table as objects: those given, or all. Those of the standard tables have types of their own. */
  records(table: 'MeasurementDetail', rows?: Uint32Array): (DataRecord & MeasurementRecord)[]
  records(table: 'DeviceDetail', rows?: Uint32Array): (DataRecord & DeviceRecord)[]
  records(table: 'PhasorDetail', rows?: Uint32Array): (DataRecord & PhasorRecord)[]
  records(table: string, rows?: Uint32Array): DataRecord[]
  records(table: string, rows?: Uint32Array): DataRecord[] {
    const definition = this.table(table)
    if (definition === undefined) throw sttpError('ERR_STTP_DATA_SET_TABLE', `there is no table "${table}"`)
    const names = definition.columns.map((column) => camelCase(column.name))
    const wanted = rows ?? Uint32Array.from({ length: definition.rows }, (_, row) => row)
    const values = call(() => this.#native.rows(table, wanted))
    // Key by key in one order, so that all rows have one shape: `Object.fromEntries` costs several times as much.
    return values.map((cells) => {
      const record: Record<string, CellValue> = {}
      for (let column = 0; column < names.length; column++) record[names[column] as string] = cells[column] ?? null
      return record
    })
  }

  /** Appends a row, by column name; values as text are read as XML would have them. */
  push(table: string, row: Readonly<Record<string, CellValue>>): void {
    const definition = this.table(table)
    if (definition === undefined) throw sttpError('ERR_STTP_DATA_SET_TABLE', `there is no table "${table}"`)
    const unknown = Object.keys(row).find((name) => !definition.columns.some((column) => column.name === name))
    if (unknown !== undefined) {
      throw sttpError('ERR_STTP_DATA_SET_COLUMN', `${definition.name} has no column "${unknown}"`)
    }
    const cells = definition.columns.map(({ name }) => {
      const value = row[name] ?? null
      return value === null ? null : String(value)
    })
    // Counted here: asking the addon for all tables after each row would cost more than the row.
    ;(definition as { rows: number }).rows++
    if (!call(() => this.#native.pushRow(table, cells as string[]))) {
      throw sttpError('ERR_STTP_DATA_SET_CELL', `a value is not of its column's type in ${JSON.stringify(row)}`)
    }
  }

  /** Derives the table ActiveMeasurements, which subscriptions filter, from measurements, devices and phasors. */
  deriveActiveMeasurements(): void {
    this.#tables = undefined
    call(() => this.#native.deriveActiveMeasurements())
  }

  /** Of each table that the filters name only the rows that they select; what a metadata refresh with filters gets. */
  filtered(filters: string, precedence: Precedence = 'compat'): DataSet {
    return call(() => new DataSet(this.#native.filtered(filters, precedence === 'standard')))
  }

  /** The rows of one table that a filter selects. */
  select(filter: string, primaryTable: string, precedence: Precedence = 'compat'): Uint32Array {
    const place = this.tables.findIndex((table) => table.name.toLowerCase() === primaryTable.toLowerCase())
    const { tables, rows } = call(() => this.#native.select(filter, primaryTable, precedence === 'standard'))
    return rows.filter((_, index) => tables[index] === place)
  }

  /** The ids of the signals that a filter selects, 16 bytes each, in its order. */
  signalIds(filter: string, primaryTable = 'ActiveMeasurements', precedence: Precedence = 'compat'): Uint8Array[] {
    const bytes = call(() => this.#native.signalIds(filter, primaryTable, precedence === 'standard'))
    return Array.from({ length: bytes.length / 16 }, (_, index) => bytes.subarray(index * 16, index * 16 + 16))
  }

  /** The value of an expression, for a row of a table or for none: its type's name, and its text or null. */
  evaluate(
    expression: string,
    place?: { readonly table: string; readonly row: number },
    precedence: Precedence = 'compat',
  ): { readonly kind: string; readonly text: string | null } {
    const value = call(() =>
      this.#native.evaluate(expression, place?.table ?? null, place?.row ?? 0, precedence === 'standard'),
    )
    return { kind: value.kind, text: value.text ?? null }
  }
}

function call<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw asSttpError(error)
  }
}

/** `SignalID` is `signalId`, `ID` is `id`, `FramesPerSecond` is `framesPerSecond`. */
function camelCase(name: string): string {
  const title = name.replace(/ID$/, 'Id')
  return (title[0] ?? '').toLowerCase() + title.slice(1)
}
