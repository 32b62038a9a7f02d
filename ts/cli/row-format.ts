import { type Batch, nativeIdText, type Row, rowsOf, type Signal } from '../batch/index.js'
import { decodeMap, Timestamp, timestampNs } from '../cdtp/value.js'
import type { Source } from '../session/index.js'
import { formatTime, jsonNumber } from './values.js'

/** How rows are printed. */
export interface RowFormat {
  /** Whether it has a form for measurements only: of a message its fields are printed. */
  readonly ofMeasurements?: boolean
  /** A line above the first row of a table. */
  head?(batch: Batch): string
  /** The rows of a batch. */
  lines(batch: Batch, source: Source): Iterable<string>
}

interface Cells extends Row {
  readonly time?: bigint | null
  readonly value?: number | null
  readonly signal?: number
  readonly flags?: number
  readonly text?: string | null
}

/** The formats of `tail`. */
export const FORMATS: Readonly<Record<'text' | 'json' | 'csv' | 'influx', RowFormat>> = {
  text: {
    *lines(batch, source) {
      for (const row of rows(batch)) {
        if (batch.table !== 'measurement') {
          yield batch.table === 'record' ? recordText(row) : JSON.stringify(plain(row))
          continue
        }
        const signal = signalOf(row, source)
        const time = row.time === null || row.time === undefined ? 'no time'.padEnd(30) : formatTime(row.time)
        const name = signal === undefined ? `signal ${row.signal}` : signal.name || idOf(signal, source)
        yield `${time}  ${name}  ${valueText(row)}${row.flags === 0 ? '' : `  flags ${(row.flags ?? 0).toString(16)}`}`
      }
    },
  },
  json: {
    *lines(batch, source) {
      for (const row of rows(batch)) {
        const rest = batch.table === 'measurement' ? measurement(row, source) : plain(row)
        yield JSON.stringify({
          event: batch.table,
          ...(batch.table === 'measurement' ? { source: source.name } : {}),
          ...rest,
        })
      }
    },
  },
  csv: {
    head: (batch) =>
      (batch.table === 'measurement' ? MEASUREMENT_HEAD : batch.columns().map(({ field }) => quoted(field.name))).join(
        ',',
      ),
    *lines(batch, source) {
      for (const row of rows(batch)) {
        if (batch.table === 'measurement') {
          const signal = signalOf(row, source)
          const time = row.time === null || row.time === undefined ? '' : formatTime(row.time)
          const id = signal === undefined ? '' : idOf(signal, source)
          yield [time, row.signal, quoted(id), quoted(signal?.name ?? ''), quoted(valueText(row)), row.flags].join(',')
        } else {
          yield Object.values(plain(row)).map(csvCell).join(',')
        }
      }
    },
  },
  influx: {
    ofMeasurements: true,
    *lines(batch, source) {
      for (const row of rows(batch)) {
        if (batch.table !== 'measurement') {
          yield influxLine(
            batch.table,
            [['source', source.name]],
            [['row', JSON.stringify(JSON.stringify(plain(row)))]],
            row.time,
          )
          continue
        }
        const signal = signalOf(row, source)
        const id = signal === undefined ? String(row.signal) : idOf(signal, source)
        const tags: [string, string][] = [
          ['source', source.name],
          ['id', id],
          ...(signal?.name ? [['name', signal.name] as [string, string]] : []),
        ]
        // Line protocol has no NaN: such a row has its flags only.
        const { value } = row
        const number =
          typeof value === 'number' && Number.isFinite(value) ? [['value', String(value)] as [string, string]] : []
        const text = typeof row.text === 'string' ? [['text', JSON.stringify(row.text)] as [string, string]] : []
        yield influxLine('measurement', tags, [...number, ...text, ['flags', `${row.flags}u`]], row.time)
      }
    },
  },
}

const MEASUREMENT_HEAD = ['time', 'signal', 'id', 'name', 'value', 'flags']

/** A record for people: its tags in words, of its blocks the lengths. */
function recordText(row: Row): string {
  const { rx, run, sender, kind, seq, condition, tags, blocks } = row as unknown as RecordCells
  const what =
    kind === 0
      ? `${seq}`
      : `${kind === 1 ? 'BOR' : 'EOR'} ${seq}${kind === 2 && condition !== 0 ? ` condition ${condition}` : ''}`
  const words = tags.length === 0 ? '{}' : JSON.stringify(decodeMap(tags), (_, value: unknown) => plainValue(value))
  const sizes = blocks.map((block) => block.length)
  const payload = kind === 0 ? `  blocks [${sizes.join(', ')}]` : ''
  return `${formatTime(rx)}  ${run === '' ? '' : `${run}  `}${sender}  ${what}  ${words}${payload}`
}

function plainValue(value: unknown): unknown {
  return value instanceof Timestamp ? formatTime(timestampNs(value)) : plainCell(value)
}

interface RecordCells {
  readonly rx: bigint
  readonly run: string
  readonly sender: string
  readonly kind: number
  readonly seq: bigint
  readonly condition: number
  readonly tags: Uint8Array
  readonly blocks: readonly Uint8Array[]
}

/** A measurement as JSON lines have it. */
function measurement(row: Cells, source: Source): Record<string, unknown> {
  const { time, value } = row
  const signal = signalOf(row, source)
  return {
    signal: row.signal,
    id: signal === undefined ? null : idOf(signal, source),
    ...(signal?.name ? { name: signal.name } : {}),
    time: time === null || time === undefined ? null : String(time),
    value: value === null || value === undefined ? null : jsonNumber(value),
    flags: row.flags,
    ...(typeof row.text === 'string' ? { text: row.text } : {}),
  }
}

function rows(batch: Batch): Cells[] {
  return rowsOf({ rows: batch.length, columns: batch.columns() }) as Cells[]
}

function signalOf(row: Cells, source: Source): Signal | undefined {
  return source.signals.at(row.signal ?? -1)
}

function idOf(signal: Signal, source: Source): string {
  return nativeIdText(signal.nativeId, source.system)
}

function valueText(row: Cells): string {
  if (typeof row.text === 'string') return row.text
  return row.value === null || row.value === undefined ? '' : String(row.value)
}

/** Binary as lowercase hex, 64-bit integers as text. */
function plain(row: Row): Record<string, unknown> {
  return Object.fromEntries(Object.entries(row).map(([name, cell]) => [name, plainCell(cell)]))
}

function plainCell(cell: unknown): unknown {
  if (typeof cell === 'bigint') return String(cell)
  if (cell instanceof Uint8Array) return Buffer.from(cell).toString('hex')
  if (typeof cell === 'number') return jsonNumber(cell)
  return Array.isArray(cell) ? cell.map(plainCell) : cell
}

function csvCell(cell: unknown): string {
  if (cell === null || cell === undefined) return ''
  return quoted(Array.isArray(cell) ? cell.join(' ') : String(cell))
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

function influxLine(
  name: string,
  tags: readonly [string, string][],
  fields: readonly [string, string][],
  time: bigint | null | undefined,
): string {
  const tagText = tags.map(
    ([tag, value]) => `${tag}=${value.replaceAll(/[,= \\]/g, '\\$&').replaceAll(/[\r\n]/g, ' ')}`,
  )
  const fieldText = fields.map(([field, value]) => `${field}=${value}`).join(',')
  return `${[name, ...tagText].join(',')} ${fieldText}${time === null || time === undefined ? '' : ` ${time}`}`
}
