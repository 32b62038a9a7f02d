import test, { type ExecutionContext } from 'ava'
import { MeasurementBatch } from '../../ts/batch/index.js'
import { MemoryNetwork, SimulatedClock, SYNTHETIC_T0 } from '../../ts/session/index.js'
import { constraintTime, type HistoryRequest } from '../../ts/sttp/history.js'
import { Publisher } from '../../ts/sttp/publisher.js'
import { Subscriber } from '../../ts/sttp/subscriber.js'
import { constraintText, type SubscriptionSettings } from '../../ts/sttp/subscription.js'
import { Synthetic } from '../../ts/sttp/synthetic.js'

const PORT = 7165
const SIGNALS = 4
const FRAMES = 100
const RATE = 10
const SECOND = 1_000_000_000n
const T0 = SYNTHETIC_T0
// Metadata are read by other threads, which simulated time does not wait for.
const quiet = { statusMessage: false, errorMessage: false, autoRequestMetadata: false } as const

interface World {
  readonly clock: SimulatedClock
  readonly network: MemoryNetwork
  readonly publisher: Publisher
  readonly requests: HistoryRequest[]
}

/** A publisher that has 100 frames of 4 signals, 10 a second, in batches of so many frames. */
async function world(t: ExecutionContext, framesOfBatch = 30): Promise<World> {
  const clock = new SimulatedClock(T0 + 3600n * SECOND)
  const network = new MemoryNetwork({ clock })
  const publisher = new Publisher({ clock, network })
  const synthetic = new Synthetic({ signals: SIGNALS, rate: RATE })
  publisher.defineMetadata(synthetic.metadata())
  const requests: HistoryRequest[] = []
  publisher.history = async function* (request) {
    requests.push(request)
    for (let first = 0; first < FRAMES; first += framesOfBatch) {
      yield synthetic.batch(first, Math.min(framesOfBatch, FRAMES - first), publisher.signals)
    }
  }
  await publisher.start({ host: '127.0.0.1', port: PORT })
  t.teardown(() => publisher.close())
  return { clock, network, publisher, requests }
}

async function subscribed(
  t: ExecutionContext,
  { clock, network }: World,
  settings: SubscriptionSettings,
  filter = 'FILTER ActiveMeasurements WHERE True',
): Promise<{ subscriber: Subscriber; rows: [signal: number, time: bigint, value: number][]; done: Promise<void> }> {
  const subscriber = new Subscriber({ ...quiet, clock, network })
  t.teardown(() => subscriber.close())
  void subscriber.subscribe(filter, settings)
  await subscriber.connect(`localhost:${PORT}`)
  const rows: [number, bigint, number][] = []
  const done = subscriber.consume((batch) => {
    for (const { signal, time, value } of batch) rows.push([signal, time ?? 0n, value])
  })
  done.catch(() => {})
  return { subscriber, rows, done }
}

const timeOf = (frame: number) => T0 + (BigInt(frame) * SECOND) / BigInt(RATE)
const frames = (first: number, end: number, signals = [0, 1, 2, 3]) =>
  Array.from({ length: end - first }, (_, n) =>
    signals.map((k) => [k, timeOf(first + n), 1000 * k + 0.25 * (first + n)]),
  ).flat()

for (const encoding of ['tssc', 'compact'] as const) {
  test(`what lies between two times is sent as fast as it goes, then the end is told: ${encoding}`, async (t) => {
    const here = await world(t)
    const limits = { startTime: constraintText(timeOf(20)), stopTime: constraintText(timeOf(79)) }
    const told: string[] = []
    const { subscriber, rows, done } = await subscribed(t, here, { ...limits, encoding, processingInterval: 0 })
    subscriber.status.on(({ state, detail }) => {
      if (state === 'data-start') told.push(String(detail?.['ticks']))
    })
    await here.clock.advance(10)
    await done
    t.deepEqual(rows, frames(20, 80))
    t.deepEqual(told, [String(timeOf(20) / 100n + 621_355_968_000_000_000n)])
    t.deepEqual([...subscriber.ledger], [])
    t.is(await subscriber.closed, undefined)
    const [request] = here.requests
    t.like(request, { start: timeOf(20), stop: timeOf(79), parameters: undefined })
  })
}

