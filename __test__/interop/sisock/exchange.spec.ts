import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { DataNodeConsumer } from '../../../ts/sisock/data-node-consumer.js'
import { DataNodeHub } from '../../../ts/sisock/data-node-hub.js'
import { WampRouter } from '../../../ts/sisock/router/router.js'
import type { SerializerName } from '../../../ts/sisock/serializer.js'
import { formulaChecks } from '../../sisock/formula-checks.js'
import { FormulaNode } from '../../sisock/formula-node.js'
import { type Crossbar, crossbar, python, SECRETS, start } from './peers.js'

type Who = 'python' | 'ours'
interface Cast {
  readonly router: 'crossbar' | 'ours'
  readonly hub: Who
  readonly node: Who
  readonly consumer: Who
}

let bar: Crossbar
let router: WampRouter
let ownUrl: string

test.before(async () => {
  bar = await crossbar()
  router = new WampRouter({
    users: {
      server: { secret: SECRETS.server, role: 'server' },
      simonsobs: { secret: SECRETS.simonsobs, role: 'consumer' },
    },
  })
  ownUrl = `ws://127.0.0.1:${await router.listen(0)}/ws`
})

test.after.always(async () => {
  await router?.close()
  await bar?.kill()
})

/** Plays one cast; every part is started anew. */
async function play(t: ExecutionContext, cast: Cast, serializer: SerializerName): Promise<void> {
  const url = cast.router === 'crossbar' ? bar.url : ownUrl
  const common = { url, serializers: [serializer] as const }
  const server = { ...common, user: 'server', secret: SECRETS.server }
  const ends: (() => Promise<unknown>)[] = []
  try {
    if (cast.hub === 'ours') {
      const hub = new DataNodeHub(server)
      await hub.connect()
      ends.push(() => hub.close())
    } else {
      const hub = python('hub', url, serializer, 'server')
      ends.push(() => hub.kill())
      await hub.printed('hub ready')
    }
    if (cast.node === 'ours') {
      const node = new FormulaNode(server)
      await node.connect()
      ends.push(() => node.close())
    } else {
      const node = python('node', url, serializer, 'server')
      ends.push(() => node.kill())
      await node.printed('added formula')
    }
    if (cast.consumer === 'ours') {
      const consumer = new DataNodeConsumer({ ...common, user: 'simonsobs', secret: SECRETS.simonsobs })
      await consumer.connect()
      ends.push(() => consumer.close())
      t.true(consumer.subprotocol?.startsWith(`wamp.2.${serializer}`))
      const { seen, failed } = await formulaChecks(consumer)
      t.deepEqual(failed, [])
      t.is(seen, 25)
      const { data, timeline } = await consumer.getData('formula', ['ramp', 'sine'], 1_700_000_100, 1_700_000_110)
      t.is(data['ramp']?.length, 100)
      t.is(timeline['fast']?.t[1], 1_700_000_100.1)
    } else {
      const consumer = python('consumer', url, serializer, 'simonsobs')
      ends.push(() => consumer.kill())
      t.is(await consumer.ended, 0, consumer.output())
      t.regex(consumer.output(), /checks=25 failed=0/)
    }
  } finally {
    for (const end of ends.reverse()) await end()
  }
}

const peers: Cast = { router: 'crossbar', hub: 'python', node: 'python', consumer: 'python' }
const casts: readonly Cast[] = [
  peers,
  { ...peers, router: 'ours' },
  { ...peers, hub: 'ours' },
  { ...peers, node: 'ours' },
  { ...peers, consumer: 'ours' },
  { ...peers, hub: 'ours', node: 'ours', consumer: 'ours' },
  { router: 'ours', hub: 'ours', node: 'ours', consumer: 'python' },
  { router: 'ours', hub: 'ours', node: 'ours', consumer: 'ours' },
]
for (const serializer of ['json', 'msgpack', 'cbor'] as const) {
  for (const cast of casts) {
    const { router: at, hub, node, consumer } = cast
    test.serial(`${serializer}: router ${at}, hub ${hub}, node ${node}, consumer ${consumer}: 25 checks`, (t) =>
      play(t, cast, serializer),
    )
  }
}

