import test from 'ava'
import { type Clock, systemClock } from '../../ts/session/clock.js'
import type { DataReply, FieldsReply } from '../../ts/sisock/data.js'
import { DataNodeConsumer } from '../../ts/sisock/data-node-consumer.js'
import { DataNodeHub } from '../../ts/sisock/data-node-hub.js'
import { DataNodeServer } from '../../ts/sisock/data-node-server.js'
import { WampRouter } from '../../ts/sisock/router/router.js'
import { sisockToUnixTime, uri } from '../../ts/sisock/uri.js'
import { freePort } from '../free-port.js'
import { EPOCH, FormulaNode } from './formula-node.js'
import { house, state, USERS } from './house.js'
import SlowNode, { BLOCKED, OPEN } from './node-blocking.js'

test('times and URIs are those of the Python module', (t) => {
  t.is(uri('data_node.add'), 'org.simonsobservatory.data_node.add')
  t.is(sisockToUnixTime(1_500_000_000), 1_500_000_000)
  t.is(sisockToUnixTime(-60, 1000), 940)
  t.is(sisockToUnixTime(0, 1000), 1000)
})

test('a consumer gets fields and columns of a node', async (t) => {
  const home = await house(t)
  const hub = await home.hub()
  const node = home.keep(new FormulaNode(home.server))
  await node.connect()
  t.deepEqual(hub.nodes, [{ name: 'formula', description: 'formula test node' }])
  const consumer = await home.consumer()
  const [fields] = await consumer.getFields('formula')
  t.is(fields['ramp']?.timeline, 'fast')
  const { data, timeline } = await consumer.getData('formula', ['ramp', 'even', 'nope'], EPOCH, EPOCH + 120)
  t.true(data['ramp'] instanceof Float64Array)
  t.is(data['ramp']?.length, 1200)
  t.deepEqual(data['even'], [true, false])
  t.is(data['nope']?.length, 0)
  t.is(timeline['fast']?.t[1199], EPOCH + 119.9)
  t.is(timeline['fast']?.finalizedUntil, null)
})

test('what is final is asked for once, what is not is asked for again', async (t) => {
  const home = await house(t)
  await home.hub()
  const asked: [number, number][] = []
  class Counting extends FormulaNode {
    override getData(fields: readonly string[], start: number, end: number, minStride: number | null) {
      asked.push([start, end])
      return super.getData(fields, start, end, minStride)
    }
  }
  await home.keep(new Counting(home.server)).connect()
  const consumer = await home.consumer()
  const ask = async (start: number, end: number) => {
    const { data, timeline } = await consumer.getData('formula', ['ramp'], start, end)
    const expected = Array.from({ length: Math.round((end - start) * 10) }, (_, k) => (start * 10 + k) / 10)
    t.deepEqual([...(timeline['fast']?.t ?? [])], expected)
    t.deepEqual(
      [...(data['ramp'] as Float64Array)],
      expected.map((time) => time % 1000),
    )
  }
  await ask(EPOCH, EPOCH + 10)
  await ask(EPOCH, EPOCH + 10)
  await ask(EPOCH + 3, EPOCH + 20)
  await ask(EPOCH + 1, EPOCH + 15)
  t.deepEqual(asked, [
    [EPOCH, EPOCH + 10],
    [EPOCH + 10, EPOCH + 20],
  ])
  // Final is what lies before 1700080000: the rest is asked for again.
  await ask(EPOCH + 79_990, EPOCH + 80_010)
  await ask(EPOCH + 79_990, EPOCH + 80_010)
  t.deepEqual(asked.slice(2), [
    [EPOCH + 79_990, EPOCH + 80_010],
    [EPOCH + 80_000, EPOCH + 80_010],
  ])
})

