import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, extname, join, resolve } from 'node:path'
import { after } from '../data.js'
import { sisockError } from '../error-codes.js'
import { ParquetTable } from './parquet-table.js'
import { nodeName } from './source-node.js'
import {
  rowsBetween,
  type Span,
  type Table,
  TableNode,
  type TableNodeConfig,
  type TableSamples,
  type TableWindow,
} from './table-node.js'
import { joinTables, readTextTable, type TextTable } from './text-table.js'

/** What a node of a folder can be told. */
export interface FolderNodeConfig extends TableNodeConfig {
  /** The largest text file that is read, bytes; 256 MiB unless told. */
  readonly maxFileBytes?: number
}

interface File {
  readonly path: string
  readonly modified: number
  readonly size: number
}

interface Loaded extends File {
  readonly text: TextTable
}

/** A table and how it is read. */
interface Series extends Table {
  samples(fields: readonly string[], window: TableWindow): TableSamples | Promise<TableSamples>
}

const TEXT = new Set(['.csv', '.tsv', '.dat', '.txt'])

/**
 * A folder of tables as a data node: text (`.csv`, `.tsv`, `.dat`, `.txt`; see `readTextTable`) and Parquet of any shape
 * with a column of times (by the optional package `@duckdb/node-api`).
 *
 * ```ts
 * const node = new FolderNode('/data/weather', { node: 'weather', url: 'ws://127.0.0.1:8080/ws' })
 * await node.connect()
 * ```
 *
 * Files that differ in the number or date at the end of their names alone (`roof-2024-01-01.csv`) are one table. A column
 * is the field `TABLE.COLUMN`; where a file has no names of columns, and one value, `TABLE`. Files that change are read
 * again. Lines that are no rows are records of the ledger.
 */
export class FolderNode extends TableNode {
  readonly #folder: string
  readonly #maxFileBytes: number
  readonly #texts = new Map<string, Loaded>()
  #series: readonly Series[] = []
  #stamp = ''

  constructor(folder: string, config: FolderNodeConfig = {}) {
    const name = basename(resolve(folder))
    super({ node: nodeName(name), description: `tables in ${name}`, ...config })
    this.#folder = folder
    this.#maxFileBytes = config.maxFileBytes ?? 256 << 20
  }

  protected async tables(): Promise<readonly Table[]> {
    const files = await this.#files()
    const stamp = JSON.stringify(files)
    if (stamp !== this.#stamp) {
      this.#series = await this.#load(files)
      this.#stamp = stamp
    }
    return this.#series
  }

  protected read(table: Table, fields: readonly string[], window: TableWindow): TableSamples | Promise<TableSamples> {
    return (table as Series).samples(fields, window)
  }

  async #files(): Promise<File[]> {
    const names = await readdir(this.#folder).catch((cause: Error) => {
      throw sisockError('ERR_SISOCK_FILE', `${this.#folder}: ${cause.message}`, { cause })
    })
    const known = names.filter((name) => TEXT.has(extname(name)) || extname(name) === '.parquet').sort()
    return Promise.all(
      known.map(async (name) => {
        const path = join(this.#folder, name)
        const { mtimeMs, size } = await stat(path)
        return { path, modified: mtimeMs, size }
      }),
    )
  }

  async #load(files: readonly File[]): Promise<Series[]> {
    const texts = new Map<string, Loaded[]>()
    const parquets = new Map<string, string[]>()
    for (const file of files) {
      const name = seriesName(file.path)
      if (extname(file.path) === '.parquet') parquets.set(name, [...(parquets.get(name) ?? []), file.path])
      else {
        const loaded = await this.#text(file)
        const others = texts.get(name) ?? []
        const isAlike = others.every(({ text }) => shapeOf(text) === shapeOf(loaded.text))
        const key = isAlike ? name : basename(file.path, extname(file.path))
        texts.set(key, [...(isAlike ? others : []), loaded])
      }
    }
    const series = textSeries(Array.from(texts, ([name, parts]) => [name, joinTables(parts.map(({ text }) => text))]))
    for (const [name, paths] of parquets) series.push(await parquetSeries(name, paths))
    return series
  }

  async #text(file: File): Promise<Loaded> {
    const { path, modified, size } = file
    const known = this.#texts.get(path)
    if (known?.modified === modified && known.size === size) return known
    if (size > this.#maxFileBytes) {
      throw sisockError('ERR_SISOCK_FILE', `${path} has ${size} bytes: more than maxFileBytes, ${this.#maxFileBytes}`)
    }
    const text = readTextTable(await readFile(path, 'utf8'))
    const isNews = text.malformed - (known?.text.malformed ?? 0)
    if (isNews > 0) {
      this.ledger.add({ cause: 'decoder', count: isNews })
      this.status.emit('file-malformed', { path, lines: text.malformed, line: text.malformedLine })
    }
    const loaded = { ...file, text }
    this.#texts.set(path, loaded)
    return loaded
  }
}

