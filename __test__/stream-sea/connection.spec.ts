import { createHmac, generateKeyPairSync } from 'node:crypto'
import test from 'ava'
import { SimulatedClock } from '../../ts/session/index.js'
import { Gathering } from '../../ts/stream-sea/codec.js'
import { generateJwtKeys, publish, rotateClientJwtPublicKey, signJwt } from '../../ts/stream-sea/index.js'
import { World } from './world.js'

const AUTH = 'authenticate'

test('a first message that is not authenticate is answered, then 1008', async (t) => {
  const world = await World.open(t)
  const raw = await world.raw()
  t.like(await raw.ask({ id: 1, action: 'subscribe', payload: 's' }), { id: 1, action: 'subscribe', success: false })
  t.is(await raw.closed, 1008)
})

test('violations are answered with their id and action, then 1008', async (t) => {
  const world = await World.open(t)
  const wrong = [
    { id: 2, action: AUTH, payload: {} },
    { id: 3, action: 'subscribe', payload: 's' },
    { id: 1, action: 'subscribe', payload: 's' },
    { id: 2, action: 'subscribe', payload: 's', groupId: 'no-uuid' },
    { id: 2, action: 'conquer', payload: 's' },
  ]
  for (const message of wrong) {
    const raw = await world.authenticated()
    const { id, action } = message
    t.like(await raw.ask(message), { id, action, success: false })
    t.is(await raw.closed, 1008)
  }
})

test('what is no JSON object with id and action ends the connection', async (t) => {
  const world = await World.open(t)
  for (const text of ['{', '[]', 'null', '{"id":"1","action":"authenticate"}', '{"id":1}', '1']) {
    const raw = await world.raw()
    raw.send(text)
    t.is(await raw.closed, 1008)
  }
  const raw = await world.raw()
  raw.socket.send(Buffer.from('{}'))
  t.is(await raw.closed, 1003)
})

test('frames that are too long or not UTF-8 end the connection with their codes', async (t) => {
  const world = await World.open(t, { maxMessageBytes: 1000 })
  const long = await world.raw()
  long.send(`{"id":1,"action":"${'x'.repeat(2000)}"}`)
  t.is(await long.closed, 1009)
  const wrong = await world.raw()
  wrong.socket.send(Buffer.from([0x22, 0xff, 0x22]), { binary: false })
  t.is(await wrong.closed, 1007)
})

test('a wrong secret is told before the close', async (t) => {
  const world = await World.open(t)
  const raw = await world.raw()
  const payload = { type: 'basic', clientId: 'app123', clientSecret: 'wrong' }
  t.deepEqual(await raw.ask({ id: 1, action: AUTH, payload }), {
    id: 1,
    action: AUTH,
    success: false,
    error: { message: 'Invalid credentials' },
  })
  t.is(await raw.closed, 1008)
})

test('old clients get no keys that they do not know', async (t) => {
  const world = await World.open(t)
  await world.define('s')
  const raw = await world.authenticated()
  const reply = await raw.ask({ id: 2, action: 'subscribe', payload: 's' })
  t.deepEqual(reply, { id: 2, action: 'subscription', success: true, streamName: 's', payload: 2 })
  await publish({ ...world.remote, stream: 's', payload: { n: 1 } })
  const [, , delivery] = await raw.count(3)
  t.deepEqual(delivery, { id: 2, action: 'subscription', streamName: 's', payload: { n: 1 } })
})