test('who comes under the name of a node that went is asked anew', async (t) => {
  const home = await house(t)
  await home.hub()
  const consumer = await home.consumer()
  const ask = async () => {
    const { data } = await consumer.getData('formula', ['ramp'], EPOCH, EPOCH + 1)
    return data['ramp']?.[0]
  }
  const first = new FormulaNode(home.server)
  await first.connect()
  t.is(await ask(), 0)
  const went = new Promise<void>((resolve) => consumer.watch(({ kind }) => kind === 'subtracted' && resolve()))
  await first.close()
  await went
  class Other extends FormulaNode {
    override getData(fields: readonly string[], start: number, end: number, stride: number | null) {
      const reply = super.getData(fields, start, end, stride)
      return reply && { ...reply, data: { ramp: new Float64Array(10).fill(42) } }
    }
  }
  const came = new Promise<void>((resolve) => consumer.watch(({ kind }) => kind === 'added' && resolve()))
  await home.keep(new Other(home.server)).connect()
  await came
  t.is(await ask(), 42)
})

test('calls before the session has joined are refused by a code, and closing leaves no timer behind', async (t) => {
  const home = await house(t)
  await home.hub()
  const waiting = new Set<() => void>()
  const clock: Clock = {
    now: () => systemClock.now(),
    elapsed: () => systemClock.elapsed(),
    after(ms, call) {
      const timer = systemClock.after(ms, () => {
        waiting.delete(call)
        call()
      })
      waiting.add(call)
      return {
        cancel: () => {
          waiting.delete(call)
          timer.cancel()
        },
      }
    },
  }
  const early: Promise<unknown>[] = []
  class Hasty extends DataNodeConsumer {
    override onConnect(): void {
      early.push(
        this.call('a.b'),
        this.register('a.b', () => null),
        this.subscribe('a.b', () => {}),
        this.publish('a.b'),
      )
      for (const one of early) one.catch(() => {})
      super.onConnect()
    }
  }
  const consumer = new Hasty({ ...home.server, clock })
  await consumer.connect()
  t.is(early.length, 4)
  for (const one of early) await t.throwsAsync(one, { code: 'ERR_SESSION_NOT_CONNECTED' })
  t.true(Array.isArray(await consumer.refresh()))
  await consumer.close()
  t.is(waiting.size, 0)
})

test('a range that is too much for the node is cut, and one that is asked in chunks too', async (t) => {
  const home = await house(t)
  await home.hub()
  await home.keep(new FormulaNode({ ...home.server, allowance: 1000 })).connect()
  const consumer = await home.consumer({ cacheBytes: 0 })
  const whole = await consumer.getData('formula', ['ramp'], EPOCH, EPOCH + 1000)
  t.is(whole.data['ramp']?.length, 10_000)
  t.true(whole.timeline['fast']?.t.every((time, k) => time === (EPOCH * 10 + k) / 10))
  const chunks = await consumer.getData('formula', ['ramp'], EPOCH, EPOCH + 100, { chunk: 7 })
  t.deepEqual(chunks.data['ramp'], whole.data['ramp']?.slice(0, 1000) as Float64Array)
})

test('a name that is taken is refused, and said', async (t) => {
  const home = await house(t)
  await home.hub()
  await home.keep(new FormulaNode(home.server)).connect()
  await t.throwsAsync(new FormulaNode(home.server).connect(), { code: 'ERR_SISOCK_NODE_DENIED' })
  await t.throwsAsync(new FormulaNode(home.server, 'with blank').connect(), { code: 'ERR_SISOCK_NAME_INVALID' })
})

test('a node waits for the hub, and comes back when the hub does; a leaving node is gone at once', async (t) => {
  const home = await house(t)
  const node = home.keep(new FormulaNode({ ...home.server, checkInterval: 20 }))
  const waits = state(node.status, 'hub-missing')
  await node.connect()
  await waits
  const hub = new DataNodeHub({ ...home.server, adopt: false })
  const added = state(hub.status, 'data_node_added')
  await hub.connect()
  await added
  await hub.close()
  const second = home.keep(new DataNodeHub({ ...home.server, adopt: false }))
  const again = state(second.status, 'data_node_added')
  await second.connect()
  await again
  t.deepEqual(second.nodes, [{ name: 'formula', description: 'formula test node' }])
  await node.close()
  t.deepEqual(second.nodes, [])
})

