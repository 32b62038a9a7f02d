import type { DuckDBConnection } from '@duckdb/node-api'
import { nsToSeconds } from '../../batch/index.js'
import { sisockError } from '../error-codes.js'
import type { Span, TableField } from './table-node.js'
import { inSeconds } from './text-table.js'

/** A column that is no time. */
interface Column {
  readonly name: string
  readonly info: TableField
}

const NUMBER = /^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|REAL|DOUBLE|DECIMAL\(.*\))$/
const TIME = /^(TIMESTAMP|DATE)/

/**
 * Parquet files of any shape, read by DuckDB: the time is the first column of a type for that, or a number named `time`,
 * `timestamp`, `ts` or `t` (seconds since 1970, or ms, us or ns where it is too large for that).
 */
export class ParquetTable {
  readonly columns: readonly Column[]
  readonly span: Span | undefined
  /** Seconds between rows, on average. */
  readonly interval: number | null
  readonly #connection: DuckDBConnection
  readonly #from: string
  readonly #time: Column & { readonly isNumber: boolean }

  private constructor(
    connection: DuckDBConnection,
    from: string,
    columns: readonly Column[],
    time: Column & { readonly isNumber: boolean },
    extent: { span: Span | undefined; rows: number },
  ) {
    this.#connection = connection
    this.#from = from
    this.#time = time
    this.columns = columns
    this.span = extent.span
    this.interval =
      extent.span === undefined || extent.rows < 2 ? null : (extent.span.to - extent.span.from) / (extent.rows - 1)
  }

  /** Opens files that have the same columns. */
  static async open(paths: readonly string[]): Promise<ParquetTable> {
    const connection = await connect()
    const list = paths.map((path) => `'${path.replaceAll("'", "''")}'`).join(', ')
    const from = `read_parquet([${list}], union_by_name = true)`
    const described = await rowsOf(connection, `DESCRIBE SELECT * FROM ${from}`).catch((cause: Error) => {
      throw sisockError('ERR_SISOCK_FILE', `${paths.join(', ')}: ${cause.message}`, { cause })
    })
    const all = described.map(([name, type]) => ({ name: String(name), type: String(type) }))
    const time =
      all.find(({ type }) => TIME.test(type)) ??
      all.find(({ name, type }) => NUMBER.test(type) && /^(time|timestamp|ts|t)$/i.test(name))
    if (time === undefined) throw sisockError('ERR_SISOCK_FILE', `${paths.join(', ')}: no column is a time`)
    const columns = all.filter((column) => column !== time).map(({ name, type }) => ({ name, info: infoOf(type) }))
    const known = { name: time.name, info: infoOf(time.type), isNumber: NUMBER.test(time.type) }
    const expression = timeExpression(known)
    const [[first, last, rows] = []] = await rowsOf(
      connection,
      `SELECT min(${expression}), max(${expression}), count(${quoted(time.name)}) FROM ${from}`,
    )
    const span =
      first === null || first === undefined ? undefined : { from: secondsOfCell(first), to: secondsOfCell(last) }
    return new ParquetTable(connection, from, columns, known, { span, rows: Number(rows ?? 0) })
  }

  /** The rows of some columns in `[from, to)`, in order of time. */
  async read(columns: readonly string[], { from, to }: { from: number; to: number }) {
    const wanted = this.columns.filter(({ name }) => columns.includes(name))
    const time = timeExpression(this.#time)
    const seconds = this.#time.isNumber ? time : `${time} / 1e9`
    const names = wanted.map(({ name, info }) => {
      const type = { number: 'DOUBLE', bool: 'BOOLEAN', string: 'VARCHAR' }[info.type]
      return `, CAST(${quoted(name)} AS ${type})`
    })
    const bounds = [from, to].map((bound) => (Number.isFinite(bound) ? bound : bound < 0 ? -1e10 : 1e10))
    // A number may count ms: its size is looked at below, so the rough bounds are those of the whole span.
    const where = this.#time.isNumber
      ? `${time} IS NOT NULL`
      : `${seconds} BETWEEN ${bounds[0]} - 1 AND ${bounds[1]} + 1`
    const reader = await this.#connection.runAndReadAll(
      `SELECT ${time} AS "time"${names.join('')} FROM ${this.#from} WHERE ${where} ORDER BY 1`,
    )
    const [cells = [], ...rest] = reader.getColumns()
    const all = Float64Array.from(cells as unknown[], secondsOfCell)
    let [first, last] = [0, all.length]
    while (first < last && (all[first] as number) < from) first++
    while (last > first && (all[last - 1] as number) >= to) last--
    const values = Object.fromEntries(
      wanted.map(({ name, info }, index) => {
        const column = (rest[index] ?? []).slice(first, last)
        return [
          name,
          info.type === 'number'
            ? Float64Array.from(column, (cell) => (cell === null ? Number.NaN : Number(cell)))
            : column,
        ]
      }),
    )
    return { t: all.slice(first, last), values }
  }
}

let connecting: Promise<DuckDBConnection> | undefined

function connect(): Promise<DuckDBConnection> {
  connecting ??= import('@duckdb/node-api').then(
    async ({ DuckDBInstance }) => (await DuckDBInstance.create(':memory:')).connect(),
    (cause: unknown) => {
      connecting = undefined
      throw sisockError('ERR_SISOCK_DUCKDB_MISSING', 'Parquet tables need npm install @duckdb/node-api', { cause })
    },
  )
  return connecting
}

async function rowsOf(connection: DuckDBConnection, sql: string): Promise<unknown[][]> {
  return (await connection.runAndReadAll(sql)).getRows()
}

function infoOf(type: string): TableField {
  const kind = NUMBER.test(type) ? 'number' : type === 'BOOLEAN' ? 'bool' : 'string'
  return { description: null, type: kind, units: null }
}

/** A number as it is, everything else as ns. */
function timeExpression({ name, isNumber }: { name: string; isNumber: boolean }): string {
  return isNumber ? `CAST(${quoted(name)} AS DOUBLE)` : `epoch_ns(${quoted(name)})`
}

function secondsOfCell(cell: unknown): number {
  return typeof cell === 'bigint' ? nsToSeconds(cell) : inSeconds(Number(cell))
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
