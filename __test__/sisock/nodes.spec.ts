import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { nsToSeconds, TableBuilder, TIME_UNKNOWN } from '../../ts/batch/index.js'
import { pipeline } from '../../ts/ingest/index.js'
import { LocalBackend } from '../../ts/sisock/bridge/local-backend.js'
import { after } from '../../ts/sisock/data.js'
import { FolderNode } from '../../ts/sisock/nodes/folder-node.js'
import { OcsFeedNode } from '../../ts/sisock/nodes/ocs-feed-node.js'
import { openNodes } from '../../ts/sisock/nodes/open-nodes.js'
import { RecordingNode } from '../../ts/sisock/nodes/recording-node.js'
import { secondsOf } from '../../ts/sisock/nodes/seconds.js'
import { SensorsNode } from '../../ts/sisock/nodes/sensors-node.js'
import { SourceNode } from '../../ts/sisock/nodes/source-node.js'
import type { TableNode } from '../../ts/sisock/nodes/table-node.js'
import { inSeconds, readTextTable, timeOf } from '../../ts/sisock/nodes/text-table.js'
import { TimelineBuffer } from '../../ts/sisock/nodes/timeline-buffer.js'
import { StoreSink } from '../../ts/store/index.js'
import { HandmadeSource } from './handmade-source.js'
import { house } from './house.js'

async function temporary(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'measurand-nodes-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** What a node gives, as plain lists. */
async function got(node: TableNode, fields: readonly string[], from: number, to: number, stride: number | null = null) {
  const reply = await node.getData(fields, from, to, stride)
  if (reply === false) return false
  return {
    data: Object.fromEntries(Object.entries(reply.data).map(([name, column]) => [name, [...column]])),
    t: Object.fromEntries(Object.entries(reply.timeline).map(([name, { t }]) => [name, [...(t as Float64Array)]])),
    final: Object.values(reply.timeline)[0]?.finalizedUntil,
  }
}

const S = 1_000_000_000n
const EPOCH = 1_700_000_000

test('seconds of a column are those that nsToSeconds gives', (t) => {
  fc.assert(
    fc.property(fc.array(fc.bigInt(-4n * 10n ** 18n, 9n * 10n ** 18n), { maxLength: 50 }), (times) => {
      t.deepEqual([...secondsOf(BigInt64Array.from(times))], times.map(nsToSeconds))
    }),
  )
  const edges = [0n, 1n, -1n, S - 1n, S, -S, -S - 1n, 1_700_000_000n * S - 1n, 1_953_125n, 1_700_000_000_001_953_125n]
  t.deepEqual([...secondsOf(BigInt64Array.from(edges))], edges.map(nsToSeconds))
  t.true(Number.isNaN(secondsOf(BigInt64Array.of(TIME_UNKNOWN))[0]))
})

test('a buffer is in order of time whatever order samples come in, and forgets the oldest', (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 50 }), fc.integer()), { maxLength: 400 }), (samples) => {
      const buffer = new TimelineBuffer({ x: 'number', y: 'string' })
      const model: [number, number][] = []
      for (const [index, [time, value]] of samples.entries()) {
        buffer.push(time + index / 4, [value, String(value)])
        model.push([time + index / 4, value])
        if (index % 50 === 49) {
          buffer.dropBefore(index / 8)
          model.splice(0, model.length, ...model.filter(([at]) => at >= index / 8))
        }
      }
      const sorted = model
        .map(([at, value], row) => [at, value, row] as const)
        .sort((a, b) => a[0] - b[0] || a[2] - b[2])
      const whole = buffer.window({ from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY })
      t.deepEqual(
        [...whole.t],
        sorted.map(([at]) => at),
      )
      t.deepEqual(
        [...(whole.values['x'] as Float64Array)],
        sorted.map(([, value]) => value),
      )
      t.deepEqual(
        [...(whole.values['y'] as string[])],
        sorted.map(([, value]) => String(value)),
      )
      const [from, to] = [20, 60]
      t.deepEqual(
        [...buffer.window({ from, to }).t],
        sorted.map(([at]) => at).filter((at) => at >= from && at < to),
      )
    }),
  )
})

