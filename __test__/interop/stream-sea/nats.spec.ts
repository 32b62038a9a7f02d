import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  defineStream,
  deleteClient,
  describeStream,
  publish,
  publishBatch,
  StreamSeaClient,
  StreamSeaServer,
} from '../../../ts/stream-sea/index.js'
import { connectNats } from '../../../ts/stream-sea/nats-connection.js'
import { take } from '../../stream-sea/world.js'
import { NatsServer } from './nats-server.js'
import { FIELDS, numbers, SECRET, serve, until } from './nats-world.js'

test('a log on NATS keeps streams, schemas, keys and places over a restart', async (t) => {
  const nats = await NatsServer.start(t)
  const first = await serve(t, nats.url())
  const stream = { ...first.remote, stream: 's' }
  await defineStream({ ...stream, schema: { name: 's', version: 1, fields: FIELDS } })
  await publishBatch({ ...stream, payloads: numbers(0, 5) })
  await publish({ ...stream, payload: { n: 5 }, idempotencyKey: 'k5' })
  const client = await first.client()
  const mixed = [6, 7, 8, 9].map((n) => client.publish({ stream: 's', payload: { n }, key: `k${n}` }))
  await Promise.all([...mixed, client.publish({ stream: 's', payload: { n: 10 } })])
  const group = await client.subscribe({ stream: 's', group: 'g', from: 'start', ack: true, credit: 3 })
  t.is((await take(group.messages(), 3)).length, 3)
  await group.acknowledge(2)
  await first.server.close()

  const second = await serve(t, nats.url())
  t.is((await describeStream({ ...second.remote, stream: 's' }))?.version, 1)
  const again = await second.client()
  t.deepEqual(await again.publish({ stream: 's', payload: { n: 5 }, key: 'k5' }), {
    offset: 5,
    count: 1,
    duplicate: true,
  })
  const all = await again.subscribe({ stream: 's', fanout: true, from: 'start', offsets: true })
  const stored = await take(all.messages(), 11)
  t.deepEqual(
    stored.map(({ offset }) => offset),
    numbers(0, 11).map(({ n }) => n),
  )
  t.deepEqual(
    stored.map(({ payload }) => (payload as { n: number }).n).sort((a, b) => a - b),
    numbers(0, 11).map(({ n }) => n),
  )
  const rest = await again.subscribe({ stream: 's', group: 'g', ack: true })
  t.is((await take(rest.messages(), 1))[0]?.offset, 3)
})

test('two servers share a stream: offsets have no gaps, a key is stored once, whoever publishes', async (t) => {
  const nats = await NatsServer.start(t)
  const a = await serve(t, nats.url())
  const b = await serve(t, nats.url())
  await defineStream({ ...a.remote, stream: 's', schema: { name: 's', version: 1, fields: FIELDS } })
  await until(() => b.server.stream('main', 's')?.schema !== undefined)
  const [left, right] = [await a.client(), await b.client()]
  const [seenA, seenB] = await Promise.all(
    [left, right].map((client) => client.subscribe({ stream: 's', fanout: true, from: 'start', offsets: true })),
  )
  const count = 400
  const replies = await Promise.all(
    numbers(0, count).flatMap(({ n }) => [
      left.publish({ stream: 's', payload: { n } }),
      right.publish({ stream: 's', payload: { n: n + count } }),
      ...(n % 20 === 0
        ? [left, right].map((client) => client.publish({ stream: 's', payload: { n: -n - 1 }, key: `k${n}` }))
        : []),
    ]),
  )
  const total = 2 * count + count / 20
  t.is(replies.filter(({ duplicate }) => duplicate).length, count / 20)
  for (const seen of [seenA, seenB]) {
    const messages = await take((seen as NonNullable<typeof seen>).messages(), total)
    t.deepEqual(
      messages.map(({ offset }) => offset),
      numbers(0, total).map(({ n }) => n),
    )
    t.is(new Set(messages.map(({ text }) => text)).size, total)
  }
  t.is(a.server.stream('main', 's')?.next, total)
  // A newer schema by one server holds at the other, and an older one is refused there.
  await defineStream({ ...b.remote, stream: 's', schema: { name: 's', version: 2, fields: FIELDS } })
  await until(() => a.server.stream('main', 's')?.schema?.version === 2)
  await t.throwsAsync(defineStream({ ...a.remote, stream: 's', schema: { name: 's', version: 1, fields: FIELDS } }))
})

