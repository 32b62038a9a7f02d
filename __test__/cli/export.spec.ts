import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import test from 'ava'
import { recordingOf, temporary } from './recording.js'
import { measurand } from './streams.js'

test('Parquet that another program reads, row for row', async (t) => {
  const from = await recordingOf(t, 1000)
  const file = join(await temporary(t), 'rows.parquet')
  const { code, lines, stderr } = await measurand(['export', from, '--format', 'parquet', '-o', file, '--json'])
  t.is(code, 0, stderr)
  t.like(lines.at(-1), { event: 'summary', received: 1000, stored: 1000 })
  const duck = await (await DuckDBInstance.create()).connect()
  const rows = await duck.runAndReadAll(`select count(*), sum(value), min(time)::varchar, max(signal) from '${file}'`)
  t.deepEqual(rows.getRows(), [[1000n, 99_500, '1970-01-01 00:00:00', 0]])
})

test('CSV to a file and to stdout', async (t) => {
  const from = await recordingOf(t, 3)
  const file = join(await temporary(t), 'rows.csv')
  t.is((await measurand(['export', from, '--format', 'csv', '-o', file])).code, 0)
  const { code, stdout } = await measurand(['export', from, '--format', 'csv'])
  t.is(code, 0)
  t.is(await readFile(file, 'utf8'), stdout)
  t.is(stdout.split('\n')[0], 'time,signal,id,name,value,flags')
  t.is(stdout.split('\n').length, 5)
})

test('rows are chosen by time and signal, and those left out are in the books', async (t) => {
  const from = await recordingOf(t, 30)
  const file = join(await temporary(t), 'rows.parquet')
  const args = ['export', from, '--format', 'parquet', '-o', file, '--json', '--signal', 'Nobody']
  t.like((await measurand(args)).lines.at(-1), { received: 30, stored: 0, filtered: 30 })
  const events = ['export', from, '--format', 'parquet', '-o', file, '--json', '--table', 'event']
  t.like((await measurand(events)).lines.at(-1), { received: 30, stored: 0, filtered: 30 })
  const late = ['export', from, '--format', 'csv', '--since', '2001-01-01']
  t.is((await measurand(late)).stdout, '')
})

test('wrong use and places that cannot be written', async (t) => {
  const [one, two] = [await recordingOf(t, 3), await recordingOf(t, 3, 5)]
  const place = await temporary(t)
  for (const args of [
    [],
    [one],
    [one, '--format', 'xls', '-o', 'x'],
    [one, '--format', 'parquet'],
    [two, '--format', 'csv'],
    [place, '--format', 'csv'],
  ]) {
    t.is((await measurand(['export', ...args])).code, 1, args.join(' '))
  }
  t.is((await measurand(['export', two, '--format', 'csv', '--source', 'bytes-2'])).stdout.split('\n').length, 7)
  await writeFile(join(place, 'file'), '')
  for (const format of ['csv', 'parquet']) {
    const { code, stderr } = await measurand(['export', one, '--format', format, '-o', join(place, 'file', 'x')])
    t.is(code, 4, stderr)
  }
})
