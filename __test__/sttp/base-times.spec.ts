import test from 'ava'
import { Measurement } from '../../ts/sttp/measurement.js'
import { Ticks } from '../../ts/sttp/ticks.js'
import { COMPACT, idOf, publishing, T0, turns, Wire } from './wire-subscriber.js'

const EVERYTHING = 'FILTER ActiveMeasurements WHERE True'
const SECOND = 10_000_000n

for (const [name, settings, interval] of [
  ['ticks', {}, 420n],
  ['milliseconds', { useMillisecondResolution: true }, 60n],
] as const) {
  test(`base times are there from the first measurement on, and move on: ${name}`, async (t) => {
    const { network, publisher } = await publishing()
    const wire = await Wire.connect(network, COMPACT)
    wire.subscribe(EVERYTHING, settings)
    await turns()
    const times = Array.from({ length: 200 }, (_, n) => T0 + BigInt(n) * 15n * SECOND + 10_000n)
    for (const time of times) publisher.publishMeasurements([new Measurement(idOf(1), 1, time)])
    await turns()
    t.deepEqual(
      wire.rows.map(([, , time]) => time),
      times.map((time) => Ticks.toNs(time)),
    )
    const bases = wire.controls.filter(({ type }) => type === 'baseTimes')
    t.is(bases.length, Number((199n * 15n) / interval) + 1)
    t.deepEqual(
      bases.map(({ timeIndex }) => timeIndex),
      bases.map((_, at) => at % 2),
    )
    t.true(wire.types().indexOf('baseTimes') > wire.types().indexOf('signalIndexCache'))
    await publisher.close()
  })
}

test('sttpapi’s subscriber is never sent times that count from the second base', async (t) => {
  const { network, publisher } = await publishing()
  const wire = await Wire.connect(network, COMPACT)
  wire.subscribe(EVERYTHING, { source: 'STTP Python Library', useMillisecondResolution: true })
  await turns()
  for (let n = 0n; n < 50n; n++) publisher.publishMeasurements([new Measurement(idOf(1), 1, T0 + n * 10n * SECOND)])
  await turns()
  t.is(wire.rows.length, 50)
  const bases = wire.controls.filter(({ type }) => type === 'baseTimes')
  t.true(bases.length > 5)
  t.true(bases.every(({ timeIndex }) => timeIndex === 0))
  await publisher.close()
})

test('base times follow the clock where it is asked for; without a time, or where they are not used, there are none', async (t) => {
  const { clock, network, publisher } = await publishing()
  const local = await Wire.connect(network, COMPACT)
  local.subscribe(EVERYTHING, { useLocalClockAsRealTime: true })
  const timeless = await Wire.connect(network, COMPACT)
  timeless.subscribe(EVERYTHING, { includeTime: false })
  await turns()
  const hourAgo = Ticks.fromNs(clock.now()) - 3600n * SECOND
  publisher.publishMeasurements([new Measurement(idOf(1), 1, hourAgo)])
  await turns()
  const base = local.controls.find(({ type }) => type === 'baseTimes')?.baseTimes?.[0]
  t.is(base, Ticks.fromNs(clock.now()) - SECOND)
  // Too far from its base, the time is sent in full.
  t.is(local.rows[0]?.[2], Ticks.toNs(hourAgo))
  t.false(timeless.types().includes('baseTimes'))
  t.is(timeless.rows[0]?.[2], -1n)
  await publisher.close()

  const without = await publishing({ useBaseTimeOffsets: false })
  const wire = await Wire.connect(without.network, COMPACT)
  wire.subscribe(EVERYTHING)
  await turns()
  without.publisher.publishMeasurements([new Measurement(idOf(1), 1, T0)])
  await turns()
  t.false(wire.types().includes('baseTimes'))
  t.is(wire.rows.length, 1)
  await without.publisher.close()
})