test('a group over two servers: each message to one member, until it is acknowledged', async (t) => {
  const nats = await NatsServer.start(t)
  const a = await serve(t, nats.url())
  const b = await serve(t, nats.url())
  await defineStream({ ...a.remote, stream: 's', schema: { name: 's', version: 1, fields: FIELDS } })
  await until(() => b.server.stream('main', 's') !== undefined)
  const [left, right] = [await a.client(), await b.client()]
  const options = { stream: 's', group: 'g', ack: true, from: 'start', credit: 10, maxDeliveries: 100 } as const
  const one = await left.subscribe(options)
  const two = await right.subscribe(options)
  await t.throwsAsync(right.subscribe({ stream: 's', group: 'g' }), { code: 'ERR_STREAMSEA_SUBSCRIPTION_REFUSED' })
  const done = new Map<number, number>()
  const work = async (subscription: typeof one, at: number): Promise<void> => {
    for await (const { offset, redelivered } of subscription.messages()) {
      const place = offset as number
      if (place % 50 === 7 && redelivered === 0) await subscription.reject([place])
      else {
        t.false(done.has(place))
        done.set(place, at)
        await subscription.acknowledge([place])
      }
      if (done.size === 300) return
    }
  }
  const working = Promise.race([work(one, 1), work(two, 2)])
  for (const payload of numbers(0, 300)) await publish({ ...a.remote, stream: 's', payload })
  await working
  t.is(done.size, 300)
  t.true([...done.values()].includes(1) && [...done.values()].includes(2))
  const stream = a.server.stream('main', 's')
  await until(async () => (await a.server.groupsOf(stream as NonNullable<typeof stream>))[0]?.committed === 300)
})

test('members of one client share a stream over two servers also without acknowledgement', async (t) => {
  const nats = await NatsServer.start(t)
  const [a, b] = [await serve(t, nats.url()), await serve(t, nats.url())]
  await defineStream({ ...a.remote, stream: 's', schema: { name: 's', version: 1, fields: FIELDS } })
  await until(() => b.server.stream('main', 's') !== undefined)
  const [left, right] = [await a.client(), await b.client()]
  const one = await left.subscribe({ stream: 's' })
  const two = await right.subscribe({ stream: 's' })
  const seen: number[] = []
  const read = async (subscription: typeof one): Promise<void> => {
    for await (const { payload } of subscription.messages()) {
      seen.push((payload as { n: number }).n)
      if (seen.length === 200) return
    }
  }
  const reading = Promise.race([read(one), read(two)])
  for (const payload of numbers(0, 200)) await left.publish({ stream: 's', payload })
  await reading
  t.deepEqual(
    seen.sort((x, y) => x - y),
    numbers(0, 200).map(({ n }) => n),
  )
  t.true(one.stats.received > 0 && two.stats.received > 0)
})