test('tokens: RS512 only, not over, by the right key; HS256 with the public key as secret is refused', async (t) => {
  const world = await World.open(t)
  const { publicKey, privateKey } = await generateJwtKeys()
  await rotateClientJwtPublicKey({ ...world.remote, jwtPublicKey: publicKey })
  const exp = Math.floor(Date.now() / 1000) + 3600
  const good = signJwt({ exp }, privateKey)
  const accepted = async (jwt: string): Promise<unknown> => {
    const raw = await world.raw()
    return (await raw.ask({ id: 1, action: AUTH, payload: { type: 'jwt', clientId: 'app123', jwt } }))['success']
  }
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const hmac = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ exp })}`
  const confused = `${hmac}.${createHmac('sha256', publicKey).update(hmac).digest('base64url')}`
  const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
    type: 'pkcs1',
    format: 'pem',
  })
  const [head = '', body = '', signature = ''] = good.split('.')
  t.true(await accepted(good))
  t.false(await accepted(confused))
  t.false(await accepted(`${part({ alg: 'none' })}.${body}.${signature}`))
  t.false(await accepted(`${part({ alg: 'RS256', typ: 'JWT' })}.${body}.${signature}`))
  t.false(await accepted(`${head}.${part({ exp: exp + 1 })}.${signature}`))
  t.false(await accepted(signJwt({ exp }, String(stranger))))
  t.false(await accepted(signJwt({ exp: 1_700_000_000 }, privateKey)))
  t.false(await accepted(`${head}.${body}.`))
})

test('a connection ends with its token', async (t) => {
  const clock = new SimulatedClock()
  const world = await World.open(t, { clock })
  const { publicKey, privateKey } = await generateJwtKeys()
  await rotateClientJwtPublicKey({ ...world.remote, jwtPublicKey: publicKey })
  const raw = await world.raw()
  const jwt = signJwt({ exp: world.server.now() / 1000 + 20 }, privateKey)
  t.like(await raw.ask({ id: 1, action: AUTH, payload: { type: 'jwt', clientId: 'app123', jwt } }), { success: true })
  await clock.advance(20_000)
  t.is(await raw.closed, 4001)
})

test('a token with mustFanout and a filter', async (t) => {
  const world = await World.open(t)
  await world.define('s')
  const { publicKey, privateKey } = await generateJwtKeys()
  await rotateClientJwtPublicKey({ ...world.remote, jwtPublicKey: publicKey })
  const exp = Math.floor(Date.now() / 1000) + 60
  const filter = {
    t: 'eq',
    e: [
      { t: 'path', e: '$.n' },
      { t: 'number', e: 2 },
    ],
  } as const
  const raw = await world.raw()
  const jwt = signJwt({ exp, mustFanout: true, filter }, privateKey)
  await raw.ask({ id: 1, action: AUTH, payload: { type: 'jwt', clientId: 'app123', jwt } })
  t.like(await raw.ask({ id: 2, action: 'subscribe', payload: 's' }), {
    success: false,
    error: { message: 'this token requires fanout' },
  })
  const groupId = '06d8273e-cf88-41b8-967a-d1ed5f2079be'
  t.like(await raw.ask({ id: 3, action: 'subscribe', payload: 's', groupId }), { success: true })
  await publish({ ...world.remote, stream: 's', payload: [{ n: 1 }, { n: 2 }, { n: 3 }, { n: 2, t: 1 }] })
  const messages = await raw.count(5)
  t.deepEqual(
    messages.slice(3).map(({ payload }) => payload),
    [{ n: 2 }, { n: 2, t: 1 }],
  )
  t.like(await raw.ask({ id: 4, action: 'publish', streamName: 's', payload: {} }), { success: false })
})

test('a filter that withholds a long backlog acknowledges it for its bearer, and what passes comes', async (t) => {
  const world = await World.open(t)
  await world.define('s')
  const { publicKey, privateKey } = await generateJwtKeys()
  await rotateClientJwtPublicKey({ ...world.remote, jwtPublicKey: publicKey })
  const stream = world.server.stream('main', 's')
  const count = 12_000
  const gathering = new Gathering()
  for (let first = 0; first < count; first++) {
    gathering.append(Buffer.from(`{"payload":{"n":${first === count - 1 ? 2 : 1}}}`), undefined)
    stream?.append({ first, count: 1, time: 0, keys: [], packed: gathering.pack(0) })
  }
  const two = { t: 'number', e: 2 } as const
  const filter = { t: 'eq', e: [{ t: 'path', e: '$.n' }, two] } as const
  const jwt = signJwt({ exp: Math.floor(Date.now() / 1000) + 60, filter }, privateKey)
  const raw = await world.raw()
  await raw.ask({ id: 1, action: AUTH, payload: { type: 'jwt', clientId: 'app123', jwt } })
  raw.send({ id: 2, action: 'subscribe', payload: 's', from: 'start', ack: true, group: 'g' })
  t.like((await raw.count(3))[2], { offset: count - 1, payload: { n: 2 } })
  await raw.ask({ id: 3, action: 'ack', payload: { subscription: 2, upTo: count } })
  t.like((await world.server.groupsOf(stream as NonNullable<typeof stream>))[0], { committed: count, lag: 0 })
})

test('a peer that does not read its answers is not read any further, and goes on when it does', async (t) => {
  const world = await World.open(t)
  await world.define('s')
  const raw = await world.authenticated()
  const count = 8000
  // Each is answered by kilobytes of what is wrong with it.
  const payload = Object.fromEntries(Array.from({ length: 120 }, (_, index) => [`k${index}`, 1]))
  raw.socket.pause()
  for (let id = 2; id < count + 2; id++) raw.send({ id, action: 'publish', streamName: 's', payload })
  const [connection] = world.server.open
  const held = () => (connection?.queuedBytes ?? 0) > 4 << 20
  const taken = () => world.server.stats.messagesIn
  while (!held() && taken() < count) await new Promise((resolve) => setTimeout(resolve, 10))
  t.true(held() && taken() < count, 'it has read everything')
  t.true((connection?.queuedBytes ?? 0) < 5 << 20)
  raw.socket.resume()
  t.like((await raw.count(count + 1))[count], { id: count + 1, action: 'publish', success: false })
})

test('who does not answer a ping is let go, who does stays', async (t) => {
  const clock = new SimulatedClock()
  const world = await World.open(t, { clock, pingInterval: 1000 })
  const silent = await world.raw({ autoPong: false })
  const heard = await world.raw()
  const pinged = Promise.all(
    [silent, heard].map(({ socket }) => new Promise((resolve) => socket.once('ping', resolve))),
  )
  await clock.advance(1000)
  await pinged
  // The answer has come when the next message of the same connection was answered.
  await heard.ask({ id: 1, action: 'authenticate', payload: { type: 'basic', ...world.remote } })
  await clock.advance(1000)
  t.is(await silent.closed, 1006)
  t.is(world.server.connections, 1)
})

test('idle connections cost little: thousands are held, and one more is refused at the limit', async (t) => {
  const count = 2000
  const world = await World.open(t, { maxConnections: count })
  const raws = await Promise.all(Array.from({ length: count }, () => world.raw()))
  t.is(world.server.connections, count)
  await t.throwsAsync(world.raw(), { message: /503/ })
  await world.define('s')
  const one = raws[1234] as (typeof raws)[number]
  await one.ask({ id: 1, action: AUTH, payload: { type: 'basic', ...world.remote } })
  await one.ask({ id: 2, action: 'subscribe', payload: 's' })
  await publish({ ...world.remote, stream: 's', payload: { n: 1 } })
  t.like((await one.count(3))[2], { payload: { n: 1 } })
})