test('text tables: delimiters, headers, units, types, times, gaps, quotes', (t) => {
  const table = readTextTable(
    'time,temperature [C],open,label\n2023-11-14T22:13:20Z,20.5,true,"a, ""b"""\n2023-11-14 22:13:21,nan,false,\n',
  )
  t.deepEqual([...table.t], [EPOCH, EPOCH + 1])
  t.like(table.columns[0], { name: 'temperature', info: { units: 'C', type: 'number' } })
  t.deepEqual([...(table.columns[0]?.values ?? [])], [20.5, Number.NaN])
  t.deepEqual(
    [table.columns[1]?.values, table.columns[2]?.values],
    [
      [true, false],
      ['a, "b"', null],
    ],
  )
  const blanks = readTextTable('# a remark\n1700000001 2\n1700000000   1\nnonsense\n1700000002 3\n17000000')
  t.deepEqual([...blanks.t], [EPOCH, EPOCH + 1, EPOCH + 2], 'sorted; the line that is being written does not count')
  t.deepEqual([blanks.malformed, blanks.malformedLine], [1, 4])
  t.deepEqual([1.7e9, 1.7e12, 1.7e15, 1.7e18].map(inSeconds), [1.7e9, 1.7e9, 1.7e9, 1.7e9])
  t.is(timeOf('2023-11-14T23:13:20+01:00'), EPOCH)
  t.is(timeOf('2023-11-14'), 1_699_920_000)
  t.is(timeOf('yes'), undefined)
})

test('the weather files of sisock, series of files, and a file that grows', async (t) => {
  const folder = await temporary(t)
  const weather = (what: string, unit: string) => `# ${what}\n# hourly\n# ${unit}\n# 2017-07-14\n`
  await writeFile(join(folder, 'apex_temperature.dat'), `${weather('Temperature', 'C')}${EPOCH} 1\n${EPOCH + 3600} 2\n`)
  await writeFile(join(folder, 'apex_humidity.dat'), `${weather('Humidity', '%')}${EPOCH} 50\n${EPOCH + 3600} 51\n`)
  await writeFile(join(folder, 'roof-2023-11-15.csv'), `time,wind [m/s]\n${EPOCH + 10},4\n${EPOCH + 11},5\n`)
  await writeFile(join(folder, 'roof-2023-11-14.csv'), `time,wind [m/s]\n${EPOCH},2\n${EPOCH + 1},3\n`)
  await writeFile(join(folder, 'notes.md'), 'no table')
  const node = new FolderNode(folder)
  const [fields, timelines] = await node.getFields(1, 0)
  t.deepEqual(fields['apex_temperature'], {
    description: 'Temperature',
    type: 'number',
    units: 'C',
    timeline: 'hourly',
  })
  t.deepEqual(timelines['hourly'], { interval: 3600, field: ['apex_humidity', 'apex_temperature'] })
  t.like(fields['roof.wind'], { units: 'm/s', timeline: 'roof' })
  t.deepEqual(Object.keys(fields).length, 3)
  t.deepEqual(await node.getFields(1, EPOCH - 1), [{}, {}])
  t.deepEqual(await got(node, ['roof.wind', 'nope'], EPOCH + 1, EPOCH + 11), {
    data: { 'roof.wind': [3, 4], nope: [] },
    t: { roof: [EPOCH + 1, EPOCH + 10] },
    final: null,
  })
  t.like(await got(node, ['roof.wind'], EPOCH, EPOCH + 100), { final: after(EPOCH + 11) })
  t.like(await got(node, ['roof.wind'], EPOCH, EPOCH + 100, 5), { data: { 'roof.wind': [2, 4] } })
  t.deepEqual(await got(node, ['roof.wind'], EPOCH + 500, EPOCH + 600), {
    data: { 'roof.wind': [] },
    t: {},
    final: undefined,
  })
  await writeFile(join(folder, 'roof-2023-11-15.csv'), `time,wind [m/s]\n${EPOCH + 10},4\nbroken\n${EPOCH + 12},6\n`)
  t.like(await got(node, ['roof.wind'], EPOCH + 10, EPOCH + 100), { data: { 'roof.wind': [4, 6] } })
  t.is(node.ledger.totals.missing, 1, 'the line that is no row is in the ledger')
  await t.throwsAsync(new FolderNode(join(folder, 'nowhere')).getFields(1, 0), { code: 'ERR_SISOCK_FILE' })
  await t.throwsAsync(new FolderNode(folder, { maxFileBytes: 10 }).getFields(1, 0), { code: 'ERR_SISOCK_FILE' })
})

