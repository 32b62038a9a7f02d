import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { WebSocket } from 'ws'
import { signChallenge } from '../../ts/sisock/authentication.js'
import { WampRouter } from '../../ts/sisock/router/router.js'
import { checkUsers, isPermitted, SISOCK_ROLES } from '../../ts/sisock/router/users.js'
import { Framing, type SerializerName, serializer } from '../../ts/sisock/serializer.js'
import { house, state, USERS } from './house.js'

/** A peer that speaks WAMP by hand. */
class Peer {
  readonly #socket: WebSocket
  readonly #framing: Framing
  readonly #got: unknown[][] = []
  readonly #waiting: ((message: unknown[]) => void)[] = []
  readonly closed: Promise<number>

  constructor(url: string, subprotocol: string) {
    this.#framing = Framing.of(subprotocol) as Framing
    this.#socket = new WebSocket(url, [subprotocol])
    const one = serializer(this.#framing.name)
    this.#socket.on('message', (data: Buffer) => {
      for (const bytes of this.#framing.split(data)) {
        const message = one.unserialize(bytes) as unknown[]
        const waiting = this.#waiting.shift()
        if (waiting === undefined) this.#got.push(message)
        else waiting(message)
      }
    })
    this.closed = new Promise((resolve) => this.#socket.on('close', resolve))
  }

