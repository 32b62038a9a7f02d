import test from 'ava'
import { defineStream, publish, StreamSeaServer } from '../../../ts/stream-sea/index.js'
import { connectNats } from '../../../ts/stream-sea/nats-connection.js'
import { take } from '../../stream-sea/world.js'
import { NatsServer } from './nats-server.js'
import { FIELDS, numbers, serve, until } from './nats-world.js'

/** ms that three servers may take to elect who leads. */
const ELECTION = 60_000
const STREAM = { name: 's', version: 1, fields: FIELDS } as const

test('replicas=3: a nats-server of three is killed under load, and every acknowledged message is there', async (t) => {
  const cluster = await NatsServer.cluster(t)
  const log = `nats://${cluster.map(({ port }) => `127.0.0.1:${port}`).join(',')}/sea?replicas=3`
  // Three that have just met choose who leads first.
  await until(async () => {
    const nats = await connectNats(log).catch(() => undefined)
    await nats?.connection.close()
    return nats !== undefined
  }, ELECTION)
  const [a, b] = [await serve(t, log), await serve(t, log)]
  await defineStream({ ...a.remote, stream: 's', schema: STREAM })
  await until(() => b.server.stream('main', 's')?.schema !== undefined, ELECTION)
  const nats = await connectNats(log)
  t.teardown(() => nats.connection.close())
  /** The one that leads the stream of the entries. */
  const leader = async (): Promise<NatsServer> => {
    for await (const { config, cluster: state } of nats.jsm.streams.list()) {
      t.is(config.num_replicas, 3, config.name)
      if (/^sea_\d+$/.test(config.name)) return cluster[Number(state?.leader?.slice(1))] as NatsServer
    }
    throw new Error('the stream is not there')
  }
  const acknowledged = new Set<number>()
  const publisher = await a.client()
  let next = 0
  let refused = 0
  const load = async (until: number): Promise<void> => {
    while (acknowledged.size < until) {
      const n = next++
      try {
        await publisher.publish({ stream: 's', payload: { n }, ...(n % 5 === 0 && { key: `k${n}` }) })
        acknowledged.add(n)
      } catch {
        // Not acknowledged: it may be there or not.
        refused++
      }
    }
  }
  /** Every acknowledged message is at the other server, and none twice for a key. */
  const check = async (): Promise<void> => {
    const end = (await publisher.publish({ stream: 's', payload: { n: -1 } })).offset + 1
    const subscription = await (await b.client()).subscribe({ stream: 's', fanout: true, from: 'start', offsets: true })
    const stored = await take(subscription.messages(), end)
    t.deepEqual(
      stored.map(({ offset }) => offset),
      numbers(0, end).map(({ n }) => n),
    )
    const there = stored.map(({ payload }) => (payload as { n: number }).n)
    const known = new Set(there)
    t.deepEqual(
      [...acknowledged].filter((n) => !known.has(n)),
      [],
    )
    const keyed = there.filter((n) => n >= 0 && n % 5 === 0)
    t.is(new Set(keyed).size, keyed.length)
    await subscription.close()
    t.log(`${acknowledged.size} acknowledged, ${end} stored, ${refused} refused`)
  }
  const first = await leader()
  const working = Array.from({ length: 16 }, () => load(600))
  await until(() => acknowledged.size > 200, ELECTION)
  await first.kill()
  await Promise.all(working)
  t.true(refused > 0)
  await check()
  await first.begin()
  await Promise.all(Array.from({ length: 16 }, () => load(1200)))
  await check()
})

test('one nats-server alone takes no replicas, and says so', async (t) => {
  const nats = await NatsServer.start(t)
  await t.throwsAsync(StreamSeaServer.open({ log: `${nats.url()}?replicas=3` }), {
    code: 'ERR_STREAMSEA_LOG_FAILED',
    message: /replicas/,
  })
  const { remote } = await serve(t, nats.url())
  await defineStream({ ...remote, stream: 's', schema: STREAM })
  await publish({ ...remote, stream: 's', payload: { n: 1 } })
})
