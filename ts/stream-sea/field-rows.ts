import { type Batch, cellOf, type SignalTable, type TableBatch, TableBuilder } from '../batch/index.js'
import { streamSeaError } from './error-codes.js'
import type { SchemaDefinition, SchemaField } from './schema.js'

/** Of a number this long not every digit fits a double. */
const LONG = 16
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g
const NS_PER_MS = 1_000_000n

/** A scalar field of a schema, wherever it is nested. */
interface ScalarField {
  readonly path: readonly string[]
  readonly type: 'string' | 'float' | 'integer' | 'date' | 'enum'
  readonly signal: number
}

/**
 * The scalar fields of messages as measurements: a row for each that is there and not null, behind the row of the
 * message in the event table. Numbers are values; strings, dates and integers beyond 2^53 are text. The time is that of a
 * chosen field, else when the message was stored, where the server says so, else when it came.
 */
export class FieldRows {
  readonly #fields: readonly ScalarField[]
  readonly #time: readonly string[] | undefined

  /** @param timeField path of the field, of type `date` or an integer of ns, that says the time of a message */
  constructor(stream: string, schema: SchemaDefinition, signals: SignalTable, timeField?: string) {
    this.#fields = scalars(schema.fields).map(({ path, type }) => {
      const name = path.join('.')
      const nativeId = Buffer.from(`${stream}/${name}`)
      return { path, type, signal: signals.add({ nativeId, name, type, source: stream }) }
    })
    this.#time = timeField?.split('.')
    if (timeField === undefined || this.#fields.some(({ path }) => path.join('.') === timeField)) return
    throw streamSeaError('ERR_STREAMSEA_OPTION_INVALID', `the schema of ${stream} has no scalar field ${timeField}`)
  }

  /** The measurements in a batch of the event table; undefined where there are none. */
  of(batch: Batch): TableBatch | undefined {
    const builder = new TableBuilder('measurement')
    const cells = new Map(batch.columns().map((column) => [column.field.name, cellOf(column)]))
    const cell = (name: string, row: number): unknown => cells.get(name)?.(row)
    for (let row = 0; row < batch.length; row++) {
      const message = exact(String(cell('payload', row)))
      const rx = cell('rx', row) as bigint
      const seq = cell('offset', row) as bigint | null | undefined
      const time = this.#timeOf(message) ?? (cell('time', row) as bigint | null | undefined) ?? rx
      for (const { path, type, signal } of this.#fields) {
        const found = follow(message, path)
        if (found === undefined || found === null) continue
        builder.push({ time, signal, flags: 0, rx, ...(seq == null ? {} : { seq }), ...cellsOf(found, type) })
      }
    }
    return builder.length === 0 ? undefined : builder.finish()
  }

  #timeOf(message: unknown): bigint | undefined {
    const found = this.#time === undefined ? undefined : follow(message, this.#time)
    if (typeof found === 'number' && Number.isInteger(found)) return BigInt(found)
    if (typeof found !== 'string') return undefined
    if (/^-?\d{1,19}$/.test(found)) return BigInt(found)
    return dateTime(found)
  }
}

/** The scalar fields of a schema; those of objects by their path. What is in arrays is in the payload only. */
function scalars(fields: readonly SchemaField[], parent: readonly string[] = []): Pick<ScalarField, 'path' | 'type'>[] {
  return fields.flatMap(({ name, type, fields: inner = [] }): Pick<ScalarField, 'path' | 'type'>[] => {
    const path = [...parent, name]
    if (type === 'object') return scalars(inner, path)
    return type.startsWith('array<') ? [] : [{ path, type: type as ScalarField['type'] }]
  })
}

/** A message; integers that a double cannot hold are their digits as text. */
function exact(payload: string): unknown {
  const isLong = /\d{16}/.test(payload)
  const safe = (token: string): string => {
    if (token.startsWith('"') || token.length < LONG || /[.eE]/.test(token)) return token
    return Number.isSafeInteger(Number(token)) ? token : `"${token}"`
  }
  return JSON.parse(isLong ? payload.replace(TOKEN, safe) : payload)
}

function cellsOf(found: unknown, type: ScalarField['type']): { value: number | null; text?: string } {
  if (typeof found === 'number') return { value: found }
  const text = String(found)
  return type === 'integer' || type === 'float' ? { value: Number(text), text } : { value: null, text }
}

/** ns of `YYYY-MM-DDTHH:mm:ss[.fraction]Z`; digits behind the ninth of a second are cut. */
function dateTime(text: string): bigint | undefined {
  const [, seconds, fraction = ''] = /^(.+?)(?:\.(\d+))?Z$/.exec(text) ?? []
  const ms = Date.parse(`${seconds}Z`)
  if (Number.isNaN(ms)) return undefined
  return BigInt(ms) * NS_PER_MS + BigInt(fraction.slice(0, 9).padEnd(9, '0'))
}

function follow(message: unknown, path: readonly string[]): unknown {
  let place = message
  for (const step of path) {
    if (typeof place !== 'object' || place === null || !Object.hasOwn(place, step)) return undefined
    place = (place as Record<string, unknown>)[step]
  }
  return place
}
