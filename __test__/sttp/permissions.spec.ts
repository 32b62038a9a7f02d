import test from 'ava'
import { Measurement } from '../../ts/sttp/measurement.js'
import type { PublisherOptions } from '../../ts/sttp/publisher-options.js'
import { COMPACT, frame, idOf, publishing, T0, TSSC, turns, Wire } from './wire-subscriber.js'

const EVERYTHING = 'FILTER ActiveMeasurements WHERE True'

for (const [name, options, asks, isFiltered] of [
  ['asked for and allowed', {}, true, true],
  ['asked for and not allowed', { isNaNValueFilterAllowed: false }, true, false],
  ['not asked for', {}, false, false],
  ['forced', { isNaNValueFilterForced: true }, false, true],
] as const satisfies [string, PublisherOptions, boolean, boolean][]) {
  for (const modes of [TSSC, COMPACT]) {
    test(`the NaN filter ${name}: ${modes.toString(16)}`, async (t) => {
      const { network, publisher } = await publishing(options)
      const wire = await Wire.connect(network, modes)
      wire.subscribe(EVERYTHING, { requestNanValueFilter: asks })
      await turns()
      const of = (k: number, value: number) => new Measurement(idOf(k), value, T0)
      publisher.publishMeasurements([of(0, 1), of(1, Number.NaN), of(2, 3)])
      publisher.publishMeasurements([of(0, Number.NaN)])
      await turns()
      t.deepEqual(
        wire.rows.map(([k, value]) => [k, value]),
        isFiltered
          ? [
              [0, 1],
              [2, 3],
            ]
          : [
              [0, 1],
              [1, Number.NaN],
              [2, 3],
              [0, Number.NaN],
            ],
      )
      const [subscriber] = publisher.subscribers
      t.is(subscriber?.stats.filtered, isFiltered ? 2 : 0)
      t.is(subscriber?.stats.received, 4)
      t.is(publisher.stats.filtered, isFiltered ? 2 : 0)
      await publisher.close()
    })
  }
}

test('a subscriber gets no signal that it is not permitted, and is told so; permissions can change', async (t) => {
  const denied = new Set(['INTEROP_DEV!T1', 'INTEROP_DEV!T4'])
  const { network, publisher } = await publishing({ permit: (_, { name }) => !denied.has(name) })
  const wire = await Wire.connect(network, TSSC)
  wire.subscribe(EVERYTHING)
  await turns()
  publisher.publishMeasurements(frame(0))
  await turns()
  const caches = () => wire.controls.filter(({ type }) => type === 'signalIndexCache')
  const ids = (bytes: Uint8Array | undefined) =>
    Buffer.from(bytes ?? [])
      .toString('hex')
      .match(/.{32}/g) ?? []
  const hex = (k: number) => idOf(k).replaceAll('-', '')
  t.deepEqual(ids(caches()[0]?.unauthorized), [hex(1), hex(4)])
  t.deepEqual(
    wire.rows.map(([, value]) => value),
    [0, 2000, 3000, 5000],
  )
  t.is(publisher.subscribers[0]?.signals, 4)

  denied.clear()
  denied.add('INTEROP_DEV!T0')
  publisher.updatePermissions()
  await turns()
  publisher.publishMeasurements(frame(0))
  await turns()
  t.deepEqual(ids(caches()[1]?.unauthorized), [hex(0)])
  t.deepEqual(
    wire.rows.slice(4).map(([, value]) => value),
    [1000, 2000, 3000, 4000, 5000],
  )
  t.is(wire.texts().filter((text) => text?.startsWith('Client subscribed')).length, 1)
  await publisher.close()
})

test('metadata are not given out where they are not allowed', async (t) => {
  const { network, publisher } = await publishing({ isMetadataRefreshAllowed: false })
  const wire = await Wire.connect(network, TSSC)
  wire.send({ type: 'metadataRefresh' })
  await turns()
  t.deepEqual(wire.types(), ['succeeded', 'failed'])
  publisher.isMetadataRefreshAllowed = true
  wire.send({ type: 'metadataRefresh' })
  for (let wait = 0; wait < 500 && wire.controls.length < 3; wait++) await turns()
  t.is(wire.types().at(-1), 'metadata')
  await publisher.close()
})

test('one subscriber more than are allowed is refused', async (t) => {
  const { network, publisher } = await publishing({ maximumAllowedConnections: 1 })
  const first = await Wire.connect(network, TSSC)
  const second = await Wire.connect(network, TSSC)
  await turns()
  t.deepEqual([first.isClosed, second.isClosed, publisher.connections.length], [false, true, 1])
  publisher.maximumAllowedConnections = -1
  const third = await Wire.connect(network, TSSC)
  await turns()
  t.deepEqual([third.isClosed, publisher.connections.length], [false, 2])
  await publisher.close()
})

test('what subscribers are and do is described, each with its counters', async (t) => {
  const { network, publisher } = await publishing()
  const wire = await Wire.connect(network, COMPACT)
  wire.subscribe(EVERYTHING, { source: 'some program', version: '1.2' })
  await turns()
  publisher.publishMeasurements(frame(0))
  await turns()
  const [subscriber, ...more] = publisher.subscribers
  t.is(more.length, 0)
  t.like(subscriber, {
    program: 'some program 1.2',
    version: 2,
    encoding: 'compact',
    isSubscribed: true,
    filter: EVERYTHING,
    signals: 6,
  })
  const { stats } = subscriber ?? { stats: publisher.stats }
  t.is(stats.received, 6)
  t.is(stats.messagesIn, 3)
  t.deepEqual(
    [stats.bytesIn, stats.bytesOut, stats.messagesIn, stats.messagesOut],
    [publisher.stats.bytesIn, publisher.stats.bytesOut, publisher.stats.messagesIn, publisher.stats.messagesOut],
  )
  t.true(stats.bytesOut > 6 * 13)
  t.is(publisher.stats.received, 6)
  await publisher.close()
})
