import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { SimulatedClock } from '../../ts/session/index.js'
import { StreamSeaServer } from '../../ts/stream-sea/index.js'
import { take, World } from './world.js'

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => ({ n: from + index }))

test('a group shares the messages of a stream; fanout gets them all', async (t) => {
  const world = await World.open(t)
  await world.define('s')
  const client = await world.client()
  const [a, b, all] = await Promise.all([
    client.subscribe({ stream: 's' }),
    client.subscribe({ stream: 's' }),
    client.subscribe({ stream: 's', fanout: true }),
  ])
  for (const message of numbers(0, 10)) await client.publish({ stream: 's', payload: message })
  t.deepEqual(
    (await take(all.messages(), 10)).map(({ payload }) => payload),
    numbers(0, 10),
  )
  const [left, right] = await Promise.all([take(a.messages(), 5), take(b.messages(), 5)])
  const shared = [...left, ...right].map(({ payload }) => (payload as { n: number }).n).sort((x, y) => x - y)
  t.deepEqual(
    shared,
    numbers(0, 10).map(({ n }) => n),
  )
})

test('replay begins at an offset, at a time, or at the start', async (t) => {
  const clock = new SimulatedClock()
  const world = await World.open(t, { clock })
  await world.define('s')
  const client = await world.client()
  const times: number[] = []
  for (const message of numbers(0, 6)) {
    await clock.advance(1000)
    times.push(world.server.now())
    await client.publish({ stream: 's', payload: message })
  }
  const first = async (from: object | 'start') => {
    const subscription = await client.subscribe({ stream: 's', fanout: true, from: from as never, offsets: true })
    const [message] = await take(subscription.messages(), 1)
    await subscription.close()
    return [message?.offset, message?.time]
  }
  t.deepEqual(await first('start'), [0, times[0]])
  t.deepEqual(await first({ offset: 4 }), [4, times[4]])
  t.deepEqual(await first({ time: times[2] }), [2, times[2]])
  t.deepEqual(await first({ time: (times[2] as number) + 1 }), [3, times[3]])
})

test('a named group keeps its place over a restart', async (t) => {
  const data = await mkdtemp(join(tmpdir(), 'stream-sea-'))
  const world = await World.open(t, { data })
  await world.define('s')
  const client = await world.client({ reconnect: false })
  for (const message of numbers(0, 5)) await client.publish({ stream: 's', payload: message })
  const first = await client.subscribe({ stream: 's', group: 'g', from: 'start', ack: true, credit: 3 })
  const got = await take(first.messages(), 3)
  t.deepEqual(
    got.map(({ offset }) => offset),
    [0, 1, 2],
  )
  await first.acknowledge(1)
  await client.close()
  await world.server.close()

  const again = await StreamSeaServer.open({ data })
  t.teardown(() => again.close())
  const [, remotePort] = await again.listen(0)
  const second = await world.client({ remotePort })
  const subscription = await second.subscribe({ stream: 's', group: 'g', ack: true, offsets: true })
  t.deepEqual(
    (await take(subscription.messages(), 3)).map(({ offset }) => offset),
    [2, 3, 4],
  )
})

test('what is not acknowledged comes again, counted, and goes to the dead-letter stream at last', async (t) => {
  const clock = new SimulatedClock()
  const world = await World.open(t, { clock })
  await world.define('s')
  const client = await world.client()
  const dead = await client.subscribe({ stream: 's.dead', fanout: true })
  const options = { stream: 's', group: 'g', ack: true, ackWithin: 1000, maxDeliveries: 3, from: 'start' } as const
  const subscription = await client.subscribe(options)
  await client.publish({ stream: 's', payload: { n: 7 } })
  const messages = subscription.messages()
  for (const redelivered of [0, 1, 2]) {
    const { value } = await messages.next()
    t.like(value, { offset: 0, redelivered })
    await clock.advance(1000)
  }
  t.deepEqual(
    (await take(dead.messages(), 1)).map(({ text }) => text),
    ['{"n":7}'],
  )
  const [group] = await world.server.groupsOf(world.server.stream('main', 's') as never)
  t.is(group?.committed, 1)
})

