import { appendFile, readdir, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { COLUMN, MeasurementBatch, TableBuilder } from '../../ts/batch/index.js'
import { MeasurandError, StorageError, UsageError } from '../../ts/session/index.js'
import { auditRecording } from '../../ts/store/audit.js'
import { recordingInfo } from '../../ts/store/info.js'
import { openRecording, type RecordingSource } from '../../ts/store/reader.js'
import { StoreSink } from '../../ts/store/sink.js'
import { SyntheticSource, T0 } from './synthetic-source.js'
import { query, temporary } from './temporary.js'

async function onlySource(directory: string, options = {}): Promise<RecordingSource> {
  const sources = await openRecording(directory, options)
  if (sources.length !== 1) throw new Error(`${sources.length} sources`)
  return sources[0] as RecordingSource
}

test('a recording gives the rows that were stored, and its recording is the same', async (t) => {
  const directory = await temporary(t)
  const [first, second] = [join(directory, 'first'), join(directory, 'second')]
  const sink = await StoreSink.open(first, { rotation: '300KiB' })
  const original = new SyntheticSource({ rows: 7000, optional: COLUMN.seq | COLUMN.idx })
  for (let batch = 0; batch < 4; batch++) await sink.write(original.next(undefined, { unknownEvery: 777 }), original)
  await sink.close()

  const source = await onlySource(first, { batchRows: 1000 })
  t.is(source.system, 'sttp')
  t.is(source.signals.length, 100)
  t.deepEqual(source.describe().quirks, ['none'])
  const expected = new SyntheticSource({ rows: 1000, optional: COLUMN.seq | COLUMN.idx })
  const again = await StoreSink.open(second)
  await source.consume(async (batch) => {
    if (!(batch instanceof MeasurementBatch)) return t.fail()
    const same = expected.next(batch.length, { unknownEvery: 777 })
    t.deepEqual(batch.time, same.time)
    t.deepEqual(batch.value, same.value)
    t.deepEqual(batch.signal, same.signal)
    t.deepEqual(batch.seq, same.seq)
    await again.write(batch, source)
  })
  await again.close()
  t.is(await source.closed, undefined)
  t.is(source.stats.received, 28_000)

  const [one, two] = [await auditRecording(first), await auditRecording(second)]
  t.true(one.isSound && one.isComplete && two.isSound && two.isComplete, JSON.stringify([one, two]))
  t.is(one.sources[0]?.replay, two.sources[0]?.replay)
  t.is(one.sources[0]?.rows, 28_000)
  t.is(one.sources[0]?.files, 2)
})

test('a segment that its writer compacts behind the listing is read all the same', async (t) => {
  const directory = await temporary(t)
  const sink = await StoreSink.open(directory)
  const original = new SyntheticSource({ rows: 5000 })
  await sink.write(original.next(), original)
  const source = await onlySource(directory)
  await sink.close()
  t.deepEqual(await readdir(join(directory, 'synthetic', 'measurement')), ['000001.parquet'])
  await source.consume(() => {})
  t.is(source.stats.received, 5000)
})

test('rows are chosen by time and signal', async (t) => {
  const directory = await temporary(t)
  const sink = await StoreSink.open(directory)
  const original = new SyntheticSource({ rows: 10_000, signals: 10 })
  await sink.write(original.next(), original)
  await sink.close()
  const [since, until] = [T0 + 1_000_000_000n, T0 + 2_000_000_000n]
  const source = await onlySource(directory, { since, until, signals: ['SYN:T3', '*-00000000000*7', '9'] })
  let rows = 0
  for await (const batch of source) {
    if (!(batch instanceof MeasurementBatch)) return t.fail()
    for (const { time, signal } of batch) {
      t.true(time !== null && time >= since && time < until && [3, 7, 9].includes(signal))
      rows++
    }
  }
  t.is(rows, 90)
  t.is(source.stats.received, 10_000)
  t.is(source.stats.filtered, 9910)
})

test('records, events and text come as columns', async (t) => {
  const directory = await temporary(t)
  const sink = await StoreSink.open(directory)
  const original = new SyntheticSource({ name: 'c', system: 'cdtp' })
  const records = new TableBuilder('record')
  const blocks = [Buffer.from('abc'), Buffer.alloc(0)]
  const record = {
    run: 'r',
    sender: 'S',
    kind: 0,
    seq: 7n,
    time: null,
    rx: T0,
    condition: 1,
    tags: Buffer.of(1),
    blocks,
  }
  records.push(record)
  const texts = new TableBuilder('measurement')
  texts.push({ time: T0, value: 1, signal: 0, flags: 0, text: 'true' })
  for (const batch of [records.finish(), texts.finish(), original.next(5)]) await sink.write(batch, original)
  await sink.close()
  const seen: unknown[] = []
  const source = await onlySource(directory)
  for await (const batch of source) {
    const names = batch.columns().map(({ field }) => field.name)
    seen.push([batch.table, batch.length, names.includes('text'), names.includes('blocks')])
    const table = await (
      batch as unknown as { toArrow(): Promise<{ get(row: number): { toJSON(): object } }> }
    ).toArrow()
    if (batch.table === 'record') t.like(table.get(0).toJSON(), { run: 'r', kind: 0, seq: 7n, condition: 1 })
  }
  t.deepEqual(seen, [
    ['measurement', 1, true, false],
    ['measurement', 5, false, false],
    ['record', 1, false, true],
  ])
})

test('reading ends when it is told to', async (t) => {
  const directory = await temporary(t)
  const sink = await StoreSink.open(directory)
  const original = new SyntheticSource({ rows: 10_000 })
  await sink.write(original.next(), original)
  await sink.close()
  const source = await onlySource(directory, { batchRows: 100 })
  let batches = 0
  await source.consume(async () => {
    if (++batches === 3) await source.drain()
  })
  t.is(batches, 3)
  t.is(await source.closed, undefined)
  t.throws(() => source[Symbol.asyncIterator](), { code: 'ERR_SESSION_CONSUMER_SECOND' })

  const broken = await onlySource(directory)
  const fault = new Error('mine')
  t.is(await t.throwsAsync(broken.consume(() => Promise.reject(fault))), fault)

  const controller = new AbortController()
  const aborted = await onlySource(directory, { batchRows: 100, signal: controller.signal })
  const error = await t.throwsAsync(
    aborted.consume(() => controller.abort()),
    { instanceOf: MeasurandError },
  )
  t.is(await aborted.closed, error as Error)
})

test('info says what a recording holds without reading its rows', async (t) => {
  const directory = await temporary(t)
  const sink = await StoreSink.open(directory)
  const original = new SyntheticSource({ rows: 3000 })
  await sink.write(original.next(), original)
  original.stats.received += 5
  await sink.settle(original, { received: 3005, dropped: 5 })
  original.ledger.add({ cause: 'queue', count: 5 })
  await sink.close()
  const { sources, format } = await recordingInfo(directory)
  t.is(format, 1)
  t.like(sources[0], { name: 'synthetic', isFinished: true, signals: 100, imbalance: 0 })
  t.like(sources[0]?.losses, { records: 1, missing: 5, open: 1 })
  const lastTime = T0 + BigInt(Math.floor((29 * 1e9) / 30))
  t.like(sources[0]?.tables[0], { table: 'measurement', files: 1, rows: 3000, firstTime: T0, lastTime })
  const audit = await auditRecording(directory)
  t.true(audit.isSound)
  t.false(audit.isComplete)
})

test('a file of somebody else under our name is refused by its columns', async (t) => {
  const directory = await temporary(t)
  const sink = await StoreSink.open(directory)
  const original = new SyntheticSource({ rows: 10 })
  await sink.write(original.next(), original)
  await sink.close()
  const path = join(directory, 'synthetic', 'measurement', '000002.parquet')
  for (const columns of ["date '2024-01-01' as day", 'current_timestamp::timestamp as time, 1.5::double as value']) {
    await query(`copy (select ${columns}) to '${path}' (format parquet, compression zstd)`)
    const source = await onlySource(directory)
    await t.throwsAsync(
      source.consume(() => {}),
      { code: 'ERR_STORE_FILE_COLUMNS', instanceOf: StorageError },
    )
    t.is(source.stats.received, 10, 'what stands before it is read')
  }
})

test('an audit finds what was changed, lost or added', async (t) => {
  const directory = await temporary(t)
  const sink = await StoreSink.open(directory, { rotation: '100KiB' })
  const original = new SyntheticSource({ rows: 1000, signals: 10, optional: COLUMN.seq })
  for (let batch = 0; batch < 12; batch++) {
    if (batch === 7) original.next()
    await sink.write(original.next(), original)
  }
  original.stats.received = 12_000
  await sink.close()
  const kinds = async (): Promise<string[]> => {
    const { sources } = await auditRecording(directory)
    return sources.flatMap(({ problems }) => problems.map(({ kind, text }) => `${kind}: ${text}`))
  }
  t.deepEqual(await kinds(), ['sequence: 700 to 799 are missing and in no loss record'])

  const at = join(directory, 'synthetic', 'measurement')
  const files = (await readdir(at)).sort()
  await truncate(join(at, files[0] as string), 1000)
  await appendFile(join(at, files.at(-1) as string), 'x')
  await writeFile(join(at, '000009.arrows'), 'hello')
  t.deepEqual(
    (await kinds()).map((text) => text.replace(/^(damaged: \w+).*/s, '$1')),
    [
      'damaged: ERR_STORE_FILE_DAMAGED',
      'damaged: ERR_STORE_FILE_DAMAGED',
      'damaged: ERR_STORE_FILE_FOREIGN',
      'missing: the file with number 4 is missing',
      'rows: the session wrote 12000 rows of measurement, the files have 4000',
      'sequence: 700 to 799 are missing and in no loss record',
    ],
  )
})

test('what is no recording is refused by name', async (t) => {
  const directory = await temporary(t)
  await t.throwsAsync(openRecording(directory), { code: 'ERR_STORE_RECORDING_MISSING' })
  await t.throwsAsync(openRecording(join(directory, 'none')), { code: 'ERR_STORE_RECORDING_MISSING' })
  const file = join(directory, 'recording.json')
  for (const [text, code] of [
    ['{"format":2,"systems":[],"sources":[]}', 'ERR_STORE_FORMAT_NEWER'],
    ['{"format":1', 'ERR_STORE_RECORDING_MALFORMED'],
    ['[]', 'ERR_STORE_RECORDING_MALFORMED'],
    ['{"format":1,"systems":[],"sources":[{"name":"../x","system":"sttp","url":""}]}', 'ERR_STORE_RECORDING_MALFORMED'],
  ] as const) {
    await writeFile(file, text)
    await t.throwsAsync(openRecording(directory), { code }, text)
    await t.throwsAsync(StoreSink.open(directory), { code }, text)
  }
  await writeFile(file, '{"format":1,"systems":[],"sources":[]}')
  t.deepEqual(await openRecording(directory), [])
  await t.throwsAsync(openRecording(directory, { sources: ['x'] }), {
    code: 'ERR_STORE_SOURCE_MISSING',
    instanceOf: UsageError,
  })
})