test('Parquet of other programs, by DuckDB', async (t) => {
  const folder = await temporary(t)
  const duck = await (await DuckDBInstance.create(':memory:')).connect()
  const write = (sql: string, name: string) => duck.run(`COPY (${sql}) TO '${join(folder, name)}' (FORMAT parquet)`)
  await write(
    `SELECT make_timestamp(${EPOCH}000000 + k * 100000) AS at, k::FLOAT / 4 AS level, k % 2 = 0 AS even, 'n' || k AS label FROM range(1000) r(k)`,
    'tank_1.parquet',
  )
  await write(`SELECT ${EPOCH}000 + k * 1000 AS time, k AS n FROM range(10) r(k)`, 'count.parquet')
  await write(
    `SELECT make_timestamp(${EPOCH + 100}000000 + k * 100000) AT TIME ZONE 'UTC' AS at, k::FLOAT / 4 AS level, true AS even, '' AS label FROM range(5) r(k)`,
    'zoned.parquet',
  )
  await write('SELECT 1 AS x', 'none.parquet').then(() => rm(join(folder, 'none.parquet')))
  const node = new FolderNode(folder)
  const [fields, timelines] = await node.getFields(1, 0)
  t.like(fields, {
    'tank.level': { type: 'number', timeline: 'tank' },
    'tank.even': { type: 'bool' },
    'tank.label': { type: 'string' },
  })
  t.true(Math.abs((timelines['tank']?.interval ?? 0) - 0.1) < 1e-9)
  t.deepEqual(await got(node, ['tank.level', 'tank.even', 'tank.label'], EPOCH + 1, EPOCH + 1.3), {
    data: { 'tank.level': [2.5, 2.75, 3], 'tank.even': [true, false, true], 'tank.label': ['n10', 'n11', 'n12'] },
    t: { tank: [EPOCH + 1, EPOCH + 1.1, EPOCH + 1.2] },
    final: null,
  })
  t.like(await got(node, ['count.n'], EPOCH + 2, EPOCH + 4), { data: { 'count.n': [2, 3] } })
  t.like(await got(node, ['zoned.level'], EPOCH + 100, EPOCH + 100.25), {
    t: { zoned: [100, 100.1, 100.2].map((s) => EPOCH + s) },
  })
  await duck.run(`COPY (SELECT 1 AS x) TO '${join(folder, 'timeless.parquet')}' (FORMAT parquet)`)
  await t.throwsAsync(new FolderNode(folder).getFields(1, 0), {
    code: 'ERR_SISOCK_FILE',
    message: /no column is a time/,
  })
})