test('a hub that starts again adopts the nodes that are registered; sessions that leave take all their nodes along', async (t) => {
  const home = await house(t)
  const first = await home.hub()
  const node = home.keep(new FormulaNode({ ...home.server, checkInterval: 0 }))
  await node.connect()
  await first.close()
  const second = await home.hub()
  t.is(second.nodes[0]?.name, 'formula')
  const more = await home.hub({ adopt: false }).catch((error: { code: string }) => error.code)
  t.is(more, 'ERR_SISOCK_NODE_DENIED', 'there is one hub')
  const events: string[] = []
  const consumer = await home.consumer()
  consumer.watch(({ kind, node: { name } }) => events.push(`${kind} ${name}`))
  const other = home.keep(new FormulaNode(home.server, 'other'))
  await other.connect()
  await other.call(uri('data_node.add'), ['third', null, (await sessionOf(other)).session])
  t.deepEqual(
    second.nodes.map(({ name }) => name),
    ['formula', 'other', 'third'],
  )
  const gone = new Promise<void>((resolve) =>
    consumer.watch(({ node: { name }, kind }) => name === 'third' && kind === 'subtracted' && resolve()),
  )
  await other.close()
  await gone
  t.deepEqual(events, ['added other', 'added third', 'subtracted other', 'subtracted third'])
  t.deepEqual(
    second.nodes.map(({ name }) => name),
    ['formula'],
  )
})

async function sessionOf(node: DataNodeServer): Promise<{ session: number }> {
  const sessions = (await node.call('wamp.session.list')) as number[]
  const details = await Promise.all(sessions.map((id) => node.call('wamp.session.get', [id])))
  return details.at(-1) as { session: number }
}

test('the router restarts: nodes, hub and consumer are back, and say so', async (t) => {
  const router = new WampRouter({ users: USERS })
  const port = await router.listen(await freePort())
  const url = `ws://127.0.0.1:${port}/ws`
  const server = { url, secret: USERS.server.secret, reconnect: { minDelay: 20, maxDelay: 50 } }
  const hub = new DataNodeHub(server)
  await hub.connect()
  const node = new FormulaNode(server)
  await node.connect()
  const [lost, back] = [state(node.status, 'reconnecting'), state(node.status, 'connected')]
  await router.close()
  await lost
  const second = new WampRouter({ users: USERS })
  const added = state(node.status, 'added')
  await second.listen(port)
  await Promise.all([back, added])
  t.is(node.stats.reconnects, 1)
  t.is(hub.nodes[0]?.name, 'formula')
  await node.close()
  await hub.close()
  await second.close()
})

test('wrong secrets, unknown users, other realms and missing secrets each have their error; nobody is told which names exist', async (t) => {
  const home = await house(t)
  await home.hub()
  const join = (config: object) => new FormulaNode({ ...home.server, ...config }).connect()
  const wrong = await t.throwsAsync(join({ secret: 'wrong' }), { code: 'ERR_SISOCK_AUTH_DENIED' })
  const unknown = await t.throwsAsync(join({ user: 'nobody' }), { code: 'ERR_SISOCK_AUTH_DENIED' })
  t.is(wrong?.message, unknown?.message)
  await t.throwsAsync(join({ realm: 'nowhere' }), { code: 'ERR_SISOCK_REALM_UNKNOWN' })
  await t.throwsAsync(join({ anonymous: true }), { code: 'ERR_SISOCK_AUTH_DENIED' })
  await t.throwsAsync(join({ secret: undefined }), { code: 'ERR_SISOCK_SECRET_MISSING' })
  await t.throwsAsync(join({ url: 'ws://127.0.0.1:1/ws' }), { code: 'ERR_SESSION_CONNECT_REFUSED' })
  const salted = await home.consumer({ user: 'salted', secret: USERS.salted.secret })
  t.is(salted.details?.authid, 'salted')
})

