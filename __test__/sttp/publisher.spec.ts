import { gunzipSync } from 'node:zlib'
import test from 'ava'
import { Block, MeasurementBatch } from '../../ts/batch/index.js'
import { DataSet } from '../../ts/sttp/data-set.js'
import { Measurement } from '../../ts/sttp/measurement.js'
import { Publisher } from '../../ts/sttp/publisher.js'
import { Ticks } from '../../ts/sttp/ticks.js'
import { COMPACT, frame, idOf, publishing, T0, TSSC, turns, Wire, xml } from './wire-subscriber.js'

for (const [name, modes] of [
  ['TSSC', TSSC],
  ['compact', COMPACT],
  ['TSSC of version 1', 0xe000_0261],
] as const) {
  test(`measurements of the signals subscribed arrive as they were published: ${name}`, async (t) => {
    const { network, publisher } = await publishing()
    const wire = await Wire.connect(network, modes)
    wire.subscribe("FILTER ActiveMeasurements WHERE SignalType <> 'FREQ' ORDER BY PointTag")
    await turns()
    const published = Array.from({ length: 50 }, (_, n) => frame(n))
    for (const measurements of published) publisher.publishMeasurements(measurements)
    await turns()
    const cache = wire.controls.find(({ type }) => type === 'signalIndexCache')
    const wanted = [1, 2, 4, 5]
    // Compact flags stand for a whole group of bits each.
    const flagsOf = (n: number) => (modes === COMPACT && n % 3 > 0 ? 0xef03 : n % 3)
    t.deepEqual(
      wire.rows.map(([index, value, time, flags]) => [wanted[index], value, time, flags]),
      published.flatMap((measurements, n) =>
        wanted.map((k) => {
          const { value, timestamp } = measurements[k] as Measurement
          return [k, value, Ticks.toNs(timestamp), flagsOf(n)]
        }),
      ),
    )
    t.is(cache?.signalIds?.length, 4 * 16)
    t.deepEqual(cache?.sources, ['INTEROP', 'INTEROP', 'INTEROP', 'INTEROP'])
    t.deepEqual([...(cache?.keyIds ?? [])], [2n, 3n, 5n, 6n])
    const form = modes === COMPACT ? 'compact' : 'TSSC'
    t.is(wire.texts().at(-1), `Client subscribed as ${form} with 4 signals.`)
    await publisher.close()
  })
}

test('what is published before the cache is confirmed is held, not dropped', async (t) => {
  const { network, publisher } = await publishing()
  const wire = await Wire.connect(network, TSSC)
  wire.confirms = false
  wire.subscribe('FILTER ActiveMeasurements WHERE True')
  await turns()
  for (let n = 0; n < 10; n++) publisher.publishMeasurements(frame(n))
  await turns()
  t.is(wire.rows.length, 0)
  wire.send({ type: 'confirmUpdateSignalIndexCache' })
  await turns()
  t.is(wire.rows.length, 60)
  t.is(publisher.stats.dropped, 0)
  await publisher.close()
})

test('what was held for one who leaves without confirming is lost as far as it was subscribed', async (t) => {
  const { network, publisher } = await publishing()
  const wire = await Wire.connect(network, TSSC)
  wire.confirms = false
  wire.subscribe('FILTER TOP 2 ActiveMeasurements WHERE True')
  await turns()
  for (let n = 0; n < 10; n++) publisher.publishMeasurements(frame(n))
  await turns()
  network.cut()
  await turns()
  t.is(publisher.connections.length, 0)
  t.deepEqual(
    [...publisher.ledger].map(({ cause, count }) => [cause, count]),
    [['queue', 20]],
  )
  t.is(publisher.stats.dropped, 20)
  await publisher.close()
})