test('a live source: numbers, texts, late samples, what is final, what is lost, what is not kept', async (t) => {
  const source = new HandmadeSource('eeg lab')
  source.signals.add({ nativeId: Buffer.from('eeg/0'), name: 'Cz', kind: 'eeg', unit: 'uV' })
  source.signals.add({ nativeId: Buffer.from('eeg/1'), name: 'Cz' })
  await source.connect()
  const node = new SourceNode(source, { keep: 60, settle: 2 })
  t.is(node.name, 'eeg-lab')
  const at = (seconds: number) => BigInt(EPOCH + seconds) * S
  source.rows([at(0), 0, 1], [at(2), 0, 3], [at(1), 0, 2], [at(10), 1, 7])
  const [fields] = await node.getFields(1, 0)
  t.deepEqual(Object.keys(fields), ['Cz', 'Cz (eeg/1)'])
  t.like(fields['Cz'], { units: 'uV', description: 'eeg', timeline: 'Cz' })
  t.deepEqual(await got(node, ['Cz', 'Cz (eeg/1)'], EPOCH, EPOCH + 11), {
    data: { Cz: [1, 2, 3], 'Cz (eeg/1)': [7] },
    t: { Cz: [EPOCH, EPOCH + 1, EPOCH + 2], 'Cz (eeg/1)': [EPOCH + 10] },
    final: EPOCH + 8,
  })
  const texts = new TableBuilder('measurement')
  source.signals.add({ nativeId: Buffer.from('log') })
  texts.push({ time: at(11), value: null, signal: 2, flags: 0, text: 'on' })
  source.give(texts.finish())
  t.like(await got(node, ['log'], EPOCH, EPOCH + 20), { data: { log: ['on'] } })
  const events = new TableBuilder('event')
  events.push({ stream: 'orders', schema_version: '1', rx: at(12), payload: '{"n":4,"ok":true,"who":"x","deep":{}}' })
  source.give(events.finish())
  t.like(await got(node, ['orders/n', 'orders/ok', 'orders/who'], EPOCH, EPOCH + 20), {
    data: { 'orders/n': [4], 'orders/ok': [true], 'orders/who': ['x'] },
  })
  source.miss(at(13), at(14), 5)
  t.like([...node.losses()][0], { cause: 'wire', count: 5 })
  t.like(new LocalBackend([node]).annotations((EPOCH + 13.5) * 1000, (EPOCH + 20) * 1000)[0], {
    time: (EPOCH + 13) * 1000,
    timeEnd: (EPOCH + 14) * 1000,
    tags: ['loss', 'wire', 'eeg-lab'],
  })
  source.miss(at(15), at(16), 0)
  t.like(new LocalBackend([node]).annotations((EPOCH + 15) * 1000, (EPOCH + 20) * 1000)[0], {
    title: 'interrupted, nothing lost',
  })
  source.rows(...Array.from({ length: 5000 }, (_, k) => [at(100) + BigInt(k) * 1_000_000n, 0, k] as const))
  t.is((await node.span())?.from, EPOCH + 100, 'what is older than `keep` is gone')
  await node.close()
  t.is(source.state, 'closed')
})

test('a live source as a node of a real router, up to what is final', async (t) => {
  const home = await house(t)
  await home.hub()
  const source = new HandmadeSource('plant')
  source.signals.add({ nativeId: Buffer.from('x'), name: 'x' })
  await source.connect()
  const node = home.keep(new SourceNode(source, home.server))
  await node.connect()
  source.rows(...Array.from({ length: 100 }, (_, k) => [BigInt(EPOCH) * S + BigInt(k) * 100_000_000n, 0, k] as const))
  const consumer = await home.consumer()
  const { data, timeline } = await consumer.getData('plant', ['x'], EPOCH, EPOCH + 100)
  t.deepEqual(
    [...(data['x'] as Float64Array)],
    Array.from({ length: 100 }, (_, k) => k),
  )
  t.is(timeline['x']?.finalizedUntil, EPOCH + 9.9 - 2)
})

