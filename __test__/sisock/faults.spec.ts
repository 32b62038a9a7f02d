import test from 'ava'
import { DataNodeSource } from '../../ts/sisock/data-node-source.js'
import { uri } from '../../ts/sisock/uri.js'
import { EPOCH, FormulaNode } from './formula-node.js'
import { house, state } from './house.js'

test('a hub takes no node in under the session of nobody, or of somebody else', async (t) => {
  const home = await house(t)
  const hub = await home.hub()
  const node = home.keep(new FormulaNode(home.server))
  const added = state(node.status, 'added')
  await node.connect()
  const { session } = (await added).detail as { session: number }
  const add = (name: string, id: unknown) => node.call(uri('data_node.add'), [name, null, id])
  t.is(await add('ghost', 12345), false, 'there is no such session')
  t.is(await add('ghost', 'x'), false)
  t.is(await add('', session), false)
  const other = home.keep(new FormulaNode({ ...home.server, checkInterval: 0 }, 'other'))
  await other.connect()
  await other.call(uri('data_node.subtract'), [
    'other',
    (hub as unknown as { details: { session: number } }).details.session,
  ])
  t.is(hub.nodes.length, 2, 'a subtraction under another session is nothing')
  await node.call(uri('data_node.subtract'), ['formula', session])
  t.deepEqual(
    hub.nodes.map(({ name }) => name),
    ['other'],
  )
  const thief = state(hub.status, 'add-refused')
  t.is(await add('other-2', session), true, 'a session may have several nodes')
  await other.register(uri('consumer.mine.get_data'), () => false)
  t.is(await add('mine', session), false)
  t.regex(String((await thief).detail?.['reason']), /another session/)
})

test('a node that is killed while it is recorded: the gap is open until it is back, and nothing is missing then', async (t) => {
  const home = await house(t)
  await home.hub()
  let end = EPOCH + 5
  class Growing extends FormulaNode {
    override getData(fields: readonly string[], start: number, _: number, stride: number | null) {
      const reply = super.getData(fields, start, end, stride)
      if (reply === false) return reply
      const open = Object.entries(reply.timeline).map(([name, { t }]) => [name, { t, finalizedUntil: end }])
      return { ...reply, timeline: Object.fromEntries(open) }
    }
  }
  const first = new Growing(home.server)
  await first.connect()
  const source = new DataNodeSource({
    wamp: home.server,
    node: 'formula',
    fields: ['ramp'],
    since: EPOCH,
    pollInterval: 5,
    reconnect: { minDelay: 5, maxDelay: 20 },
  })
  await source.connect()
  const times: number[] = []
  let more: () => void = () => {}
  const consumed = source.consume((batch) => {
    for (const row of batch as unknown as Iterable<{ time: bigint }>) times.push(Math.round(Number(row.time) / 1e8))
    more()
  })
  const reach = async (count: number) => {
    while (times.length < count) await new Promise<void>((resolve) => (more = resolve))
  }
  await reach(50)
  const lost = state(source.status, 'reconnecting')
  await first.close()
  await lost
  t.is(source.ledger.totals.open, 1, 'what is not there may be missing')
  end = EPOCH + 10
  const back = state(source.status, 'connected')
  const second = home.keep(new Growing(home.server))
  await second.connect()
  await back
  await reach(100)
  await source.close()
  await consumed
  t.deepEqual(
    times,
    Array.from({ length: 100 }, (_, k) => EPOCH * 10 + k),
  )
  t.is(source.ledger.totals.records, 1)
  t.is(source.ledger.totals.open, 0)
})

test('a reply beyond what the consumer takes, and one beyond what the router takes, have their errors', async (t) => {
  const home = await house(t, { maxMessageBytes: 1 << 20 })
  await home.hub()
  await home.keep(new FormulaNode({ ...home.server, reconnect: { minDelay: 10, maxDelay: 20 } })).connect()
  const small = await home.consumer({ maxMessageBytes: 1 << 14, cacheBytes: 0, reconnect: false })
  await t.throwsAsync(small.getData('formula', ['ramp'], EPOCH, EPOCH + 1000), { code: 'ERR_SISOCK_MESSAGE_LENGTH' })
  t.like(await small.closed, { code: 'ERR_SISOCK_MESSAGE_LENGTH' })
  const large = await home.consumer({ cacheBytes: 0 })
  await t.throwsAsync(large.getData('formula', ['ramp'], EPOCH, EPOCH + 80_000), { code: 'ERR_SISOCK_CALL_CANCELED' })
})

test('a hub that restarts while a consumer watches: nodes go on, the list is whole, nothing is told twice', async (t) => {
  const home = await house(t)
  const first = await home.hub()
  const node = home.keep(new FormulaNode({ ...home.server, checkInterval: 20 }))
  await node.connect()
  const consumer = await home.consumer()
  const told: string[] = []
  consumer.watch(({ kind, node: { name } }) => told.push(`${kind} ${name}`))
  await first.close()
  t.is((await consumer.getData('formula', ['ramp'], EPOCH, EPOCH + 1)).data['ramp']?.length, 10, 'data need no hub')
  const failed = await t.throwsAsync(consumer.refresh(), { code: 'ERR_SISOCK_PROCEDURE_MISSING' })
  t.regex(failed?.message ?? '', /get_data_node/)
  const second = await home.hub()
  t.deepEqual(
    (await consumer.refresh()).map(({ name }) => name),
    ['formula'],
  )
  t.deepEqual(told, [])
  while (second.nodes[0]?.description === null) await state(second.status, 'data_node_added')
  t.is(second.nodes[0]?.description, 'formula test node', 'the node has brought its description')
  t.is(consumer.ledger.totals.records, 0)
})