test('while a cache is unconfirmed the old one is used and a newer subscription waits, only the newest of them', async (t) => {
  const { network, publisher } = await publishing()
  const wire = await Wire.connect(network, TSSC)
  wire.subscribe("FILTER ActiveMeasurements WHERE PointTag LIKE '%T0'")
  await turns()
  wire.confirms = false
  const caches = () => wire.controls.filter(({ type }) => type === 'signalIndexCache')
  for (const k of [1, 2, 3]) wire.subscribe(`FILTER ActiveMeasurements WHERE PointTag LIKE '%T${k}'`)
  await turns()
  publisher.publishMeasurements(frame(0))
  await turns()
  t.deepEqual(
    caches().map(({ cacheIndex, sources }) => [cacheIndex, sources?.length]),
    [
      [0, 1],
      [1, 1],
    ],
  )
  t.deepEqual(
    wire.rows.map(([, value]) => value),
    [0],
  )
  wire.send({ type: 'confirmUpdateSignalIndexCache' })
  await turns()
  t.is(caches().length, 3)
  // The cache in use must not be replaced: the one that was passed over is.
  t.is(caches()[2]?.cacheIndex, 1)
  wire.send({ type: 'confirmUpdateSignalIndexCache' })
  await turns()
  publisher.publishMeasurements(frame(1))
  await turns()
  t.deepEqual(
    wire.rows.map(([, value]) => value),
    [0, 3000.25],
  )
  t.is(publisher.subscribers[0]?.signals, 1)
  await publisher.close()
})

test('metadata are sent as they were asked for, filtered by the publisher', async (t) => {
  const { network, publisher } = await publishing()
  const wire = await Wire.connect(network, TSSC)
  wire.send({ type: 'metadataRefresh' })
  wire.send({ type: 'metadataRefresh', filters: "FILTER MeasurementDetail WHERE SignalAcronym = 'FREQ'" })
  wire.send({ type: 'metadataRefresh', filters: 'FILTER Nowhere WHERE True' })
  await turns()
  for (let wait = 0; wait < 500 && wire.controls.length < 4; wait++) await turns()
  const sets = wire.controls.flatMap(({ type, payload }) =>
    type === 'metadata' && payload ? [gunzipSync(payload)] : [],
  )
  const rows = sets.map((bytes) => DataSet.fromXml(bytes)[0]?.table('MeasurementDetail')?.rows)
  t.deepEqual(rows.sort(), [2, 6])
  t.true(sets.every((bytes) => !bytes.includes('ActiveMeasurements')))
  t.true(wire.texts().includes('line 1, column 8: there is no table "Nowhere"'))
  await publisher.close()
})

test('filters that are wrong and subscriptions that are not served are refused, and the connection stays', async (t) => {
  const { network, publisher } = await publishing()
  const wire = await Wire.connect(network, TSSC)
  wire.subscribe('FILTER ActiveMeasurements WHERE Nothing = 1')
  wire.subscribe('', { flags: 3 })
  wire.send({ type: 'rotateCipherKeys' })
  wire.send({ type: 'unsubscribe' })
  await turns()
  t.deepEqual(
    wire.controls.map(({ type }) => type),
    ['succeeded', 'failed', 'failed', 'failed', 'succeeded'],
  )
  t.false(wire.isClosed)
  await publisher.close()
})

test('a version that is not spoken is refused, and the connection closed after a second', async (t) => {
  const { network, publisher, clock } = await publishing()
  const wire = await Wire.connect(network, 0xe000_0264)
  await turns()
  t.regex(wire.texts()[0] ?? '', /version 4 is not supported/)
  t.false(wire.isClosed)
  await clock.advance(1000)
  await turns()
  t.true(wire.isClosed)
  await publisher.close()
})

test('a publisher says that it is alive', async (t) => {
  const { network, publisher, clock } = await publishing()
  const wire = await Wire.connect(network, TSSC)
  await clock.advance(15_000)
  await turns()
  t.is(wire.types().filter((type) => type === 'noOp').length, 3)
  await publisher.close()
})

test('new metadata are told, and a subscription is not lost by them', async (t) => {
  const { network, publisher } = await publishing()
  const wire = await Wire.connect(network, TSSC)
  wire.subscribe('FILTER ActiveMeasurements WHERE True')
  await turns()
  publisher.defineMetadata(DataSet.fromXml(xml)[0] as DataSet)
  publisher.publishMeasurements(frame(0))
  await turns()
  t.true(wire.types().includes('configurationChanged'))
  t.is(wire.rows.length, 6)
  await publisher.close()
})

