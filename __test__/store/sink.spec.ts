import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { COLUMN, TableBuilder } from '../../ts/batch/index.js'
import { StoreSink } from '../../ts/store/sink.js'
import { SyntheticSource, T0 } from './synthetic-source.js'
import { query, temporary } from './temporary.js'

test('a recording is Parquet files that DuckDB reads exactly', async (t) => {
  const directory = await temporary(t)
  const sink = await StoreSink.open(join(directory, 'rec'))
  const source = new SyntheticSource({ rows: 10_000 })
  for (let batch = 0; batch < 5; batch++) await sink.write(source.next(undefined, { unknownEvery: 1000 }), source)
  t.is(sink.stored, 50_000)
  const id = source.ledger.add({ cause: 'wire', firstSeq: 1n, lastSeq: 3n, count: 3, at: 5n })
  source.ledger.recover(id, 3)
  await sink.close()

  const glob = `${directory}/rec/**/measurement/*.parquet`
  const [all] = await query<object>(`
    select count(*) as rows, count(time) as known, sum(value) as total,
      min(epoch_ns(time)) as first, max(epoch_ns(time)) as last, typeof(any_value(time)) as type
    from '${glob}'`)
  let total = 0
  for (let row = 0; row < 50_000; row++) total += 1000 * (row % 100) + 0.25 * (Math.floor(row / 100) % 4000)
  t.deepEqual(all, {
    rows: 50_000n,
    known: 49_950n,
    total,
    first: T0,
    last: T0 + BigInt(Math.floor((499 * 1e9) / 30)),
    type: 'TIMESTAMP_NS',
  })
  const [wrong] = await query(`
    select count(*) as rows from (select *, row_number() over () - 1 as row from '${glob}')
    where value != 1000 * (row % 100) + 0.25 * (row // 100) or signal != row % 100`)
  t.is(wrong?.rows, 0n)

  const at = join(directory, 'rec', 'synthetic')
  t.deepEqual((await readdir(at)).sort(), ['loss.parquet', 'measurement', 'session.parquet', 'signal.parquet'])
  t.deepEqual(await readdir(join(at, 'measurement')), ['000001.parquet'])
  t.is((await stat(join(at, 'measurement', '000001.parquet'))).mode & 0o777, 0o600)
  const recording = JSON.parse(await readFile(join(directory, 'rec', 'recording.json'), 'utf8'))
  t.deepEqual(recording, {
    format: 1,
    systems: ['sttp'],
    sources: [{ name: 'synthetic', system: 'sttp', url: 'sttp://user:***@127.0.0.1:7165?secret=***' }],
  })
  const [signals] = await query<object>(
    `select count(*) as rows, max(hex(native_id)) as last from '${at}/signal.parquet'`,
  )
  t.deepEqual(signals, { rows: 100n, last: '00000000000000000000000000000063' })
  const losses = await query<object>(`select id, count, recovered, first_seq from '${at}/loss.parquet'`)
  t.deepEqual(losses, [{ id: 1n, count: 3n, recovered: 3n, first_seq: 1n }])
  const [session] =
    await query<object>(`select source, peer, counters::json->>'stored' as stored, "end" is not null as ended
    from '${at}/session.parquet'`)
  t.like(session, { source: 'synthetic', stored: '50000', ended: true })
})

test('an optional column begins another segment, its absence does not', async (t) => {
  const directory = await temporary(t)
  const sink = await StoreSink.open(directory)
  const plain = new SyntheticSource({ name: 'a', rows: 100 })
  const numbered = new SyntheticSource({ name: 'a', rows: 100, optional: COLUMN.seq | COLUMN.idx })
  for (const batch of [plain.next(), numbered.next(), plain.next(), numbered.next()]) await sink.write(batch, plain)
  await sink.close()
  const at = join(directory, 'a', 'measurement')
  t.deepEqual((await readdir(at)).sort(), ['000001.parquet', '000002.parquet'])
  const [count] = await query<object>(`select count(*) as rows, count(seq) as numbered from '${at}/000002.parquet'`)
  t.deepEqual(count, { rows: 300n, numbered: 200n })
})

test('segments rotate by size', async (t) => {
  const directory = await temporary(t)
  const sink = await StoreSink.open(directory, { rotation: '100KiB' })
  const source = new SyntheticSource({ rows: 1000 })
  for (let batch = 0; batch < 12; batch++) await sink.write(source.next(), source)
  await sink.close()
  const files = await readdir(join(directory, 'synthetic', 'measurement'))
  t.deepEqual(files.sort(), ['000001.parquet', '000002.parquet', '000003.parquet'])
  const [count] = await query(`select count(*) as rows from '${directory}/**/measurement/*.parquet'`)
  t.is(count?.rows, 12_000n)
})

test('records lie in a directory for each run and stay Arrow; only data is counted', async (t) => {
  const directory = await temporary(t)
  const source = new SyntheticSource({ name: 'c', system: 'cdtp' })
  for (const compactRecords of [false, true]) {
    const sink = await StoreSink.open(directory, { compactRecords })
    const builder = new TableBuilder('record')
    for (const [run, kind, seq] of [
      ['run_1', 1, 0n],
      ['run_1', 0, 0n],
      ['run_1', 0, 1n],
      ['../run', 0, 0n],
    ] as const) {
      const blocks = [Buffer.from('abc'), Buffer.alloc(0), Buffer.from(String(seq))]
      builder.push({ run, sender: 'S.One', kind, seq, time: T0, rx: T0, condition: 0, tags: Buffer.of(0x80), blocks })
    }
    await sink.write(builder.finish(), source)
    t.is(sink.stored, 3)
    await sink.close()
  }
  t.deepEqual((await readdir(join(directory, 'c', 'record'))).sort(), ['run', 'run_1'])
  t.deepEqual(await readdir(join(directory, 'c', 'record', 'run_1')), ['000001.arrows'])
  t.deepEqual(await readdir(join(directory, 'c-2', 'record', 'run_1')), ['000001.parquet'])
  const rows = await query<object>(`select run, kind, seq, len(blocks) as blocks, blocks[3]::varchar as last
    from '${directory}/c-2/record/*/*.parquet' order by run, kind, seq`)
  t.deepEqual(rows, [
    { run: '../run', kind: 0, seq: 0n, blocks: 3n, last: '0' },
    { run: 'run_1', kind: 0, seq: 0n, blocks: 3n, last: '0' },
    { run: 'run_1', kind: 0, seq: 1n, blocks: 3n, last: '1' },
    { run: 'run_1', kind: 1, seq: 0n, blocks: 3n, last: '0' },
  ])
})

test('events keep their payload', async (t) => {
  const directory = await temporary(t)
  const sink = await StoreSink.open(directory)
  const source = new SyntheticSource({ name: 'e', system: 'stream-sea', signals: 0 })
  const builder = new TableBuilder('event')
  builder.push({ stream: 'orders', schema_version: '1', rx: T0, payload: '{"n":1,"text":"å"}' })
  builder.push({ stream: 'orders', schema_version: '1', rx: T0, payload: '' })
  await sink.write(builder.finish(), source)
  await sink.close()
  const rows = await query<object>(`select stream, payload, epoch_ns(rx) as rx from '${directory}/e/event/*.parquet'`)
  t.deepEqual(rows, [
    { stream: 'orders', payload: '{"n":1,"text":"å"}', rx: T0 },
    { stream: 'orders', payload: '', rx: T0 },
  ])
})
