import test, { type ExecutionContext } from 'ava'
import { MemoryNetwork, SimulatedClock } from '../../ts/session/index.js'
import { Measurement } from '../../ts/sttp/measurement.js'
import { Publisher } from '../../ts/sttp/publisher.js'
import { Subscriber } from '../../ts/sttp/subscriber.js'
import type { SubscriberOptions } from '../../ts/sttp/subscriber-options.js'
import type { ProtocolVersion } from '../../ts/sttp/subscription.js'
import { Synthetic, syntheticId } from '../../ts/sttp/synthetic.js'

const PORT = 7175
const quiet = { statusMessage: false, errorMessage: false, reconnect: { jitter: 0 } } as const

const turns = async (count = 20) => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}

function ends(t: ExecutionContext, options: SubscriberOptions = {}) {
  const clock = new SimulatedClock()
  const network = new MemoryNetwork({ clock })
  const publisher = new Publisher({ clock, network })
  publisher.defineMetadata(new Synthetic({ signals: 2 }).metadata())
  const subscriber = new Subscriber({ ...quiet, clock, network, ...options })
  void subscriber.subscribe('FILTER ActiveMeasurements WHERE True')
  t.teardown(async () => {
    await subscriber.close()
    await publisher.close()
  })
  return { clock, network, publisher, subscriber }
}

function collect(subscriber: Subscriber): number[] {
  const values: number[] = []
  subscriber.consume((batch) => void values.push(...batch.value)).catch(() => {})
  return values
}

const one = (value: number) => [new Measurement(syntheticId(1), value, 638_000_000_000_000_000n)]

test('the publisher connects, and again when the connection broke', async (t) => {
  const { clock, network, publisher, subscriber } = ends(t)
  const there = subscriber.listen({ port: PORT })
  await turns()
  t.true(await publisher.connect(`127.0.0.1:${PORT}`))
  await turns()
  t.deepEqual(await there, [true, PORT])
  const values = collect(subscriber)
  publisher.publishMeasurements(one(1))
  await turns()
  network.cut()
  for (let second = 0; second < 5; second++) {
    await clock.advance(1000)
    await turns()
  }
  t.is(subscriber.state, 'connected')
  publisher.publishMeasurements(one(2))
  await turns()
  t.deepEqual(values, [1, 2])
  t.is(subscriber.stats.reconnects, 1)
  t.deepEqual(
    [...subscriber.ledger].map(({ cause }) => cause),
    ['disconnect'],
  )
})

test('one publisher is served at a time', async (t) => {
  const { clock, network, publisher, subscriber } = ends(t)
  const refused: unknown[] = []
  subscriber.status.on(({ state }) => state === 'peer-refused' && refused.push(state))
  const there = subscriber.listen({ port: PORT })
  await turns()
  await publisher.connect(`127.0.0.1:${PORT}`)
  await turns()
  await there
  const second = new Publisher({ clock, network })
  t.teardown(() => second.close())
  await second.connect(`127.0.0.1:${PORT}`)
  await turns()
  t.is(refused.length, 1)
  t.is(subscriber.state, 'connected')
})

test('where nobody connects or listens there is a typed error', async (t) => {
  const { clock, publisher, subscriber } = ends(t, { wait: 5000 })
  await t.throwsAsync(publisher.connect(`127.0.0.1:${PORT}`), { code: 'ERR_SESSION_CONNECT_REFUSED' })
  const waiting = t.throwsAsync(subscriber.listen({ port: PORT }), { code: 'ERR_STTP_PUBLISHER_ABSENT' })
  await turns()
  await clock.advance(5000)
  await waiting
})

for (const version of [1, 2, 3] as const satisfies readonly ProtocolVersion[]) {
  for (const compressPayloadData of [true, false]) {
    for (const udpPort of compressPayloadData ? [undefined] : [undefined, 0]) {
      const form = compressPayloadData ? 'TSSC' : udpPort === undefined ? 'compact' : 'compact by UDP'
      test(`both ends speak version ${version}: ${form}`, async (t) => {
        const { network, publisher, subscriber } = ends(t, { version, compressPayloadData })
        await publisher.start({ host: '127.0.0.1', port: PORT })
        const filter = 'FILTER ActiveMeasurements WHERE True'
        void subscriber.subscribe(filter, udpPort === undefined ? {} : { udpPort })
        await subscriber.connect(`127.0.0.1:${PORT}`)
        await turns()
        const values = collect(subscriber)
        for (let n = 0; n < 20; n++) publisher.publishMeasurements(one(n))
        await turns()
        await subscriber.subscribe(filter, udpPort === undefined ? {} : { udpPort })
        await turns()
        for (let n = 20; n < 40; n++) publisher.publishMeasurements(one(n))
        await turns()
        t.deepEqual(
          values,
          Array.from({ length: 40 }, (_, n) => n),
        )
        t.is(publisher.subscribers[0]?.version, version)
        t.deepEqual([...subscriber.ledger], [])
        t.truthy(network)
      })
    }
  }
}