for (const modes of [TSSC, COMPACT]) {
  test(`subscribers with equal subscriptions are brought together, and none misses a row: ${modes.toString(16)}`, async (t) => {
    const { network, publisher, clock } = await publishing()
    const wires: Wire[] = []
    let n = 0
    const since: number[] = []
    for (let subscriber = 0; subscriber < 5; subscriber++) {
      const wire = await Wire.connect(network, modes)
      wire.subscribe('FILTER ActiveMeasurements WHERE True')
      await turns()
      wires.push(wire)
      since.push(n)
      for (let step = 0; step < 6; step++) {
        publisher.publishMeasurements(frame(n++))
        await clock.advance(400)
        await turns()
      }
    }
    const caches = (wire: Wire) => wire.controls.filter(({ type }) => type === 'signalIndexCache')
    t.true(caches(wires[0] as Wire).length >= 4)
    t.is(new Set(publisher.connections.map(({ cohort }) => cohort)).size, 1)
    for (const [index, wire] of wires.entries()) {
      const expected = Array.from({ length: n - (since[index] as number) }, (_, step) =>
        frame(step + (since[index] as number)),
      )
      t.deepEqual(
        wire.rows.map(([k, value, time]) => [k, value, time]),
        expected
          .flat()
          .map(({ signalId, value, timestamp }) => [
            Number.parseInt(signalId.slice(-4), 16),
            value,
            Ticks.toNs(timestamp),
          ]),
      )
      t.false(wire.types().includes('loss'))
    }
    await publisher.close()
  })
}

test('a subscriber that does not read harms nobody; what it missed is counted, and then it goes on', async (t) => {
  const { network, publisher, clock } = await publishing({ queueBytes: 4000 })
  const [slow, quick] = [await Wire.connect(network, TSSC), await Wire.connect(network, COMPACT)]
  for (const wire of [slow, quick]) wire.subscribe('FILTER ActiveMeasurements WHERE True')
  await turns()
  slow.pause()
  const frames = 40_000
  for (let n = 0; n < frames; n++) {
    publisher.publishMeasurements(frame(n))
    if (n % 20 === 0) await turns(1)
  }
  await turns()
  const [connection] = publisher.connections
  t.true((connection?.queuedBytes ?? Number.POSITIVE_INFINITY) < 2_000_000)
  t.is(quick.rows.length, frames * 6)
  slow.resume()
  await turns(20)
  await clock.advance(5000)
  await turns(20)
  publisher.publishMeasurements(frame(frames))
  await turns()
  t.true(publisher.stats.dropped > 0)
  t.is(slow.rows.length + publisher.stats.dropped, (frames + 1) * 6)
  t.is(slow.rows.at(-1)?.[1], 5000 + 0.25 * frames)
  t.false(slow.types().includes('loss'))
  const [loss] = [...publisher.ledger]
  t.like(loss, { cause: 'queue', count: publisher.stats.dropped })
  await publisher.close()
})

test('under disconnect a subscriber that does not read is left, and what waited for it is in the ledger', async (t) => {
  const told: unknown[] = []
  const { network, publisher } = await publishing({
    policy: 'disconnect',
    queueBytes: 4000,
    onStatus: ({ state, detail }) => state === 'peer-stalled' && told.push(detail?.['queuedBytes']),
  })
  const [slow, quick] = [await Wire.connect(network, COMPACT), await Wire.connect(network, COMPACT)]
  for (const wire of [slow, quick]) wire.subscribe('FILTER ActiveMeasurements WHERE True')
  await turns()
  slow.pause()
  let n = 0
  while (publisher.connections.length === 2) {
    for (const end = n + 20; n < end; n++) publisher.publishMeasurements(frame(n))
    await turns(1)
  }
  await turns()
  t.is(quick.rows.length, n * 6)
  t.is(told.length, 1)
  t.true((told[0] as number) > 4000)
  const [loss, ...more] = [...publisher.ledger]
  t.like(loss, { cause: 'queue', count: publisher.stats.dropped })
  t.deepEqual([publisher.stats.dropped > 0, more.length], [true, 0])
  await publisher.close()
})

