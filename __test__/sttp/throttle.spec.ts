import test from 'ava'
import { Measurement } from '../../ts/sttp/measurement.js'
import { StateFlags } from '../../ts/sttp/state-flags.js'
import { Ticks } from '../../ts/sttp/ticks.js'
import { COMPACT, frame, idOf, publishing, T0, TSSC, turns, Wire } from './wire-subscriber.js'

const EVERYTHING = 'FILTER ActiveMeasurements WHERE True'

for (const modes of [TSSC, COMPACT]) {
  test(`a throttled subscription gets the latest of each signal every interval: ${modes.toString(16)}`, async (t) => {
    const { clock, network, publisher } = await publishing()
    const wire = await Wire.connect(network, modes)
    wire.subscribe(EVERYTHING, { throttled: true, publishInterval: 2 })
    await turns()
    for (let n = 0; n < 100; n++) publisher.publishMeasurements(frame(n, 4))
    await turns()
    t.is(wire.rows.length, 0)
    await clock.advance(2000)
    await turns()
    t.deepEqual(
      wire.rows.map(([signal, value]) => [signal, value]),
      [0, 1, 2, 3].map((k) => [k, 1000 * k + 0.25 * 99]),
    )
    // The same again, since nothing newer came; and what is older than what there is does not count.
    publisher.publishMeasurements([new Measurement(idOf(0), -1, T0)])
    await clock.advance(4000)
    await turns()
    t.is(wire.rows.length, 12)
    t.true(wire.rows.every(([, value]) => value >= 0))
    await publisher.close()
  })
}

test('times out of lag and lead time become NaN with a bad time, measured by the latest time or by the clock', async (t) => {
  const { clock, network, publisher } = await publishing()
  const settings = { throttled: true, publishInterval: 1, enableTimeReasonabilityCheck: true, lagTime: 3, leadTime: 1 }
  const latest = await Wire.connect(network, TSSC)
  latest.subscribe(EVERYTHING, settings)
  const local = await Wire.connect(network, TSSC)
  local.subscribe(EVERYTHING, { ...settings, useLocalClockAsRealTime: true })
  await turns()
  const now = Ticks.fromNs(clock.now())
  const at = (k: number, seconds: number) => new Measurement(idOf(k), k + 1, now + BigInt(seconds * 1e7))
  publisher.publishMeasurements([at(0, -5), at(1, -2), at(2, 0), at(3, 10)])
  await clock.advance(1000)
  await turns()
  const bad = (wire: Wire) =>
    wire.rows.map(([k, value, , flags]) => [k, Number.isNaN(value), (flags & StateFlags.BadTime) !== 0])
  // The latest that was published is 10 s ahead.
  t.deepEqual(bad(latest), [
    [0, true, true],
    [1, true, true],
    [2, true, true],
    [3, false, false],
  ])
  t.deepEqual(bad(local), [
    [0, true, true],
    [1, false, false],
    [2, false, false],
    [3, true, true],
  ])
  await publisher.close()
})

test('an interval that cannot be is the lag time, or a second', async (t) => {
  const { clock, network, publisher } = await publishing()
  const [second, lag] = [await Wire.connect(network, TSSC), await Wire.connect(network, TSSC)]
  second.subscribe(EVERYTHING, { throttled: true, publishInterval: 0 })
  lag.subscribe(EVERYTHING, { throttled: true, publishInterval: -1, lagTime: 4 })
  await turns()
  publisher.publishMeasurements(frame(0, 1))
  await clock.advance(4000)
  await turns()
  t.deepEqual([second.rows.length, lag.rows.length], [4, 1])
  await publisher.close()
})

test('nothing goes on when the last throttled subscriber has left', async (t) => {
  const { clock, network, publisher } = await publishing()
  const wire = await Wire.connect(network, TSSC)
  wire.subscribe(EVERYTHING, { throttled: true, publishInterval: 1 })
  await turns()
  publisher.publishMeasurements(frame(0, 1))
  await clock.advance(1000)
  wire.send({ type: 'unsubscribe' })
  await turns()
  const before = wire.rows.length
  await clock.advance(10_000)
  await turns()
  t.deepEqual([before, wire.rows.length], [1, 1])
  // The keep-alive of the connection is the only timer left.
  t.is(clock.pending, 1)
  await publisher.close()
})
