import test from 'ava'
import fc from 'fast-check'
import { type Batch, type Row, rowsOf, TableBatch, TableBuilder } from '../../ts/batch/index.js'
import { openSource, SourceUrl } from '../../ts/ingest/index.js'
import { pickColumn } from '../../ts/store/column-slice.js'
import { recordingOf, temporary } from '../cli/recording.js'
import { measurand } from '../cli/streams.js'
import { publishing } from '../sttp/publishing.js'

const bytes = fc.uint8Array({ maxLength: 5 }).map((array) => Uint8Array.from(array))
const ns = fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)
const RECORD: fc.Arbitrary<Row> = fc.record({
  run: fc.string(),
  sender: fc.string(),
  kind: fc.integer({ min: 0, max: 2 }),
  seq: fc.bigInt(0n, 2n ** 64n - 1n),
  time: fc.option(ns),
  rx: ns,
  condition: fc.integer({ min: 0, max: 65_535 }),
  tags: bytes,
  blocks: fc.array(bytes, { maxLength: 3 }),
})
const EVENT: fc.Arbitrary<Row> = fc.record({
  stream: fc.string(),
  schema_version: fc.string(),
  offset: fc.option(fc.bigInt(0n, 2n ** 64n - 1n)),
  rx: ns,
  group: fc.option(fc.string()),
  payload: fc.string(),
})

function batchOf(table: 'record' | 'event', rows: readonly Row[]): TableBatch {
  const builder = new TableBuilder(table)
  for (const row of rows) builder.push(row)
  return builder.finish()
}

const rowsIn = (batch: Batch): Row[] => rowsOf({ rows: batch.length, columns: batch.columns() })

for (const [table, rows] of [
  ['record', RECORD],
  ['event', EVENT],
] as const) {
  test(`picked rows of the table ${table} are those rows`, (t) => {
    fc.assert(
      fc.property(fc.array(fc.tuple(rows, fc.boolean())), (drawn) => {
        const batch = batchOf(
          table,
          drawn.map(([row]) => row),
        )
        const wanted = drawn.flatMap(([, isWanted], row) => (isWanted ? [row] : []))
        const picked = batch.columns().map((column) => pickColumn(column, wanted))
        const all = rowsIn(batch)
        t.deepEqual(
          rowsIn(new TableBatch(table, wanted.length, picked)),
          wanted.map((row) => all[row] as Row),
        )
      }),
    )
  })
}

test('of a live source, rows of other signals and times are filtered, and the books balance', async (t) => {
  const [port, out] = [await publishing(t, { signals: 5, frames: 40 }), await temporary(t)]
  const since = '2024-01-01T00:00:00.5Z'
  const { code, lines, stderr } = await measurand([
    ...['record', `sttp://127.0.0.1:${port}?since=${since}`, '--signal', 'syn:t1,00000000-*-000000000003'],
    ...['--out', out, '--limit', '50', '--json'],
  ])
  t.is(code, 0, stderr)
  // 30 Hz: of 40 frames the first 15 are too early; of the others two signals of five are wanted.
  t.like(lines.at(-1), { received: 200, stored: 50, filtered: 150 })
  const audit = await measurand(['audit', out])
  t.is(audit.code, 0, audit.stdout)
  const { lines: rows } = await measurand(['tail', `file:${out}`, '--json'])
  const names = rows.filter(({ event }) => event === 'measurement').map(({ name }) => name)
  t.deepEqual([...new Set(names)].sort(), ['SYN:T1', 'SYN:T3'])
  t.is(names.length, 50)
})

test('a recording is selected from as it is read', async (t) => {
  const from = await recordingOf(t, 30)
  const { lines } = await measurand(['tail', `file:${from}`, '--signal', 'nobody', '--json'])
  t.like(lines.at(-1), { received: 30, stored: 0, filtered: 30 })
})

test('a time that is none is refused before anybody is connected to', async (t) => {
  await t.throwsAsync(openSource(new SourceUrl('sttp://127.0.0.1:1?since=yesterday')), {
    code: 'ERR_INGEST_OPTION_INVALID',
  })
})