async function victim(t: ExecutionContext, log: string): Promise<{ child: ChildProcess; port: number }> {
  const program = join(import.meta.dirname, '..', '..', 'stream-sea', 'victim.ts')
  const child = spawn(process.execPath, ['--import', 'tsx', program, log, SECRET], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const port = await new Promise<number>((resolve) => child.stdout?.once('data', (line) => resolve(Number(line))))
  return { child, port }
}

test('a server that keeps a group is killed: another one goes on with it, and nothing is missing', async (t) => {
  const nats = await NatsServer.start(t)
  const { child, port } = await victim(t, nats.url())
  const here = await serve(t, nats.url())
  const there = new StreamSeaClient({ ...here.remote, remotePort: port, reconnect: false })
  t.teardown(() => there.close())
  await there.connect()
  const options = { stream: 's', group: 'g', ack: true, from: 'start', maxDeliveries: 100 } as const
  const kept = await there.subscribe(options)
  const mine = await (await here.client()).subscribe(options)
  await publishBatch({ ...here.remote, stream: 's', payloads: numbers(0, 100) })
  const held = await take(kept.messages(), 10)
  await kept.acknowledge(held.slice(0, 5).map(({ offset }) => offset as number))
  child.kill('SIGKILL')
  const done = new Set(held.slice(0, 5).map(({ offset }) => offset))
  for await (const { offset } of mine.messages()) {
    // What was acknowledged while the first server went may come again: nobody can know.
    done.add(offset as number)
    await mine.acknowledge([offset as number]).catch(() => undefined)
    if (done.size === 100) break
  }
  t.is(done.size, 100)
})

test('kill -9 of nats-server under load: what was acknowledged is there, and the servers go on', async (t) => {
  const nats = await NatsServer.start(t)
  const { remote, client, server } = await serve(t, nats.url())
  await defineStream({ ...remote, stream: 's', schema: { name: 's', version: 1, fields: FIELDS } })
  const publisher = await client()
  const acknowledged = new Set<number>()
  let next = 0
  let isDown = false
  const work = Array.from({ length: 16 }, async () => {
    while (acknowledged.size < 1500) {
      const n = next++
      try {
        await publisher.publish({ stream: 's', payload: { n }, ...(n % 5 === 0 && { key: `k${n}` }) })
        acknowledged.add(n)
      } catch {
        // Not acknowledged: it may be there or not.
      }
      if (acknowledged.size === 500 && !isDown) {
        isDown = true
        await nats.kill()
        await nats.begin()
      }
    }
  })
  await Promise.all(work)
  const stream = server.stream('main', 's')
  const subscription = await publisher.subscribe({ stream: 's', fanout: true, from: 'start', offsets: true })
  const stored = await take(subscription.messages(), stream?.next as number)
  const there = stored.map(({ payload }) => (payload as { n: number }).n)
  t.deepEqual(
    [...acknowledged].filter((n) => !there.includes(n)),
    [],
  )
  const keyed = there.filter((n) => n % 5 === 0)
  t.is(new Set(keyed).size, keyed.length)
  t.true(isDown)
  t.log(`${acknowledged.size} acknowledged, ${there.length} stored, of ${next} sent`)
})

test('a client that one server deletes is let go by the other', async (t) => {
  const nats = await NatsServer.start(t)
  const [a, b] = [await serve(t, nats.url()), await serve(t, nats.url())]
  const secret = await a.server.addClient('main', 'guest')
  await until(() => b.server.directory.client('guest') !== undefined)
  const guest = new StreamSeaClient({ ...b.remote, clientId: 'guest', clientSecret: secret, reconnect: false })
  t.teardown(() => guest.close())
  await guest.connect()
  await deleteClient({ ...a.remote, targetClientId: 'guest' })
  t.regex(String(await guest.closed), /4003/)
})

test('retention and long messages', async (t) => {
  const nats = await NatsServer.start(t)
  const server = await StreamSeaServer.open({ log: nats.url(), retention: { maxBytes: 3_000_000 } })
  t.teardown(() => server.close())
  const clientSecret = await server.addClient('main', 'app123')
  const [, remotePort] = await server.listen(0)
  const remote = { remoteHost: '127.0.0.1', remotePort, clientId: 'app123', clientSecret, stream: 's' }
  await defineStream({ ...remote, schema: { name: 's', version: 1, fields: [{ name: 'text', type: 'string' }] } })
  const text = 'x'.repeat(300_000)
  // Longer than a message of NATS may be: it is stored in several, together.
  for (let at = 0; at < 3; at++)
    await publishBatch({ ...remote, payloads: Array.from({ length: 8 }, () => ({ text })) })
  t.is(server.stream('main', 's')?.next, 24)
  const error = await t.throwsAsync<{ status: number } & Error>(
    publish({ ...remote, payload: { text: 'x'.repeat(2_000_000) } }),
  )
  t.is(error?.status, 400)
  await server.retain()
  const { start = 0, next, bytes = 0 } = server.stream('main', 's') ?? {}
  t.true(start > 0 && start < 24 && bytes <= 3_000_000)
  t.is(next, 24)
  t.is((await server.lastMessages(server.stream('main', 's') as never, 1))[0]?.offset, 23)
})

test('what is no log on NATS is told', async (t) => {
  await t.throwsAsync(connectNats('nats://127.0.0.1:1'), { code: 'ERR_SESSION_CONNECT_FAILED' })
  await t.throwsAsync(connectNats('http://127.0.0.1'), { code: 'ERR_STREAMSEA_OPTION_INVALID' })
})
