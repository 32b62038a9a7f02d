import test, { type ExecutionContext } from 'ava'
import { MemoryNetwork, type SessionOptions, SimulatedClock, SYNTHETIC_T0 } from '../../ts/session/index.js'
import { serve } from '../../ts/sttp/serve.js'
import { openSource } from '../../ts/sttp/source.js'
import type { Subscriber } from '../../ts/sttp/subscriber.js'
import { Synthetic } from '../../ts/sttp/synthetic.js'

type Options = Readonly<Record<string, string | true>>

const mapOf = (options: Options) => new Map(Object.entries({ port: '0', signals: '4', ...options }))

/** What is served under these options, and the rows that a source with these gets until it ends. */
async function served(
  t: ExecutionContext,
  options: Options,
  source: Readonly<Record<string, string>> = {},
  session: SessionOptions = {},
) {
  const publisher = await serve(mapOf({ 'wait-subscriber': true, ...options }), session)
  t.teardown(() => publisher.close())
  const subscriber = await sourceOf(publisher.port, source, session)
  t.teardown(() => subscriber.close())
  const rows: [name: string, value: number, time: bigint][] = []
  const tables = new Set<string>()
  await subscriber.consume((batch) => {
    tables.add(batch.table)
    if (batch.table !== 'measurement') return
    for (let row = 0; row < batch.length; row++) {
      const { name = '' } = batch.signals.at(batch.signal[row] as number) ?? {}
      rows.push([name, batch.value[row] as number, batch.time[row] as bigint])
    }
  })
  return { publisher, subscriber, rows, tables }
}

/** A source as the command line opens it. */
async function sourceOf(
  port: number,
  options: Readonly<Record<string, string>> = {},
  session: SessionOptions = {},
): Promise<Subscriber> {
  const place = {
    host: '127.0.0.1',
    port,
    option: (name: string) => options[name],
    flag: (name: string) => options[name] === '1',
    choice: <T extends string>(name: string) => options[name] as T | undefined,
  }
  return openSource(place, { reconnect: false, ...session })
}

for (const encoding of ['tssc', 'compact']) {
  test(`what is served is what a source gets, to the end: ${encoding}`, async (t) => {
    const { rows, subscriber, publisher } = await served(t, { frames: '300', rate: 'max' }, { encoding })
    t.is(rows.length, 1200)
    const synthetic = new Synthetic({ signals: 4, rate: 30 })
    for (const [at, [name, value, time]] of rows.entries()) {
      const k = at % 4
      const n = Math.floor(at / 4)
      if (name !== `SYN:T${k}` || value !== 1000 * k + 0.25 * n || time !== synthetic.timeOf(n)) t.fail(`row ${at}`)
    }
    t.is(subscriber.ledger.totals.records, 0)
    t.is(publisher.stats.dropped, 0)
  })
}

test('options of a source ask for what they say', async (t) => {
  const options = {
    encoding: 'compact',
    milliseconds: '1',
    'nan-filter': '1',
    extra: 'bufferBlockRetransmissionTimeout=9',
  }
  const { rows, publisher } = await served(t, { frames: '3', 'no-base-times': true }, options)
  t.is(rows.length, 12)
  t.is(rows[0]?.[2], SYNTHETIC_T0)
  t.true(publisher.stats.bytesOut > 12 * 17)
})

test('filters of a source choose its metadata', async (t) => {
  const filter = "FILTER MeasurementDetail WHERE PointTag = 'SYN:T1'; FILTER DeviceDetail WHERE False"
  const { rows, subscriber } = await served(t, { frames: '3' }, { 'metadata-filter': filter })
  t.deepEqual(
    subscriber.metadata?.tables.map(({ name, rows }) => [name, rows]),
    [
      ['DeviceDetail', 0],
      ['MeasurementDetail', 1],
      ['PhasorDetail', 0],
      ['SchemaVersion', 1],
    ],
  )
  t.is(rows.filter(([name]) => name === 'SYN:T1').length, 3)
  t.is(rows.length, 12)
})

test('a source passes on what a publisher wants to know of its limits', async (t) => {
  const asked: (string | undefined)[] = []
  const publisher = await serve(mapOf({}))
  t.teardown(() => publisher.close())
  publisher.history = async function* ({ parameters }) {
    asked.push(parameters)
    yield* []
  }
  const source = await sourceOf(publisher.port, { start: '*-1h', constraints: 'archive=PPA; quality=good' })
  for await (const _ of source) t.fail('there is nothing')
  await source.close()
  t.deepEqual(asked, ['archive=PPA; quality=good'])
})

test('a throttled source gets the latest values', async (t) => {
  const clock = new SimulatedClock()
  const session = { clock, network: new MemoryNetwork({ clock }) }
  const asked = { throttled: '1', 'publish-interval': '0.2', 'lag-time': '1', 'lead-time': '1', 'local-clock': '1' }
  let isOver = false
  const serving = served(t, { frames: '60', rate: '60' }, asked, session).finally(() => {
    isOver = true
  })
  while (!isOver) await clock.advance(10)
  const { rows } = await serving
  // 60 frames are a second, in which the interval is over four times, each time before the frame of that moment.
  t.deepEqual(
    rows.map(([, value]) => value),
    [11, 23, 35, 47].flatMap((n) => [0, 1, 2, 3].map((k) => 1000 * k + 0.25 * n)),
  )
})

test('only permitted signals are served', async (t) => {
  const { rows } = await served(t, { frames: '5', permit: "PointTag = 'SYN:T2'" })
  t.deepEqual(new Set(rows.map(([name]) => name)), new Set(['SYN:T2']))
  t.is(rows.length, 5)
})

test('blocks are served beside measurements', async (t) => {
  const { tables } = await served(t, { frames: '70', rate: '50', 'buffer-block': '100' })
  t.deepEqual(tables, new Set(['measurement', 'record']))
})

test('options that cannot be are told', async (t) => {
  for (const options of [
    { 'nan-filter': 'sometimes' },
    { 'max-connections': 'many' },
    { 'queue-bytes': '1' },
    { policy: 'hope' },
  ] as Options[]) {
    await t.throwsAsync(serve(mapOf(options)), { code: 'ERR_STTP_OPTION_INVALID' }, JSON.stringify(options))
  }
  await t.throwsAsync(sourceOf(1, { 'lag-time': 'long' }), { code: 'ERR_STTP_OPTION_INVALID' })
  await t.throwsAsync(sourceOf(1, { 'max-retries': '-1' }), { code: 'ERR_STTP_OPTION_INVALID' })
  await t.throwsAsync(sourceOf(1, { extra: 'nothing' }), { code: 'ERR_STTP_SUBSCRIPTION_OPTION' })
})
