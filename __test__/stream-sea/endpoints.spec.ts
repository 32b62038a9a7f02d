import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import test from 'ava'
import {
  createClient,
  createJail,
  defineStream,
  deleteClient,
  deleteJail,
  describeStream,
  publish,
  publishBatch,
  ReplyError,
  rotateClientSecret,
} from '../../ts/stream-sea/index.js'
import { FIELDS, take, World } from './world.js'

interface Answer {
  readonly status: number
  readonly body: Record<string, unknown>
}

function send(
  world: World,
  method: string,
  path: string,
  body: Buffer | string,
  headers: object = {},
): Promise<Answer> {
  const { clientId, clientSecret, remotePort: port } = world.remote
  const authorization = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`
  return new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', method, path, headers: { authorization, ...headers } }
    const sent = request(options, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(parts).toString()) })
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

const PUBLISH = '/api/v1/streams/s/publish'

test('a published payload is checked by the schema; errors are texts', async (t) => {
  const world = await World.open(t)
  await world.define('s')
  const error = await t.throwsAsync<ReplyError>(publish({ ...world.remote, stream: 's', payload: { n: 1.5, x: 1 } }), {
    instanceOf: ReplyError,
    code: 'ERR_STREAMSEA_PAYLOAD_INVALID',
  })
  t.is(error?.status, 400)
  t.deepEqual(error?.errors, ['n is not a valid integer', 'x is not a field of the schema'])
  const none = await t.throwsAsync<ReplyError>(publish({ ...world.remote, stream: 'none', payload: {} }))
  t.is(none?.status, 404)
})

test('versions: the same again stays, other fields and older ones are refused, newer ones replace', async (t) => {
  const world = await World.open(t)
  const define = (version: number | string, fields: readonly object[] = FIELDS) =>
    defineStream({ ...world.remote, stream: 's', schema: { name: 's', version, fields: fields as never } })
  await define('1.2.0')
  await define('1.2.0', [...FIELDS].reverse())
  await t.throwsAsync(define('1.2.0', FIELDS.slice(0, 1)), { code: 'ERR_STREAMSEA_REPLY_STATUS' })
  const error = await t.throwsAsync<ReplyError>(define('1.1.9'))
  t.deepEqual(error?.body, {
    message: 'The version pushed for the schema [s] is [1.1.9] but there is already an older version defined [1.2.0]',
  })
  await define('1.10.0', FIELDS.slice(0, 1))
  t.deepEqual(await describeStream({ ...world.remote, stream: 's' }), {
    name: 's',
    version: '1.10.0',
    fields: FIELDS.slice(0, 1),
  })
  for (const version of ['x', -1, 1.5e300, null]) await t.throwsAsync(define(version as never))
  await t.throwsAsync(define(9, [{ name: 'a', type: 'boolean' }]))
})

test('malformed bodies get the documented shape', async (t) => {
  const world = await World.open(t, { maxBodyBytes: 10_000 })
  await world.define('s')
  const gzip = { 'content-encoding': 'gzip' }
  const cases: [Buffer | string, object, number][] = [
    ['{', {}, 400],
    ['[]', {}, 400],
    ['{}', {}, 400],
    ['{"payload":"\xff"}', {}, 400],
    [Buffer.from('{"payload":"\xff"}', 'latin1'), {}, 400],
    [`{"payload":${'['.repeat(3000)}`, {}, 400],
    ['not gzip', gzip, 400],
    [gzipSync('{"payload":{}}').subarray(0, 20), gzip, 400],
    [gzipSync(`{"payload":"${'x'.repeat(1_000_000)}"}`), gzip, 413],
    ['{}', { 'content-encoding': 'br' }, 415],
    [`{"payload":"${'x'.repeat(20_000)}"}`, {}, 413],
  ]
  for (const [body, headers, status] of cases) {
    const answer = await send(world, 'POST', PUBLISH, body, headers)
    t.is(answer.status, status, String(body).slice(0, 40))
    t.is(typeof answer.body['message'], 'string')
  }
  t.is((await send(world, 'POST', PUBLISH, gzipSync('{"payload":{"n":1}}'), gzip)).status, 200)
  t.is(world.server.stats.received, 1)
})

test('paths lead nowhere else', async (t) => {
  const world = await World.open(t)
  for (const path of [
    '/',
    '/api/v1/streams/../client/publish',
    '/api/v1/streams/..%2f..%2fs/publish',
    '/api/v1/streams//publish',
    '/api/v1/streams/a!b/define',
    '/api/v1/streams/%E0%A4%A/publish',
    '/api/v1/streams/__proto__/publish',
  ]) {
    const { status } = await send(world, 'POST', path, '{"payload":{},"version":1,"fields":[]}')
    t.true(status === 404 || status === 400, `${path} ${status}`)
  }
})

test('clients: made with rights, never more than their maker has; a rotated secret is dead at once', async (t) => {
  const world = await World.open(t)
  await world.define('s')
  const made = await createClient({ ...world.remote, targetClientId: 'reader', rights: ['subscribe', 'clients'] })
  const reader = { ...world.remote, clientId: made.givenId, clientSecret: made.secret }
  const refused = async (work: Promise<unknown>, status: number) =>
    t.is((await t.throwsAsync<ReplyError>(work))?.status, status)
  await refused(publish({ ...reader, stream: 's', payload: {} }), 403)
  await refused(createClient({ ...reader, targetClientId: 'more', rights: ['publish'] }), 403)
  await refused(createClient({ ...world.remote, targetClientId: 'reader' }), 400)
  await refused(createClient({ ...world.remote, targetClientId: 'a/b' }), 400)
  await refused(deleteClient({ ...world.remote, targetClientId: 'nobody' }), 404)
  const rotated = await rotateClientSecret(reader)
  t.is((await t.throwsAsync<ReplyError>(describeStream({ ...reader, stream: 's' })))?.status, 401)
  t.is((await describeStream({ ...reader, clientSecret: rotated.secret, stream: 's' }))?.name, 's')
  t.deepEqual(await deleteClient({ ...world.remote, targetClientId: 'reader' }), { id: 'reader' })
  t.is(
    (await t.throwsAsync<ReplyError>(describeStream({ ...reader, clientSecret: rotated.secret, stream: 's' })))?.status,
    401,
  )
  const { body } = await send(world, 'GET', '/api/v1/audit', '')
  const lines = body['audit'] as { action: string; target: string; done: boolean }[]
  t.deepEqual(
    lines.map(({ action, target, done }) => [action, target, done]),
    [
      ['create-client', 'reader', true],
      ['rotate-secret', 'reader', true],
      ['delete-client', 'reader', true],
    ],
  )
})

test('jails do not see one another', async (t) => {
  const world = await World.open(t)
  await world.define('s')
  const jail = await createJail({ ...world.remote, targetJailId: 'j2', targetJailName: 'two', targetClientId: 'other' })
  const other = { ...world.remote, clientId: jail.newClientId, clientSecret: jail.newClientSecret }
  t.is(await describeStream({ ...other, stream: 's' }), null)
  await t.throwsAsync(deleteClient({ ...other, targetClientId: 'app123' }))
  await t.throwsAsync(createJail({ ...other, targetJailId: 'j3', targetJailName: 'x', targetClientId: 'y' }))
  await defineStream({ ...other, stream: 's', schema: { name: 's', version: 1, fields: [] } })
  const foreign = await world.client({ clientId: other.clientId, clientSecret: other.clientSecret })
  t.is(foreign.jailId, 'j2')
  const mine = await world.client()
  const subscription = await mine.subscribe({ stream: 's', fanout: true })
  await publish({ ...other, stream: 's', payload: {} })
  await publish({ ...world.remote, stream: 's', payload: { n: 1 } })
  t.deepEqual(
    (await take(subscription.messages(), 1)).map(({ payload }) => payload),
    [{ n: 1 }],
  )
  t.deepEqual(await deleteJail({ ...world.remote, targetJailId: 'j2' }), { id: 'j2' })
  t.truthy(await foreign.closed.then(() => true))
  t.is((await t.throwsAsync<ReplyError>(describeStream({ ...other, stream: 's' })))?.status, 401)
})

test('publishes with one key are stored once, also at the same time', async (t) => {
  const world = await World.open(t)
  await world.define('s')
  const client = await world.client()
  const subscription = await client.subscribe({ stream: 's', from: 'start', offsets: true, fanout: true })
  const one = () => publish({ ...world.remote, stream: 's', payload: { n: 1 }, idempotencyKey: 'k' })
  await Promise.all([one(), one(), one()])
  await one()
  t.deepEqual(await client.publish({ stream: 's', payload: { n: 9 }, key: 'k' }), {
    offset: 0,
    count: 1,
    duplicate: true,
  })
  await publishBatch({ ...world.remote, stream: 's', payloads: [{ n: 2 }, { n: 3 }] })
  t.deepEqual(
    (await take(subscription.messages(), 3)).map(({ payload }) => payload),
    [{ n: 1 }, { n: 2 }, { n: 3 }],
  )
  t.is(world.server.stats.duplicate, 4)
})

test('secrets are not in the files', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'stream-sea-'))
  const world = await World.open(t, { data: folder })
  await world.server.addClient('main', 'chosen', { secret: 'correct horse battery staple' })
  for (const file of await readdir(folder)) {
    const bytes = await readFile(`${folder}/${file}`).catch(() => Buffer.alloc(0))
    t.false(bytes.includes('correct horse'))
    t.false(bytes.includes(world.remote.clientSecret))
  }
  const chosen = { ...world.remote, clientId: 'chosen', clientSecret: 'correct horse battery staple' }
  t.is(await describeStream({ ...chosen, stream: 's' }), null)
  t.teardown(() => rm(folder, { recursive: true }))
})

test('of two jails that make a client of one name at once, one has it', async (t) => {
  const world = await World.open(t)
  const { newClientId, newClientSecret } = await createJail({
    ...world.remote,
    ...{ targetJailId: 'other', targetJailName: 'Other', targetClientId: 'stranger' },
  })
  const stranger = { ...world.remote, clientId: newClientId, clientSecret: newClientSecret }
  const made = await Promise.allSettled(
    [world.remote, stranger].map((maker) => createClient({ ...maker, targetClientId: 'guest' })),
  )
  t.deepEqual(made.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  const [refused] = made.filter((one) => one.status === 'rejected')
  t.is(refused?.reason.status, 400)
  t.regex(refused?.reason.message, /The client \[guest\] exists already/)
})

test('a client that is deleted while its secret is rotated is gone', async (t) => {
  const world = await World.open(t)
  for (let round = 0; round < 5; round++) {
    const { secret } = await createClient({ ...world.remote, targetClientId: 'guest' })
    const guest = { ...world.remote, clientId: 'guest', clientSecret: secret }
    await Promise.allSettled([
      deleteClient({ ...world.remote, targetClientId: 'guest' }),
      rotateClientSecret(guest),
      rotateClientSecret(guest),
    ])
    t.is(world.server.directory.client('guest'), undefined)
  }
})
