// Judges filter expressions by what other implementations recorded: evaluations with their data sets, and results of two
// implementations side by side.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DataSet } from '../../../ts/sttp/data-set.js'
import type { Verdict } from '../main.js'

interface Evaluation {
  readonly call: 'expression' | 'row_expression' | 'select_rows' | 'select_signal_ids'
  readonly expression: string
  readonly dataset?: string
  readonly table?: string
  readonly row?: number
  readonly primary_table?: string
  readonly result?: { readonly type: string; readonly value: unknown }
  readonly rows?: readonly [string, number][]
  readonly signal_ids?: readonly string[]
  readonly error?: string
}

interface Peer {
  readonly result?: readonly [string, unknown]
  readonly error?: string
  readonly exception?: string
}

type Tables = Readonly<Record<string, { columns: [string, string, string | null][]; rows: unknown[][] }>>

/** What we decided where the implementations differ, or where what they agree on is an accident of one run. */
const DECIDED: Readonly<Record<string, string | null>> = {
  '7 % -3': '1',
  '1 / 0': null,
  '1 + true': '2',
  'true = 1': 'true',
  "'true' = true": 'true',
  'false = 0': 'true',
  "DateAdd(#2019-01-31#, 1, 'Month')": '2019-02-28T00:00:00.0Z',
  "DateDiff(#2019-01-31#, #2019-03-01#, 'Month')": '2',
  "DatePart(#2019-02-03 04:05:06.789#, 'WeekDay')": '1',
  "IIf(1 = 1, 'y', 'n')": 'y',
  'Power(2, -1)': '0',
  '1 < 2 < 3': 'true',
  '#2019-01-01 00:00:00.1234567#': '2019-01-01T00:00:00.1234567Z',
}

/** Judges a folder with `filter_expressions.jsonl` and `filter_datasets.json`, `expressions_py_go.jsonl`, or all. */
export function* judgeFilter(folder: string): Generator<Verdict> {
  const lines = <T>(file: string): T[] => {
    const path = join(folder, file)
    if (!existsSync(path)) return []
    const text = readFileSync(path, 'utf8').trim()
    // Integers beyond 2^53 are judged as the text that stands there.
    const exact = text.replace(/: (-?\d{16,})([,}])/g, ': "$1"$2')
    return exact.split('\n').map((line) => JSON.parse(line) as T)
  }
  const evaluations = lines<Evaluation>('filter_expressions.jsonl')
  if (evaluations.length > 0) {
    const recorded = JSON.parse(readFileSync(join(folder, 'filter_datasets.json'), 'utf8')) as Record<string, Tables>
    const sets = new Map(Object.entries(recorded).map(([key, tables]) => [key, toDataSet(tables)]))
    for (const evaluation of evaluations) {
      const set = sets.get(evaluation.dataset ?? '') ?? DataSet.metadata()
      yield verdict(`filter ${evaluation.expression}`, () => judgeEvaluation(evaluation, set))
    }
  }
  for (const { expression, sttpapi } of lines<{ expression: string; sttpapi: Peer }>('expressions_py_go.jsonl')) {
    yield verdict(`expression ${expression}`, () => judgeExpression(expression, sttpapi))
  }
}

function verdict(name: string, judge: () => string | undefined): Verdict {
  const detail = judge()
  return detail === undefined ? { case: name, passed: true } : { case: name, passed: false, detail }
}