test('a node that never answers times out, and one that dies in a call is told of', async (t) => {
  const home = await house(t)
  await home.hub()
  class Silent extends FormulaNode {
    override getFields(): Promise<FieldsReply> {
      return new Promise(() => {})
    }
  }
  const node = new Silent(home.server, 'silent')
  await node.connect()
  const consumer = await home.consumer()
  await t.throwsAsync(consumer.getFields('silent', 1, 0, { timeout: 50 }), { code: 'ERR_SISOCK_CALL_TIMEOUT' })
  await t.throwsAsync(consumer.getFields('silent', 1, 0, { signal: AbortSignal.timeout(50) }), {
    code: 'ERR_SESSION_ABORTED',
  })
  const asked = consumer.getFields('silent')
  const failed = t.throwsAsync(asked, { code: 'ERR_SISOCK_CALL_CANCELED' })
  await node.close()
  await failed
  await t.throwsAsync(consumer.getFields('silent'), { code: 'ERR_SISOCK_PROCEDURE_MISSING' })
})

test('what a node does wrong is an error at the caller, in a form that Python knows', async (t) => {
  const home = await house(t)
  await home.hub()
  class Wrong extends FormulaNode {
    override getData(fields: readonly string[], start: number): DataReply {
      if (start === 7) throw new Error('no data today')
      return { data: { [fields[0] as string]: [1, 2] }, timeline: { t: { t: [1] } } }
    }
  }
  await home.keep(new Wrong(home.server)).connect()
  const consumer = await home.consumer()
  const failure = await t.throwsAsync(consumer.getData('formula', ['ramp'], 7, 8), { code: 'ERR_SISOCK_CALL_FAILED' })
  t.like(failure?.cause, { error: 'wamp.error.runtime_error', args: ['no data today'] })
  await t.throwsAsync(consumer.getData('formula', ['ramp'], 8, 9), { message: /has 2 samples, which no timeline has/ })
  await t.throwsAsync(consumer.call(uri('consumer.formula.get_data'), [[1], 1, 2]), { message: /no list of names/ })
})

test('blocking methods run in a thread, and leave the event loop free', async (t) => {
  const home = await house(t)
  await home.hub()
  const gate = new Int32Array(new SharedArrayBuffer(8))
  const node = home.keep(new SlowNode({ ...home.server, gate }))
  await node.connect()
  const consumer = await home.consumer()
  const asked = consumer.getFields('slow')
  while (Atomics.load(gate, BLOCKED) === 0) await new Promise((resolve) => setImmediate(resolve))
  t.is((await consumer.refresh())[0]?.name, 'slow', 'others are answered while the thread is blocked')
  Atomics.store(gate, OPEN, 1)
  Atomics.notify(gate, OPEN)
  const [fields] = await asked
  t.is(fields['x']?.timeline, 't')
  const { data } = await consumer.getData('slow', ['x'], 5, 6)
  t.deepEqual(data['x'], Float64Array.of(5))
  await t.throwsAsync(consumer.getData('slow', ['x'], 9, 6), { message: /the wrong way round/ })
  class Nothing extends DataNodeServer {
    override name = 'nothing'
  }
  const nothing = home.keep(new Nothing(home.server))
  await nothing.connect()
  await t.throwsAsync(consumer.getFields('nothing'), { message: /must be overridden/ })
})

test('1,000 nodes on one hub', async (t) => {
  const home = await house(t)
  const hub = await home.hub()
  const nodes = Array.from(
    { length: 1000 },
    (_, k) => new FormulaNode({ ...home.server, checkInterval: 0 }, `node${k}`),
  )
  for (let k = 0; k < nodes.length; k += 50) await Promise.all(nodes.slice(k, k + 50).map((node) => node.connect()))
  const consumer = await home.consumer()
  t.is(consumer.nodes.length, 1000)
  t.is((await consumer.getData('node999', ['ramp'], EPOCH, EPOCH + 1)).data['ramp']?.length, 10)
  await Promise.all(nodes.map((node) => node.close()))
  t.is(hub.nodes.length, 0)
})