test('rejected messages come again at once, and those of a member that leaves go to another', async (t) => {
  const world = await World.open(t)
  await world.define('s')
  const client = await world.client()
  const options = { stream: 's', group: 'g', ack: true, from: 'start', maxDeliveries: 100 } as const
  const a = await client.subscribe(options)
  await client.publish({ stream: 's', payload: numbers(0, 3) })
  const reading = a.messages()
  for (const n of [0, 1, 2]) t.is((await reading.next()).value?.offset, n)
  await a.reject([1])
  t.like((await reading.next()).value, { offset: 1, redelivered: 1 })
  await a.acknowledge([0])
  const b = await client.subscribe(options)
  await a.close()
  t.deepEqual((await take(b.messages(), 2)).map(({ offset, redelivered }) => [offset, redelivered]).sort(), [
    [1, 2],
    [2, 1],
  ])
})

test('credit bounds what is sent', async (t) => {
  const world = await World.open(t)
  await world.define('s')
  const client = await world.client()
  await client.publish({ stream: 's', payload: numbers(0, 100) })
  const raw = await world.authenticated()
  await raw.ask({ id: 2, action: 'subscribe', payload: 's', from: 'start', credit: 10, offsets: true })
  await raw.count(12)
  t.is(raw.messages.length, 12)
  t.like(await raw.ask({ id: 3, action: 'credit', payload: { subscription: 2, credit: 5 } }), { id: 3, success: true })
  t.is((await raw.count(18)).at(-1)?.['offset'], 14)
  const subscription = await client.subscribe({ stream: 's', fanout: true, from: 'start', credit: 8 })
  t.is((await take(subscription.messages(), 100)).length, 100)
})

test('a slow subscriber is read for later: the server keeps little, and it gets everything', async (t) => {
  const world = await World.open(t)
  await world.define('s')
  const client = await world.client()
  const subscription = await client.subscribe({ stream: 's', fanout: true, offsets: true, queueBytes: 1 << 16 })
  const publisher = await world.client()
  const count = 300_000
  for (let from = 0; from < count; from += 10_000) {
    await publisher.publish({ stream: 's', payload: numbers(from, from + 10_000) })
  }
  t.true(client.stats.queuedBytes <= 1 << 20)
  // What waits in a socket of the server is 1 MiB and the delivery that went beyond it, not the 8 MB that were published.
  for (const connection of world.server.open) t.true(connection.queuedBytes <= (1 << 20) + (512 << 10))
  let next = 0
  let wrong = 0
  for await (const batch of subscription) {
    for (let row = 0; row < batch.length; row++) if (batch.offset(row) !== next++) wrong++
    if (next === count) break
  }
  t.is(wrong, 0)
  t.is(subscription.ledger.totals.records, 0)
})

test('retention lets go of the oldest, by size and by age', async (t) => {
  const clock = new SimulatedClock()
  const world = await World.open(t, { clock, retention: { maxBytes: 4000, maxAge: 60_000 } })
  await world.define('s')
  const client = await world.client()
  for (let at = 0; at < 10; at++)
    await client.publish({ stream: 's', payload: numbers(at * 100, at * 100 + 100), key: `k${at}` })
  await world.server.retain()
  const stream = world.server.stream('main', 's')
  t.true((stream?.bytes ?? 0) <= 4000)
  t.true((stream?.start ?? 0) > 0 && (stream?.start ?? 0) % 100 === 0)
  t.is(stream?.next, 1000)
  const subscription = await client.subscribe({ stream: 's', from: 'start', offsets: true, fanout: true })
  t.is((await take(subscription.messages(), 1))[0]?.offset, stream?.start)
  // A key goes with its messages.
  t.is((await client.publish({ stream: 's', payload: { n: 1 }, key: 'k0' })).duplicate, undefined)
  await clock.advance(61_000)
  await world.server.retain()
  t.is(stream?.start, stream?.next)
  t.is(stream?.bytes, 0)
})