  async opened(): Promise<this> {
    await new Promise((resolve) => this.#socket.once('open', resolve))
    return this
  }

  send(...messages: unknown[][]): void {
    const bytes = messages.map((message) => serializer(this.#framing.name).serialize(message))
    if (this.#framing.isBatched) this.raw(Buffer.concat(bytes.flatMap((message) => this.#framing.inBatch(message))))
    else for (const one of bytes) this.raw(one)
  }

  raw(bytes: Uint8Array): void {
    this.#socket.send(bytes, { binary: this.#framing.isBinary })
  }

  next(): Promise<unknown[]> {
    const message = this.#got.shift()
    if (message !== undefined) return Promise.resolve(message)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  async ask(message: unknown[]): Promise<unknown[]> {
    this.send(message)
    return this.next()
  }

  async join(user: keyof typeof USERS): Promise<unknown[]> {
    const roles = {
      caller: {},
      callee: { features: { progressive_call_results: true } },
      publisher: {},
      subscriber: {},
    }
    const [, , extra] = await this.ask([1, 'test_realm', { roles, authmethods: ['wampcra'], authid: user }])
    const { challenge } = extra as { challenge: string }
    return this.ask([5, signChallenge(USERS[user].secret, challenge), {}])
  }

  close(): void {
    this.#socket.close()
  }

  /** Stops reading, as a process that hangs. */
  pause(): void {
    this.#socket.pause()
  }

  kill(): void {
    this.#socket.terminate()
  }
}

async function peer(
  t: ExecutionContext,
  url: string,
  user: keyof typeof USERS,
  name: SerializerName = 'msgpack',
  batched = false,
) {
  const one = await new Peer(url, new Framing(name, batched).subprotocol).opened()
  t.teardown(() => one.kill())
  const welcome = await one.join(user)
  t.is(welcome[0], 2)
  return Object.assign(one, { session: welcome[1] as number })
}

const forms = (['json', 'msgpack', 'cbor'] as const).flatMap((name) =>
  [false, true].map((batched) => [name, batched] as const),
)

for (const [from, fromBatched] of forms) {
  for (const [to, toBatched] of forms) {
    test(`calls and events go from ${from}${fromBatched ? ' batched' : ''} to ${to}${toBatched ? ' batched' : ''} whole`, async (t) => {
      const { url } = await house(t)
      const callee = await peer(t, url, 'server', to, toBatched)
      const caller = await peer(t, url, 'server', from, fromBatched)
      const [, , registration] = await callee.ask([64, 1, {}, 'org.example.echo'])
      for (const size of [3, 100, 20_000]) {
        const payload = [
          [Array.from({ length: size }, (_, k) => k + 0.5), 'é"\\', null, { a: [true, -1] }],
          { k: 'v' },
        ] as const
        caller.send([48, size, {}, 'org.example.echo', ...payload])
        const invocation = await callee.next()
        t.is(invocation[0], 68)
        t.is(invocation[2], registration)
        const [args, kwargs] = invocation.slice(4) as [unknown[], object]
        t.deepEqual([...(args[0] as number[])], payload[0][0])
        t.deepEqual([args.slice(1), kwargs], [payload[0].slice(1), payload[1]])
        callee.send([70, invocation[1], {}, ...payload])
        const result = await caller.next()
        t.deepEqual(result.slice(0, 3), [50, size, {}])
        t.deepEqual([...(result[3] as [number[]])[0]], payload[0][0])
        t.deepEqual(result[4], payload[1])
      }
      await callee.ask([32, 2, {}, 'org.example.topic'])
      const published = await caller.ask([16, 9, { acknowledge: true }, 'org.example.topic', ['x'], { n: 1 }])
      t.deepEqual(published.slice(0, 2), [17, 9])
      t.deepEqual((await callee.next()).slice(3), [{}, ['x'], { n: 1 }])
    })
  }
}

test('an event reaches every subscriber unharmed, and not its publisher', async (t) => {
  const { url } = await house(t)
  const peers = await Promise.all([1, 2, 3].map(() => peer(t, url, 'server', 'msgpack', true)))
  for (const one of peers) await one.ask([32, 1, {}, 'org.example.topic'])
  const [publisher, ...others] = peers as unknown as [Peer, Peer, Peer]
  for (let n = 0; n < 20; n++) publisher.send([16, n + 10, {}, 'org.example.topic', [n, 'x'.repeat(n * 3)]])
  for (const one of others) {
    for (let n = 0; n < 20; n++) t.deepEqual((await one.next()).slice(4), [[n, 'x'.repeat(n * 3)]])
  }
  publisher.send([16, 99, { exclude_me: false }, 'org.example.topic'])
  t.is((await publisher.next())[0], 36)
})

test('errors of callees, missing procedures, refused roles, taken and unknown registrations', async (t) => {
  const { url } = await house(t)
  const callee = await peer(t, url, 'server')
  const caller = await peer(t, url, 'simonsobs', 'json')
  const name = 'org.simonsobservatory.consumer.x.get_data'
  const registered = await callee.ask([64, 1, {}, name])
  caller.send([48, 1, {}, name])
  const [, invocation] = await callee.next()
  callee.send([8, 68, invocation, {}, 'wamp.error.runtime_error', ['why'], { more: 1 }])
  t.deepEqual(await caller.next(), [8, 48, 1, {}, 'wamp.error.runtime_error', ['why'], { more: 1 }])
  t.is((await caller.ask([48, 2, {}, `${name}s`]))[4], 'wamp.error.no_such_procedure')
  t.is((await caller.ask([48, 3, {}, 'org.simonsobservatory.data_node.add']))[4], 'wamp.error.not_authorized')
  t.is((await caller.ask([64, 4, {}, name]))[4], 'wamp.error.not_authorized')
  t.is((await caller.ask([32, 5, {}, 'wamp.session.on_leave']))[4], 'wamp.error.not_authorized')
  t.is((await caller.ask([16, 6, { acknowledge: true }, name]))[4], 'wamp.error.not_authorized')
  t.is((await callee.ask([64, 2, {}, name]))[4], 'wamp.error.procedure_already_exists')
  t.is((await callee.ask([64, 3, {}, 'has blank']))[4], 'wamp.error.invalid_uri')
  t.is((await callee.ask([64, 4, {}, 'wamp.mine']))[4], 'wamp.error.invalid_uri')
  t.is((await callee.ask([64, 5, { match: 'prefix' }, 'a.b']))[4], 'wamp.error.invalid_argument')
  t.is((await callee.ask([66, 6, 12345]))[4], 'wamp.error.no_such_registration')
  t.deepEqual(await callee.ask([66, 7, registered[2]]), [67, 7])
  t.is((await caller.ask([48, 8, {}, name]))[4], 'wamp.error.no_such_procedure')
})

test('parts of a result, a cancelled call, and an answer that nobody waits for', async (t) => {
  const { url } = await house(t)
  const callee = await peer(t, url, 'server')
  const caller = await peer(t, url, 'server')
  await callee.ask([64, 1, {}, 'a.b'])
  caller.send([48, 1, { receive_progress: true }, 'a.b'])
  const [, invocation, , details] = await callee.next()
  t.deepEqual(details, { receive_progress: true })
  callee.send([70, invocation, { progress: true }, [1]], [70, invocation, {}, [2]])
  t.deepEqual(
    [await caller.next(), await caller.next()],
    [
      [50, 1, { progress: true }, [1]],
      [50, 1, {}, [2]],
    ],
  )
  caller.send([48, 2, {}, 'a.b'])
  const [, second] = await callee.next()
  t.is((await caller.ask([49, 2, {}]))[4], 'wamp.error.canceled')
  callee.send([70, second, {}, ['late']])
  caller.send([48, 3, {}, 'a.b'])
  const [, third] = await callee.next()
  callee.send([70, third, {}, ['in time']])
  t.deepEqual(await caller.next(), [50, 3, {}, ['in time']])
})

test('a peer that dies: its callers are told, its names are free, and on_leave has one argument', async (t) => {
  const { url } = await house(t)
  const watcher = await peer(t, url, 'server')
  const callee = await peer(t, url, 'server')
  const caller = await peer(t, url, 'server')
  await watcher.ask([32, 1, {}, 'wamp.session.on_leave'])
  await callee.ask([64, 1, {}, 'a.b'])
  caller.send([48, 1, {}, 'a.b'])
  await callee.next()
  callee.kill()
  t.deepEqual(await caller.next(), [
    8,
    48,
    1,
    {},
    'wamp.error.canceled',
    ['callee disconnected from in-flight request'],
  ])
  t.deepEqual((await watcher.next()).slice(4), [[callee.session]])
  t.is((await caller.ask([64, 2, {}, 'a.b']))[0], 65)
})

test('the meta procedures that a hub needs to adopt nodes', async (t) => {
  const { url } = await house(t)
  const one = await peer(t, url, 'server')
  const [, , id] = await one.ask([64, 1, {}, 'a.b'])
  const meta = async (name: string, ...args: unknown[]) =>
    (await one.ask([48, 5, {}, `wamp.${name}`, args])).slice(-1)[0] as [unknown]
  t.deepEqual(await meta('registration.list'), [{ exact: [id], prefix: [], wildcard: [] }])
  t.like((await meta('registration.get', id))[0], { id, uri: 'a.b', match: 'exact', invoke: 'single' })
  t.deepEqual(await meta('registration.list_callees', id), [[one.session]])
  t.deepEqual(await meta('registration.count_callees', id), [1])
  t.deepEqual(await meta('registration.lookup', 'a.b'), [id])
  t.deepEqual(await meta('session.list'), [[one.session]])
  t.deepEqual(await meta('session.count'), [1])
  t.like((await meta('session.get', one.session))[0], { authid: 'server', authrole: 'server' })
  t.is((await one.ask([48, 6, {}, 'wamp.registration.get', [999]]))[4], 'wamp.error.no_such_registration')
  t.is((await one.ask([48, 7, {}, 'wamp.nothing']))[4], 'wamp.error.no_such_procedure')
})

test('a good-bye is answered; who breaks the protocol is out', async (t) => {
  const { url } = await house(t)
  const polite = await peer(t, url, 'server')
  t.deepEqual(await polite.ask([6, {}, 'wamp.close.normal']), [6, {}, 'wamp.close.goodbye_and_out'])
  for (const message of [[2, 1, {}], [48], [48, 'x', {}, 'a.b'], [99, 1], [64, 1, {}, 7], [1, 'test_realm', {}]]) {
    const rude = await peer(t, url, 'server')
    t.is((await rude.ask(message))[2], 'wamp.error.protocol_violation', JSON.stringify(message))
    t.is(await rude.closed, 1002)
  }
  const early = await new Peer(url, 'wamp.2.json').opened()
  t.is((await early.ask([48, 1, {}, 'a.b']))[2], 'wamp.error.protocol_violation')
})

test('who is silent instead of joining, or joins without a way that is known, is out', async (t) => {
  const { url } = await house(t, { joinTimeout: 50 })
  const silent = await new Peer(url, 'wamp.2.json').opened()
  t.is((await silent.next())[0], 3)
  await silent.closed
  const patient = await house(t)
  const ticket = await new Peer(patient.url, 'wamp.2.json').opened()
  t.is(
    (await ticket.ask([1, 'test_realm', { authmethods: ['ticket'], authid: 'server' }]))[2],
    'wamp.error.no_auth_method',
  )
  const open = await house(t, { anonymousRole: 'consumer' })
  const anonymous = await new Peer(open.url, 'wamp.2.json').opened()
  t.like((await anonymous.ask([1, 'test_realm', {}]))[2], { authrole: 'consumer', authmethod: 'anonymous' })
})

test('limits: calls in flight, registrations, sessions, the length of a message, and a peer that does not read', async (t) => {
  const home = await house(t, {
    maxCalls: 2,
    maxRegistrations: 1,
    maxSessions: 3,
    maxMessageBytes: 1 << 20,
    maxQueueBytes: 1 << 20,
  })
  const callee = await peer(t, home.url, 'server')
  const caller = await peer(t, home.url, 'server')
  await callee.ask([64, 1, {}, 'a.b'])
  t.is((await callee.ask([64, 2, {}, 'a.c']))[4], 'wamp.error.resource_exhausted')
  caller.send([48, 1, {}, 'a.b'], [48, 2, {}, 'a.b'])
  t.is((await caller.ask([48, 3, {}, 'a.b']))[4], 'wamp.error.resource_exhausted')
  const third = await peer(t, home.url, 'server')
  const fourth = await new Peer(home.url, 'wamp.2.json').opened()
  t.is(await fourth.closed, 1013)
  const slow = state(home.router.status, 'peer-slow')
  await callee.ask([32, 3, {}, 'flood'])
  callee.pause()
  const flood = Buffer.alloc(500_000)
  for (let n = 0; n < 40; n++) caller.send([16, n + 10, {}, 'flood', [flood]])
  t.is((await slow).detail?.['session'], callee.session)
  third.raw(Buffer.alloc((1 << 20) + 1))
  t.is(await third.closed, 1009)
})

test('any bytes leave the router standing', async (t) => {
  const home = await house(t)
  const good = await peer(t, home.url, 'server')
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: 1, maxLength: 300 }),
      fc.constantFrom(...forms),
      async (bytes, [name, batched]) => {
        const bad = await new Peer(home.url, new Framing(name, batched).subprotocol).opened()
        bad.raw(bytes)
        if (bytes[0] !== 0) bad.raw(Buffer.from([0x91, 0x01]))
        bad.close()
        await bad.closed
      },
    ),
    { numRuns: 150 },
  )
  t.is((await good.ask([48, 1, {}, 'nobody']))[0], 8)
})

test('the longest prefix decides what a role may', (t) => {
  t.true(isPermitted(SISOCK_ROLES['server'] ?? [], 'register', 'anything'))
  t.true(isPermitted(SISOCK_ROLES['consumer'] ?? [], 'call', 'org.simonsobservatory.consumer.x'))
  t.false(isPermitted(SISOCK_ROLES['consumer'] ?? [], 'register', 'org.simonsobservatory.consumer.x'))
  t.false(isPermitted(SISOCK_ROLES['consumer'] ?? [], 'call', 'org.simonsobservatory.data_node.add'))
  t.false(isPermitted([{ prefix: 'a', call: true }, { prefix: 'a.b' }], 'call', 'a.b.c'))
})

test('users are checked, and there is no default secret', (t) => {
  for (const users of [
    [],
    null,
    { a: {} },
    { a: { secret: '', role: 'server' } },
    { a: { secret: 'x', role: 'king' } },
  ]) {
    t.throws(() => checkUsers(users, SISOCK_ROLES), { code: 'ERR_SISOCK_USERS' })
  }
  t.throws(() => new WampRouter({ users: { a: { secret: 'x', role: 'server', iterations: -1 } } }), {
    code: 'ERR_SISOCK_USERS',
  })
})

test('a port that is taken is said', async (t) => {
  const home = await house(t)
  await t.throwsAsync(new WampRouter({ users: USERS }).listen(home.port), { code: 'ERR_SESSION_ADDRESS_IN_USE' })
})