/** The stem without the number or date at its end. */
function seriesName(path: string): string {
  const stem = basename(path, extname(path))
  return stem.replace(/[-_. ]*\d[\d\-_.:T]*Z?$/, '') || stem
}

function shapeOf({ columns, timeline }: TextTable): string {
  return JSON.stringify([timeline, columns.map(({ name }) => name)])
}

/** Tables of text; those that name the same timeline, and have the same times, share it. */
function textSeries(texts: readonly (readonly [name: string, text: TextTable])[]): Series[] {
  const series: Series[] = []
  const shared = new Map<string, { t: Float64Array; members: [name: string, text: TextTable][] }>()
  for (const [name, text] of texts) {
    const timeline = text.timeline ?? name
    const others = shared.get(timeline)
    if (others !== undefined && sameTimes(others.t, text.t)) others.members.push([name, text])
    else shared.set(others === undefined ? timeline : name, { t: text.t, members: [[name, text]] })
  }
  for (const [timeline, { t, members }] of shared) {
    const columns = members.flatMap(([name, text]) =>
      text.columns.map((column, index) => {
        const own = column.name || (text.columns.length > 1 ? String(index + 1) : '')
        return { ...column, field: own === '' ? name : `${name}.${own}` }
      }),
    )
    const span: Span | undefined = t.length === 0 ? undefined : { from: t[0] as number, to: t.at(-1) as number }
    series.push({
      name: timeline,
      interval: t.length < 2 || span === undefined ? null : (span.to - span.from) / (t.length - 1),
      fields: Object.fromEntries(columns.map(({ field, info }) => [field, info])),
      span,
      samples(fields, window) {
        const [first, last] = rowsBetween(t, window)
        const values = Object.fromEntries(
          columns.flatMap((column) =>
            fields.includes(column.field) ? [[column.field, column.values.slice(first, last)]] : [],
          ),
        )
        // A line that is written later is behind the last one.
        return { t: t.slice(first, last), values, finalizedUntil: span === undefined ? null : after(span.to) }
      },
    })
  }
  return series
}

function sameTimes(left: Float64Array, right: Float64Array): boolean {
  return left.length === right.length && left.every((time, row) => time === right[row])
}

async function parquetSeries(name: string, paths: readonly string[]): Promise<Series> {
  const table = await ParquetTable.open(paths)
  const { interval, span } = table
  const fields = Object.fromEntries(table.columns.map(({ name: column, info }) => [`${name}.${column}`, info]))
  return {
    name,
    interval,
    span,
    fields,
    async samples(wanted, window) {
      const { t, values } = await table.read(
        wanted.map((field) => field.slice(name.length + 1)),
        window,
      )
      const named = Object.entries(values).map(([column, cells]) => [`${name}.${column}`, cells] as const)
      return { t, values: Object.fromEntries(named), finalizedUntil: null }
    },
  }
}