test.serial('batched and unbatched, each serialization, through Crossbar.io', async (t) => {
  const server = { url: bar.url, user: 'server', secret: SECRETS.server }
  const hub = new DataNodeHub(server)
  await hub.connect()
  for (const serializer of ['json', 'msgpack', 'cbor'] as const) {
    for (const batched of [true, false]) {
      const node = new FormulaNode({ ...server, serializers: [serializer], batched })
      await node.connect()
      const consumer = new DataNodeConsumer({
        ...{ url: bar.url, user: 'simonsobs', secret: SECRETS.simonsobs },
        ...{ serializers: [serializer], batched },
      })
      await consumer.connect()
      t.is(consumer.subprotocol, `wamp.2.${serializer}${batched ? '.batched' : ''}`)
      t.deepEqual((await formulaChecks(consumer)).failed, [])
      await consumer.close()
      await node.close()
    }
  }
  await hub.close()
})

test.serial('TLS with the certificate as the only authority, as the project had it', async (t) => {
  const server = { url: bar.tlsUrl, user: 'server', secret: SECRETS.server, tls: { ca: bar.certificate } }
  const hub = new DataNodeHub(server)
  await hub.connect()
  t.regex(hub.subprotocol as string, /msgpack/)
  await hub.close()
  const stranger = new DataNodeHub({ ...server, tls: {} })
  await t.throwsAsync(stranger.connect(), { code: 'ERR_SESSION_TLS' })
})

test.serial('a salted user, a wrong secret, an unknown user and an unknown realm, at Crossbar.io', async (t) => {
  const hub = new DataNodeHub({ url: bar.url, user: 'server', secret: SECRETS.server })
  await hub.connect()
  const join = async (user: string, secret: string, realm = 'test_realm') => {
    const consumer = new DataNodeConsumer({ url: bar.url, user, secret, realm })
    await consumer.connect()
    await consumer.close()
  }
  await join('salted', 'loopback-salted-secret')
  await t.throwsAsync(join('salted', 'wrong'), { code: 'ERR_SISOCK_AUTH_DENIED' })
  await t.throwsAsync(join('simonsobs', 'wrong'), { code: 'ERR_SISOCK_AUTH_DENIED' })
  await t.throwsAsync(join('nobody', 'wrong'), { code: 'ERR_SISOCK_AUTH_DENIED' })
  await t.throwsAsync(join('simonsobs', 'wrong', 'nowhere'), { code: 'ERR_SISOCK_REALM_UNKNOWN' })
  await hub.close()
})

test.serial(
  'a hub of ours that restarts adopts a Python node, and a killed Python node is swept, at Crossbar.io',
  async (t) => {
    const server = { url: bar.url, user: 'server', secret: SECRETS.server }
    const first = new DataNodeHub(server)
    await first.connect()
    const node = python('node', bar.url, 'cbor', 'server', 'adoptee')
    await node.printed('added adoptee')
    await first.close()
    const second = new DataNodeHub(server)
    await second.connect()
    t.deepEqual(second.nodes, [{ name: 'adoptee', description: null }])
    const swept = new Promise<void>((resolve) => {
      second.status.on(({ state }) => state === 'data_node_subtracted' && resolve())
    })
    await node.kill('SIGKILL')
    await swept
    t.deepEqual(second.nodes, [])
    await second.close()
  },
)

test.serial(
  'a Python hub drops a node of ours that leaves, and one that is killed, through the embedded router',
  async (t) => {
    const hub = python('hub', ownUrl, 'cbor', 'server')
    await hub.printed('hub ready')
    const node = new FormulaNode({ url: ownUrl, user: 'server', secret: SECRETS.server })
    await node.connect()
    await hub.printed('added formula')
    await node.close()
    await hub.printed('subtracted formula')
    const place = ownUrl.replace('ws://', 'sisock://server@').replace('/ws', '')
    const main = join(import.meta.dirname, '../../../ts/cli/main.ts')
    const served = start(process.execPath, ['--import', 'tsx', main, 'serve', 'sisock', '--to', place], {
      env: { WAMP_SECRET: SECRETS.server },
    })
    await hub.printed('added synthetic')
    await served.kill('SIGKILL')
    await hub.printed('subtracted synthetic')
    await hub.kill()
    t.pass()
  },
)