test('a recording: windows, strides, extremes, losses, one that is still written', async (t) => {
  const directory = join(await temporary(t), 'recording')
  const sink = await StoreSink.open(directory)
  const source = new HandmadeSource('plant')
  source.signals.add({ nativeId: Buffer.from('a'), name: 'a', unit: 'V', rateHz: 10 })
  source.signals.add({ nativeId: Buffer.from('b'), name: 'b' })
  await source.connect()
  const time = (k: number) => BigInt(EPOCH) * S + BigInt(k) * 100_000_000n
  source.rows(...Array.from({ length: 2000 }, (_, k) => [time(k >> 1), k & 1, k === 1234 ? 1e6 : k >> 1] as const))
  source.miss(time(2000), time(2009), 10)
  const done = pipeline(source, sink)
  await source.drain()
  const { books } = await done
  await sink.settle(source, books)
  await sink.close()
  const [node] = (await RecordingNode.of(directory)) as [RecordingNode]
  const [fields, timelines] = await node.getFields(1, 0)
  t.like(fields['a'], { units: 'V', timeline: 'a' })
  t.is(timelines['a']?.interval, 0.1)
  t.deepEqual(await got(node, ['a', 'b'], EPOCH + 1, EPOCH + 1.2), {
    data: { a: [10, 11], b: [10, 11] },
    t: { a: [EPOCH + 1, EPOCH + 1.1], b: [EPOCH + 1, EPOCH + 1.1] },
    final: null,
  })
  t.like(await got(node, ['a'], EPOCH, EPOCH + 100, 50), { data: { a: [0, 500] } })
  t.is(
    await new RecordingNode(directory, { source: 'plant', allowance: 10 }).getData(['a'], EPOCH, EPOCH + 100, null),
    false,
  )
  const little = new RecordingNode(directory, { source: 'plant', allowance: 10 })
  t.like(await got(little, ['b', 'a'], EPOCH, EPOCH + 100, 50), { data: { a: [0, 500], b: [0, 500] } })
  t.is(await little.getData(['a', 'b'], EPOCH, EPOCH + 0.55, null), false)
  t.like(await got(little, ['a', 'b'], EPOCH, EPOCH + 0.45, null), { data: { a: [0, 1, 2, 3, 4], b: [0, 1, 2, 3, 4] } })
  const peaks = new RecordingNode(directory, { source: 'plant', decimation: 'extremes' })
  const thin = await got(peaks, ['a'], EPOCH, EPOCH + 100, 10)
  t.true(thin !== false && thin.data['a']?.includes(1e6), 'the spike is there')
  t.true(thin !== false && (thin.data['a']?.length ?? 0) <= 12)
  const backend = new LocalBackend([node])
  t.like(backend.annotations(0, Number.MAX_SAFE_INTEGER)[0], { title: 'lost: 10', tags: ['loss', 'wire', 'plant'] })
  t.deepEqual(await backend.span(), { from: EPOCH * 1000, to: (EPOCH + 99.9) * 1000 })
  await t.throwsAsync(backend.data('nobody', [], 0, 1, null), { code: 'ERR_SISOCK_NODE_MISSING' })
})

test('a recording of many files: only those with rows of a window are opened, what it says of itself is read once', async (t) => {
  const directory = join(await temporary(t), 'recording')
  const sink = await StoreSink.open(directory, { rotation: { bytes: 1 << 16, ms: 600_000 } })
  const source = new HandmadeSource('plant')
  source.signals.add({ nativeId: Buffer.from('a'), name: 'a' })
  await source.connect()
  for (let part = 0; part < 8; part++) {
    source.rows(...Array.from({ length: 5000 }, (_, k) => [BigInt(EPOCH + part * 5000 + k) * S, 0, part] as const))
  }
  const done = pipeline(source, sink)
  await source.drain()
  const { books } = await done
  await sink.settle(source, books)
  await sink.close()
  const table = join(directory, 'plant/measurement')
  const files = (await readdir(table)).sort()
  t.true(files.length >= 4, files.join())
  const [node] = (await RecordingNode.of(directory)) as [RecordingNode]
  await node.getFields(1, 0)
  // Who opened one of these would fail.
  for (const name of ['signal.parquet', 'loss.parquet', 'session.parquet'])
    await rm(join(directory, 'plant', name), { force: true })
  for (const name of files.slice(1, -1)) await rm(join(table, name))
  for (const seconds of [0, 39_998]) {
    t.deepEqual(await got(node, ['a'], EPOCH + seconds, EPOCH + seconds + 2), {
      data: { a: seconds === 0 ? [0, 0] : [7, 7] },
      t: { a: [EPOCH + seconds, EPOCH + seconds + 1] },
      final: null,
    })
  }
  await t.throwsAsync(node.getData(['a'], EPOCH, EPOCH + 40_000, null), { code: 'ERR_STORE_FILE_MISSING' })
})