test('only the signals of the filter come', async (t) => {
  const here = await world(t)
  const settings = { startTime: '2024-01-01T00:00:01Z', stopTime: '2024-01-01 00:00:01.5', processingInterval: 0 }
  const { rows, done } = await subscribed(t, here, settings, "FILTER ActiveMeasurements WHERE SignalType = 'VPHA'")
  await here.clock.advance(10)
  await done
  t.deepEqual(
    rows.map(([, time, value]) => [time, value]),
    frames(10, 16, [2]).map(([, time, value]) => [time, value]),
  )
  t.deepEqual([...(here.requests[0]?.rows ?? [])], [2])
})

test('relative times count from what the publisher calls now', async (t) => {
  const here = await world(t)
  here.publisher.historyTime = () => timeOf(50)
  const { rows, done } = await subscribed(t, here, { startTime: '*-2s', stopTime: '*', processingInterval: 0 })
  await here.clock.advance(10)
  await done
  t.deepEqual(rows, frames(30, 51))
})

test('one limit is enough', async (t) => {
  const here = await world(t)
  const { rows, done } = await subscribed(t, here, { startTime: constraintText(timeOf(95)), processingInterval: 0 })
  await here.clock.advance(10)
  await done
  t.deepEqual(rows, frames(95, 100))
})

test('the speed is that of the times, of the processing interval, and is changed while it runs', async (t) => {
  const here = await world(t)
  const { clock } = here
  const { subscriber, rows, done } = await subscribed(t, here, { startTime: constraintText(T0) })
  await clock.advance(1000)
  // Ten frames a second, the first at once.
  t.is(rows.length, 11 * SIGNALS)
  const slower = subscriber.updateProcessingInterval(500)
  await clock.advance(0)
  await slower
  await clock.advance(2000)
  t.is(rows.length, 15 * SIGNALS)
  const quicker = subscriber.updateProcessingInterval(20)
  await clock.advance(0)
  await quicker
  await clock.advance(200)
  t.true(rows.length >= 24 * SIGNALS && rows.length <= 26 * SIGNALS, `${rows.length / SIGNALS} frames`)
  const fastest = subscriber.updateProcessingInterval(0)
  await clock.advance(10)
  await fastest
  await done
  t.deepEqual(rows, frames(0, 100))
})

test('a slow subscriber makes the history wait, and loses nothing', async (t) => {
  const clock = new SimulatedClock()
  const network = new MemoryNetwork({ clock })
  const publisher = new Publisher({ clock, network, queueBytes: 64 << 10 })
  const synthetic = new Synthetic({ signals: 1000 })
  publisher.defineMetadata(synthetic.metadata())
  let given = 0
  publisher.history = async function* () {
    for (; given < 400; given += 4) yield synthetic.batch(given, 4, publisher.signals)
  }
  await publisher.start({ host: '127.0.0.1', port: PORT })
  t.teardown(() => publisher.close())
  const subscriber = new Subscriber({ ...quiet, clock, network, queueBytes: 1 << 20 })
  void subscriber.subscribe('FILTER ActiveMeasurements WHERE True', {
    startTime: '2024-01-01',
    processingInterval: 0,
    encoding: 'compact',
  })
  await subscriber.connect(`localhost:${PORT}`)
  await clock.advance(100)
  t.true(given < 300, `${given} frames were given to a subscriber that reads nothing`)
  let rows = 0
  const done = subscriber.consume((batch) => {
    rows += batch.length
  })
  await clock.advance(100)
  await done
  t.is(rows, 400_000)
  t.is(publisher.stats.dropped, 0)
})

test('what is published meanwhile does not go to a historical subscription', async (t) => {
  const here = await world(t)
  const { rows, done } = await subscribed(t, here, { startTime: constraintText(timeOf(98)), processingInterval: 1000 })
  here.publisher.publish(new Synthetic({ signals: SIGNALS, rate: RATE }).batch(500, 10, here.publisher.signals))
  await here.clock.advance(5000)
  await done
  t.deepEqual(rows, frames(98, 100))
})

