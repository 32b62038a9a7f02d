import { createServer } from 'node:net'
import test from 'ava'
import { TABLES } from '../../ts/batch/index.js'
import { SimulatedClock } from '../../ts/session/index.js'
import {
  defineSchema,
  type MessageOf,
  publish,
  StreamSeaClient,
  StreamSeaServer,
  subscribe,
} from '../../ts/stream-sea/index.js'
import { take, World } from './world.js'

test('a schema gives the type of its messages', async (t) => {
  const world = await World.open(t)
  await world.define('s')
  const schema = defineSchema({
    name: 's',
    version: 1,
    fields: [
      { name: 'n', type: 'integer' },
      { name: 'side', type: 'enum', enum: ['port', 'starboard'] },
      { name: 'moves', type: 'array<object>', fields: [{ name: 'box', type: 'string' }] },
    ],
  })
  const message: MessageOf<typeof schema> = { n: 1, side: 'port', moves: [{ box: 'a' }] }
  // @ts-expect-error: not one of the values
  const wrong: MessageOf<typeof schema> = { side: 'aft' }
  t.truthy(wrong)
  const client = await world.client()
  const subscription = await client.subscribe({ stream: 's', schema, fanout: true })
  await publish({ ...world.remote, stream: 's', payload: { n: message.n } })
  const [first] = await take(subscription.messages(), 1)
  const n: number | null | undefined = first?.payload.n
  t.is(n, 1)
})

test('integers beyond 2^53 survive as text', async (t) => {
  const world = await World.open(t)
  await world.define('s')
  const subscription = await subscribe({ ...world.remote, stream: 's', fanout: true })
  t.teardown(() => subscription.close())
  await publish({ ...world.remote, stream: 's', payloadText: '{"n": 123456789012345678901234567890}' })
  const [message] = await take(subscription.messages(), 1)
  t.is(message?.text, '{"n": 123456789012345678901234567890}')
})

test('batches are the event table', async (t) => {
  const world = await World.open(t)
  await world.define('s')
  const client = await world.client()
  await client.publish({ stream: 's', payload: [{ n: 1 }, { n: 22 }] })
  const subscription = await client.subscribe({ stream: 's', from: 'start', offsets: true, fanout: true })
  const [batch] = await take(subscription, 1)
  const copy = batch?.copy()
  const columns = copy?.columns() ?? []
  const names = TABLES.event.map(({ name }) => name).filter((name) => name !== 'group')
  t.deepEqual(
    columns.map(({ field }) => field.name),
    names,
  )
  const payload = columns.at(-1)?.buffers ?? []
  t.deepEqual([...new Int32Array((payload[1] as Uint8Array).slice().buffer)], [0, 7, 15])
  t.is(Buffer.from(payload[2] as Uint8Array).toString(), '{"n":1}{"n":22}')
  t.is(copy?.text(1), '{"n":22}')
})

test('a broken connection goes on where it was: offsets are asked for, and nothing is missing', async (t) => {
  const world = await World.open(t)
  await world.define('s')
  const client = await world.client({ reconnect: { minDelay: 5 } })
  const plain = await client.subscribe({ stream: 's', fanout: true })
  const exact = await client.subscribe({ stream: 's', fanout: true, offsets: true })
  await publish({ ...world.remote, stream: 's', payload: { n: 0 } })
  const messages = exact.messages()
  t.is((await messages.next()).value?.offset, 0)
  const back = new Promise<void>((resolve) => {
    client.status.on(({ state }) => {
      if (state === 'connected') resolve()
    })
  })
  for (const connection of world.server.open) connection.terminate()
  await publish({ ...world.remote, stream: 's', payload: { n: 1 } })
  await back
  t.is((await messages.next()).value?.offset, 1)
  const [known] = [...exact.ledger]
  t.like(known, { cause: 'disconnect', firstSeq: 1n, count: 0 })
  // Without offsets nobody knows how many are missing.
  t.like([...plain.ledger][0], { cause: 'disconnect', count: null })
  t.is(exact.ledger.totals.open, 0)
  t.is(plain.ledger.totals.open, 1)
})

test('a refused authentication ends the client: no second try', async (t) => {
  const world = await World.open(t)
  const client = new StreamSeaClient({ ...world.remote, clientSecret: 'wrong', wait: 60_000 })
  await t.throwsAsync(client.connect(), { code: 'ERR_STREAMSEA_AUTHENTICATION_REFUSED' })
  t.is(((await client.closed) as { code?: string } | undefined)?.code, 'ERR_STREAMSEA_AUTHENTICATION_REFUSED')
  await t.throwsAsync(client.subscribe({ stream: 's' }), { code: 'ERR_STREAMSEA_AUTHENTICATION_REFUSED' })
  t.is(world.server.stats.messagesIn, 1)
})

test('closing while a connection is tried again leaves nothing behind', async (t) => {
  const world = await World.open(t)
  const client = await world.client({ reconnect: { minDelay: 30_000 } })
  const broken = new Promise<void>((resolve) => {
    client.status.on(({ state }) => {
      if (state === 'reconnecting') resolve()
    })
  })
  for (const connection of world.server.open) connection.terminate()
  await broken
  await client.close()
  t.is(world.server.connections, 0)
})

test('a server that says nothing for a minute is dead', async (t) => {
  const clock = new SimulatedClock()
  const world = await World.open(t)
  const client = await world.client({ clock, reconnect: false })
  await clock.advance(80_000)
  t.is(((await client.closed) as { code?: string } | undefined)?.code, 'ERR_SESSION_TIMEOUT')
})

test('who is no server is told as such', async (t) => {
  const silent = createServer((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'))
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  t.teardown(() => silent.close())
  const { port } = silent.address() as { port: number }
  const options = { remoteHost: '127.0.0.1', remotePort: port, clientId: 'a', clientSecret: 'b' }
  await t.throwsAsync(new StreamSeaClient(options).connect(), { code: 'ERR_STREAMSEA_HANDSHAKE_REFUSED' })
  silent.close()
  await t.throwsAsync(new StreamSeaClient({ ...options, remotePort: 1 }).connect(), {
    code: 'ERR_SESSION_CONNECT_REFUSED',
  })
})

test('publishes during a flood of subscribers keep their order', async (t) => {
  const world = await World.open(t)
  await world.define('s')
  const client = await world.client()
  const subscriptions = await Promise.all(
    Array.from({ length: 20 }, () => client.subscribe({ stream: 's', fanout: true })),
  )
  await Promise.all(Array.from({ length: 500 }, (_, n) => client.publish({ stream: 's', payload: { n } })))
  for (const subscription of subscriptions) {
    const numbers = (await take(subscription.messages(), 500)).map(({ payload }) => (payload as { n: number }).n)
    t.true(numbers.every((n, index) => n === index))
  }
  t.true(world.server instanceof StreamSeaServer)
})
