import type { TableField } from './table-node.js'

/** A text file as columns. */
export interface TextTable {
  /** The timeline that the file names, if it does. */
  readonly timeline: string | undefined
  readonly t: Float64Array
  readonly columns: readonly {
    /** Empty where the file has no name for it. */
    readonly name: string
    readonly info: TableField
    readonly values: Float64Array | readonly unknown[]
  }[]
  /** Lines that are no row. */
  readonly malformed: number
  /** The first of them, from 1. */
  readonly malformedLine: number | undefined
}

/**
 * Reads a text table: a time and values in every line, between them commas, semicolons, tabs or blanks. The first line may
 * name the columns, with units in brackets: `time,temperature [C]`. Lines that begin with `#` are remarks; four of them at
 * the top are those of sisock's own weather files: description, timeline, units, date.
 *
 * Times are seconds since 1970, or ms, us or ns where they are too large for that, or ISO 8601 (UTC unless it says
 * otherwise). A column is of numbers, of `true` and `false`, or of texts; empty cells and `nan` are gaps.
 */
export function readTextTable(text: string): TextTable {
  const remarks: string[] = []
  const rows: string[][] = []
  const times: number[] = []
  let names: string[] | undefined
  let delimiter: RegExp | undefined
  let [malformed, malformedLine] = [0, undefined as number | undefined]
  const lines = text.split(/\r?\n/)
  lines.forEach((line, index) => {
    const trimmed = line.trim()
    if (trimmed === '') return
    if (trimmed.startsWith('#')) {
      if (rows.length === 0) remarks.push(trimmed.replace(/^#\s*/, ''))
      return
    }
    delimiter ??= delimiterOf(trimmed)
    const cells = cellsOf(trimmed, delimiter)
    const time = timeOf(cells[0] as string)
    const isHeader = time === undefined && names === undefined && rows.length === 0 && cells.length > 1
    if (isHeader) {
      names = cells
      return
    }
    const width = names?.length ?? rows[0]?.length ?? cells.length
    if (time === undefined || cells.length !== width || width < 2) {
      // A line that is being written has no end yet.
      if (index === lines.length - 1) return
      malformed++
      malformedLine ??= index + 1
      return
    }
    times.push(time)
    rows.push(cells)
  })
  const isWeather = remarks.length === 4 && names === undefined
  const order = orderOf(times)
  const width = names?.length ?? rows[0]?.length ?? 1
  const columns = Array.from({ length: width - 1 }, (_, index) => {
    const [name, units] = nameAndUnits(names?.[index + 1] ?? '')
    const { type, values } = columnOf(order.map((row) => rows[row]?.[index + 1] as string))
    const info = isWeather
      ? { description: remarks[0] ?? null, type, units: remarks[2] ?? null }
      : { description: null, type, units }
    return { name, info, values }
  })
  const t = Float64Array.from(order, (row) => times[row] as number)
  return { timeline: isWeather ? remarks[1] : undefined, t, columns, malformed, malformedLine }
}

/** Rows of several tables with the same columns, in order of time. */
export function joinTables(tables: readonly TextTable[]): TextTable {
  const [first] = tables as readonly [TextTable, ...TextTable[]]
  if (tables.length === 1) return first
  const times = tables.flatMap(({ t }) => [...t])
  const order = orderOf(times)
  const columns = first.columns.map((column, index) => {
    const parts = tables.map((table) => table.columns[index]?.values ?? [])
    const all = parts.flatMap((part): unknown[] => [...part])
    const values = order.map((row) => all[row])
    const isNumber = parts.every((part) => part instanceof Float64Array)
    return { ...column, values: isNumber ? Float64Array.from(values as number[]) : values }
  })
  return {
    ...first,
    t: Float64Array.from(order, (row) => times[row] as number),
    columns,
    malformed: tables.reduce((sum, { malformed }) => sum + malformed, 0),
  }
}

function delimiterOf(line: string): RegExp {
  if (line.includes('\t')) return /\t/
  if (line.includes(',')) return /,/
  return line.includes(';') ? /;/ : /\s+/
}

function cellsOf(line: string, delimiter: RegExp): string[] {
  if (!line.includes('"')) return line.split(delimiter).map((cell) => cell.trim())
  const cells: string[] = []
  let [cell, isQuoted] = ['', false]
  for (let at = 0; at < line.length; at++) {
    const letter = line[at] as string
    if (letter === '"') {
      if (isQuoted && line[at + 1] === '"') cell += line[at++]
      else isQuoted = !isQuoted
    } else if (!isQuoted && delimiter.test(letter)) {
      cells.push(cell.trim())
      cell = ''
    } else cell += letter
  }
  return [...cells, cell.trim()]
}

/** Seconds since 1970; `undefined` where it is no time. */
export function timeOf(cell: string): number | undefined {
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(cell)) return inSeconds(Number(cell))
  if (!/^\d{4}-\d\d/.test(cell)) return undefined
  const isZoned = /(z|[+-]\d\d:?\d\d)$/i.test(cell) || /^\d{4}-\d\d(-\d\d)?$/.test(cell)
  const time = Date.parse(isZoned ? cell : `${cell.replace(' ', 'T')}Z`)
  return Number.isNaN(time) ? undefined : time / 1000
}

/** Seconds of a number that may count ms, us or ns: as seconds those lie beyond the year 5000. */
export function inSeconds(time: number): number {
  const size = Math.abs(time)
  if (size < 1e11) return time
  if (size < 1e14) return time / 1e3
  return size < 1e17 ? time / 1e6 : time / 1e9
}

function orderOf(times: readonly number[]): number[] {
  const order = times.map((_, row) => row)
  const isSorted = times.every((time, row) => row === 0 || (times[row - 1] as number) <= time)
  return isSorted ? order : order.sort((a, b) => (times[a] as number) - (times[b] as number))
}

function nameAndUnits(header: string): readonly [name: string, units: string | null] {
  const [, name, units] = /^(.*?)\s*[[(]([^\])]*)[\])]$/.exec(header) ?? []
  return name === undefined || name === '' ? [header, null] : [name, units || null]
}

function columnOf(cells: readonly string[]): { type: TableField['type']; values: Float64Array | readonly unknown[] } {
  const isGap = (cell: string): boolean => cell === '' || /^(nan|null|na|n\/a)$/i.test(cell)
  if (cells.every((cell) => isGap(cell) || (cell !== '' && !Number.isNaN(Number(cell))) || /^[+-]?inf$/i.test(cell))) {
    return { type: 'number', values: Float64Array.from(cells, (cell) => (isGap(cell) ? Number.NaN : numberOf(cell))) }
  }
  if (cells.every((cell) => isGap(cell) || /^(true|false)$/i.test(cell))) {
    return { type: 'bool', values: cells.map((cell) => (isGap(cell) ? null : /^true$/i.test(cell))) }
  }
  return { type: 'string', values: cells.map((cell) => (cell === '' ? null : cell)) }
}

function numberOf(cell: string): number {
  if (!/inf/i.test(cell)) return Number(cell)
  return cell.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
}