test('a client that unsubscribes or goes ends the history', async (t) => {
  const here = await world(t, 1)
  const { subscriber, rows } = await subscribed(t, here, { startTime: constraintText(T0) })
  await here.clock.advance(1000)
  subscriber.unsubscribe()
  await here.clock.advance(1000)
  t.is(rows.length, 11 * SIGNALS)
  t.true(here.requests[0]?.abort.aborted)
  const second = await subscribed(t, here, { startTime: constraintText(T0) })
  await second.subscriber.close()
  await here.clock.advance(100)
  t.true(here.requests[1]?.abort.aborted)
})

test('without a history, and with limits that are no times, the subscription is refused', async (t) => {
  const here = await world(t)
  const refused = { code: 'ERR_STTP_SUBSCRIPTION_REFUSED' }
  const wrong = await t.throwsAsync(subscribed(t, here, { startTime: 'yesterday' }), refused)
  t.regex(wrong?.message ?? '', /"yesterday" is no time/)
  here.publisher.history = undefined
  await t.throwsAsync(subscribed(t, here, { startTime: '*-1h' }), refused)
})

test('a history that breaks off is told, and so is a speed that cannot be changed', async (t) => {
  const here = await world(t)
  const told: unknown[] = []
  here.publisher.status.on(({ state, detail }) => state === 'history-ended' && told.push(detail))
  const synthetic = new Synthetic({ signals: SIGNALS, rate: RATE })
  here.publisher.history = async function* () {
    yield synthetic.batch(0, 2, here.publisher.signals)
    throw new Error('the disk is gone')
  }
  const errors: string[] = []
  const { clock, network } = here
  const subscriber = new Subscriber({ ...quiet, clock, network, errorMessage: (text) => errors.push(text) })
  t.teardown(() => subscriber.close())
  void subscriber.subscribe('FILTER ActiveMeasurements WHERE True', { startTime: '*-2h', processingInterval: 0 })
  await subscriber.connect(`localhost:${PORT}`)
  let rows = 0
  const done = subscriber.consume((batch) => {
    rows += batch.length
  })
  await Promise.all([t.throwsAsync(done, { code: 'ERR_STTP_HISTORY_BROKEN' }), clock.advance(10)])
  t.regex(errors[0] ?? '', /the disk is gone/)
  t.is(rows, 2 * SIGNALS)
  t.like(told[0], { measurements: 2 * SIGNALS, message: 'the disk is gone' })
  t.is([...subscriber.ledger].length, 1)

  const live = await subscribed(t, here, {})
  const change = t.throwsAsync(live.subscriber.updateProcessingInterval(5), { code: 'ERR_STTP_INTERVAL_REFUSED' })
  await clock.advance(10)
  await change
})

test('a connection that breaks ends a history; it is not begun again', async (t) => {
  const here = await world(t)
  const { subscriber, rows, done } = await subscribed(t, here, { startTime: constraintText(T0) })
  await here.clock.advance(1000)
  here.network.cut()
  await here.clock.advance(60_000)
  await t.throwsAsync(done)
  t.is(rows.length, 11 * SIGNALS)
  t.is(subscriber.stats.reconnects, 0)
  t.deepEqual(
    [...subscriber.ledger].map(({ cause, count }) => [cause, count]),
    [['disconnect', null]],
  )
})

test('times of limits', (t) => {
  t.is(constraintTime('*', 5n * SECOND), 5n * SECOND)
  t.is(constraintTime(constraintText(1_704_067_200_123_456_700n), 0n), 1_704_067_200_123_456_700n)
  t.is(constraintTime(constraintText(-100n), 0n), -100n)
  t.is(constraintTime('0001-01-01', 0n), 1n - (1n << 63n))
  t.is(constraintTime('9999-12-31', 0n), (1n << 63n) - 1n)
})

test('batches of a signal table of their own are served by their ids', async (t) => {
  const here = await world(t)
  const other = new Publisher()
  const synthetic = new Synthetic({ signals: SIGNALS, rate: RATE })
  here.publisher.history = async function* () {
    const { block } = synthetic.batch(0, 5, other.signals)
    yield new MeasurementBatch(block, other.signals, 'f32')
  }
  const { rows, done } = await subscribed(t, here, { stopTime: constraintText(timeOf(2)), processingInterval: 0 })
  await here.clock.advance(10)
  await done
  t.deepEqual(rows, frames(0, 3))
})