/** What is wrong, or nothing. */
function judgeEvaluation(evaluation: Evaluation, set: DataSet): string | undefined {
  const { expression, result } = evaluation
  const primary = evaluation.primary_table ?? ''
  let found: unknown
  try {
    if (evaluation.call === 'select_signal_ids') {
      found = set.signalIds(expression, primary).map((id) => Buffer.from(id).toString('hex'))
    } else if (evaluation.call === 'select_rows') {
      found = [...set.select(expression, primary)].map((row) => [primary, row])
    } else {
      const { table, row } = evaluation
      const value = set.evaluate(expression, table === undefined ? undefined : { table, row: row ?? 0 })
      // The time of the recording cannot come again: only that it is a time.
      if (expression === 'Now()') return value.kind === 'DateTime' ? undefined : `gave a ${value.kind}`
      return judgeValue(value, [result?.type ?? '', result?.value])
    }
  } catch (error) {
    return evaluation.error === undefined ? (error as Error).message : undefined
  }
  const expected = evaluation.rows ?? evaluation.signal_ids?.map((id) => id.replaceAll('-', ''))
  if (expected === undefined) return `gave ${JSON.stringify(found)} where others refuse it`
  // Signal ids are a set at the implementation that recorded them.
  const ordered = (rows: unknown) => JSON.stringify(evaluation.signal_ids ? [...(rows as string[])].sort() : rows)
  return ordered(found) === ordered(expected) ? undefined : `gave ${ordered(found)}, not ${ordered(expected)}`
}

function judgeExpression(expression: string, { result }: Peer): string | undefined {
  const decided = DECIDED[expression]
  try {
    const value = DataSet.metadata().evaluate(expression)
    if (decided !== undefined) return value.text === decided ? undefined : `gave ${value.text}, not ${decided}`
    if (result === undefined) return `gave ${value.text} where others refuse it`
    return judgeValue(value, result)
  } catch (error) {
    return result === undefined || decided === null ? undefined : (error as Error).message
  }
}

function judgeValue(value: { kind: string; text: string | null }, [kind, expected]: readonly [string, unknown]) {
  const wrong = `gave ${value.kind} ${value.text}, not ${kind} ${String(expected)}`
  if (value.kind.toLowerCase() !== kind) return wrong
  if (expected === null || value.text === null) return expected === value.text ? undefined : wrong
  if (kind === 'double') return Number(value.text) === Number(expected) ? undefined : wrong
  if (kind === 'datetime') {
    const [ours, theirs] = [value.text, String(expected)].map((text) =>
      new Date(`${text.replace(/Z$/, '')}Z`).getTime(),
    )
    return ours === theirs ? undefined : wrong
  }
  return value.text === String(expected) ? undefined : wrong
}

/** A recorded data set through our own XML, so that reading is judged too. */
function toDataSet(tables: Tables): DataSet {
  const types: Record<string, string> = { GUID: 'string', DATETIME: 'dateTime', SINGLE: 'float', UINT8: 'unsignedByte' }
  for (const name of ['STRING', 'BOOLEAN', 'DOUBLE', 'DECIMAL']) types[name] = name.toLowerCase()
  Object.assign(types, { INT8: 'byte', INT16: 'short', INT32: 'int', INT64: 'long' })
  Object.assign(types, { UINT16: 'unsignedShort', UINT32: 'unsignedInt', UINT64: 'unsignedLong' })
  const escaped = (text: unknown) => String(text).replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`)
  const schema = Object.entries(tables).map(([table, { columns }]) => {
    const elements = columns.map(([name, type]) => {
      const guid = type === 'GUID' ? ' ext:DataType="System.Guid"' : ''
      return `<xs:element name="${name}"${guid} type="xs:${types[type]}" minOccurs="0"/>`
    })
    return `<xs:element name="${table}"><xs:complexType><xs:sequence>${elements.join('')}</xs:sequence></xs:complexType></xs:element>`
  })
  const rows = Object.entries(tables).flatMap(([table, { columns, rows }]) =>
    rows.map((row) => {
      const cells = row.map((cell, index) =>
        cell === null ? '' : `<${columns[index]?.[0]}>${escaped(cell)}</${columns[index]?.[0]}>`,
      )
      return `<${table}>${cells.join('')}</${table}>`
    }),
  )
  const [set, error] = DataSet.fromXml(
    `<DataSet><xs:schema xmlns:xs="x" xmlns:ext="e"><xs:element name="DataSet"><xs:complexType><xs:choice>${schema.join('')}</xs:choice></xs:complexType></xs:element></xs:schema>${rows.join('')}</DataSet>`,
  )
  if (set === null) throw error
  return set
}