test('a feed of an OCS agent, through a router', async (t) => {
  const home = await house(t)
  await home.hub()
  const node = home.keep(new OcsFeedNode({ ...home.server, target: 'LSA22', feed: 'temperatures' }))
  await node.connect()
  const agent = home.keep(new FolderNode(await temporary(t), { ...home.server, node: 'agent' }))
  await agent.connect()
  const block = {
    block_name: 'temps',
    timestamps: [EPOCH, EPOCH + 1],
    data: { 'Channel 01': [4.2, null], 'Channel 02': [77, 78] },
  }
  const topic = 'observatory.LSA22.feeds.temperatures'
  await agent.publish(topic, [[{ temps: block }, { feed_name: 'temperatures' }]], {}, { acknowledge: true })
  await agent.publish(topic, [['x']], {}, { acknowledge: true })
  await agent.publish(topic, [[{ temps: { timestamps: [1], data: { x: [1, 2] } } }]], {}, { acknowledge: true })
  const consumer = await home.consumer()
  const [fields] = await consumer.getFields('LSA22')
  t.is(fields['channel_01']?.timeline, 'observatory.LSA22.channel_01')
  const { data, timeline } = await consumer.getData('LSA22', ['channel_01', 'channel_02'], 1, 0)
  t.deepEqual([...(data['channel_01'] as Float64Array)], [4.2, Number.NaN])
  t.deepEqual([...(data['channel_02'] as Float64Array)], [77, 78])
  t.is(timeline['observatory.LSA22.channel_01']?.finalizedUntil, after(EPOCH + 1))
  t.is(node.ledger.totals.records, 2, 'what is no feed, and a channel of another length')
})

test('the sensors of the machine, and those that Linux has', async (t) => {
  const hwmon = await temporary(t)
  const chip = join(hwmon, 'hwmon0')
  await mkdir(chip)
  for (const [file, text] of [
    ['name', 'k10temp\n'],
    ['temp1_input', '45125\n'],
    ['temp1_label', 'Tctl\n'],
    ['fan1_input', '900\n'],
    ['temp2_input', 'broken'],
  ]) {
    await writeFile(join(chip, file as string), text as string)
  }
  const node = new SensorsNode({ hwmon, interval: 3600 })
  await node.start()
  await node.sample()
  const [fields, timelines] = await node.getFields(-60, 0)
  t.like(fields['k10temp_temp1'], { description: 'Tctl', units: 'C', timeline: 't' })
  t.is(timelines['t']?.field.length, Object.keys(fields).length)
  const reply = await got(
    node,
    ['k10temp_temp1', 'k10temp_fan1', 'k10temp_temp2', 'memory_total', 'cpu'],
    -60,
    Date.now(),
  )
  if (reply === false) return t.fail()
  t.deepEqual(reply.data['k10temp_temp1'], [45.125, 45.125])
  t.deepEqual(reply.data['k10temp_fan1'], [900, 900])
  t.deepEqual(reply.data['k10temp_temp2'], [Number.NaN, Number.NaN])
  t.true((reply.data['memory_total']?.[0] as number) > 1e6)
  await node.close()
})

test('places become nodes; two of a name are told apart', async (t) => {
  const folder = await temporary(t)
  for (const name of ['a/tables', 'b/tables']) {
    await mkdir(join(folder, name), { recursive: true })
    await writeFile(join(folder, name, 'x.csv'), `t,x\n${EPOCH},1\n`)
  }
  const open = () => Promise.reject(new Error('not asked'))
  const nodes = await openNodes([join(folder, 'a/tables'), `file:${folder}/b/tables`, 'ocs:LSA1/temps'], {}, open)
  t.deepEqual(
    nodes.map(({ name }) => name),
    ['tables', 'tables-2', 'LSA1'],
  )
  await t.throwsAsync(openNodes([folder], {}, open), { code: 'ERR_SISOCK_FILE' })
  await t.throwsAsync(openNodes([join(folder, 'nowhere')], {}, open), { code: 'ERR_SISOCK_FILE' })
  await t.throwsAsync(openNodes(['tia://127.0.0.1:1'], {}, open), { message: 'not asked' })
})