test('a batch of another table is published by the ids of its signals', async (t) => {
  const { network, publisher } = await publishing()
  const wire = await Wire.connect(network, TSSC)
  wire.subscribe('FILTER ActiveMeasurements WHERE True')
  await turns()
  const other = new Publisher()
  const set = DataSet.fromXml(xml)[0] as DataSet
  other.signals.add({ nativeId: Buffer.from(idOf(4).replaceAll('-', ''), 'hex') })
  other.defineMetadata(set)
  const block = new Block(2)
  block.time.set([0n, 100n])
  block.value.set([1, 2])
  block.signal.set([0, 1])
  block.count = 2
  publisher.publish(new MeasurementBatch(block, other.signals))
  await turns()
  t.deepEqual(wire.rows, [
    [4, 1, 0n, 0],
    [0, 2, 100n, 0],
  ])
  await publisher.close()
})

test('stop sends what is queued, then closes', async (t) => {
  const { network, publisher } = await publishing()
  const wire = await Wire.connect(network, COMPACT)
  wire.subscribe('FILTER ActiveMeasurements WHERE True')
  await turns()
  publisher.publishMeasurements(frame(0))
  t.true(await publisher.stop())
  await turns()
  t.is(wire.rows.length, 6)
  t.true(wire.isClosed)
})

test('stop waits for a cache that is not confirmed, for a while', async (t) => {
  for (const confirms of [true, false]) {
    const { clock, network, publisher } = await publishing()
    const wire = await Wire.connect(network, COMPACT)
    wire.confirms = false
    wire.subscribe('FILTER ActiveMeasurements WHERE True')
    await turns()
    publisher.publishMeasurements(frame(0))
    const stopped = publisher.stop()
    await turns()
    t.false(wire.isClosed)
    if (confirms) wire.send({ type: 'confirmUpdateSignalIndexCache' })
    else await clock.advance(5000)
    await turns()
    t.true(await stopped)
    t.is(wire.rows.length, confirms ? 6 : 0)
    t.is(publisher.stats.dropped, confirms ? 0 : 6)
    t.true(wire.isClosed)
  }
})

test('a signal without a GUID cannot be published', async (t) => {
  const { publisher } = await publishing()
  t.throws(() => publisher.publishMeasurements([new Measurement('T1', 1, T0)]), { code: 'ERR_STTP_SIGNAL_ID' })
  await publisher.close()
})

test('measurements wait for others as long as they may, and go out in one packet', async (t) => {
  const { clock, network, publisher } = await publishing({ maxDelay: 5 })
  const wire = await Wire.connect(network, TSSC)
  wire.subscribe('FILTER ActiveMeasurements WHERE True')
  await turns()
  const before = publisher.stats.messagesOut
  const rows = () => wire.rows.map(([signal, value]) => [signal, value])
  publisher.publishMeasurements(frame(0))
  await clock.advance(4)
  publisher.publishMeasurements(frame(1))
  await turns()
  t.deepEqual(rows(), [])
  await clock.advance(1)
  await turns()
  const values = (n: number) => frame(n).map(({ value }, k) => [k, value])
  t.deepEqual(rows(), [...values(0), ...values(1)])
  t.is(publisher.stats.messagesOut - before, 1)
  publisher.publishMeasurements(frame(2))
  await clock.advance(4)
  await turns()
  t.is(wire.rows.length, 12)
  // What waits still goes out when the publisher stops.
  await publisher.stop()
  await turns()
  t.deepEqual(rows().slice(12), values(2))
})

test('what waits for others is in the books of its subscriber when the publisher is closed', async (t) => {
  const { network, publisher } = await publishing({ maxDelay: 1000 })
  const wire = await Wire.connect(network, TSSC)
  wire.subscribe('FILTER ActiveMeasurements WHERE True')
  await turns()
  const [connection] = publisher.connections
  publisher.publishMeasurements(frame(0))
  t.is(connection?.stats.received, 0)
  await publisher.close()
  t.is(connection?.stats.received, 6)
})

test('what would wait with too many others goes out before its time, and a large batch by itself', async (t) => {
  const { network, publisher } = await publishing({ maxDelay: 1000 })
  const wire = await Wire.connect(network, TSSC)
  wire.subscribe('FILTER ActiveMeasurements WHERE True')
  await turns()
  for (let n = 0; n < 16_384 / 6; n++) publisher.publishMeasurements(frame(n))
  await turns(30)
  t.is(wire.rows.length, 16_380)
  publisher.publishMeasurements(Array.from({ length: 1000 }, (_, n) => frame(n)).flat())
  await turns(30)
  t.is(wire.rows.length, 16_386 + 6000)
  await publisher.close()
})
