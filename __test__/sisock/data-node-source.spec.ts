import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { MeasurementBatch } from '../../ts/batch/index.js'
import { openSource } from '../../ts/ingest/index.js'
import { DataNodeHub } from '../../ts/sisock/data-node-hub.js'
import { DataNodeSource } from '../../ts/sisock/data-node-source.js'
import { WampRouter } from '../../ts/sisock/router/router.js'
import { serve } from '../../ts/sisock/serve.js'
import { SyntheticNode } from '../../ts/sisock/synthetic-node.js'
import { freePort } from '../free-port.js'
import { EPOCH, FormulaNode } from './formula-node.js'
import { house, state, USERS } from './house.js'

test('a window of a node comes as measurements, numbers, booleans and texts', async (t) => {
  const home = await house(t)
  await home.hub()
  await home.keep(new FormulaNode(home.server)).connect()
  const wamp = { url: home.url, user: 'simonsobs', secret: USERS.simonsobs.secret }
  const source = new DataNodeSource({ wamp, node: 'formula', since: EPOCH, until: EPOCH + 7300 })
  await source.connect()
  const rows = new Map<string, number>()
  for await (const batch of source) {
    if (!(batch instanceof MeasurementBatch)) {
      rows.set('text', (rows.get('text') ?? 0) + batch.length)
      continue
    }
    for (const { time, value, signal } of batch) {
      const name = source.signals.at(signal)?.name ?? ''
      rows.set(name, (rows.get(name) ?? 0) + 1)
      const seconds = Number(time) / 1e9
      if (name === 'ramp' && Math.abs((seconds % 1000) - value) > 1e-6) t.fail(`${seconds} ${value}`)
      if (name === 'even') t.is(value, Math.round(seconds / 60) % 2 === 0 ? 1 : 0)
    }
  }
  t.deepEqual(Object.fromEntries(rows), { ramp: 73_000, sine: 73_000, count: 121, even: 121, text: 121 })
  t.is(source.stats.received, 73_000 * 2 + 121 * 3)
  t.is(source.ledger.totals.records, 0)
})

test('the router restarts: the gap is in the ledger, what was missed is fetched, and nothing comes twice', async (t) => {
  const router = new WampRouter({ users: USERS })
  const port = await router.listen(await freePort())
  const url = `ws://127.0.0.1:${port}/ws`
  const server = { url, secret: USERS.server.secret, reconnect: { minDelay: 20, maxDelay: 50 } }
  const hub = new DataNodeHub(server)
  await hub.connect()
  const node = new SyntheticNode({ ...server, signals: 1, rate: 100, t0: BigInt(Date.now() - 5000) * 1_000_000n })
  await node.connect()
  const source = new DataNodeSource({
    wamp: { url, secret: USERS.server.secret },
    node: 'synthetic',
    since: -1,
    pollInterval: 20,
    reconnect: { minDelay: 20, maxDelay: 50 },
  })
  await source.connect()
  const times: number[] = []
  const values: number[] = []
  const consumed = source.consume((batch) => {
    for (const { time, value } of batch as MeasurementBatch) {
      times.push(Number(time))
      values.push(value)
    }
  })
  const lost = state(source.status, 'reconnecting')
  await router.close()
  await lost
  const second = new WampRouter({ users: USERS })
  const back = state(source.status, 'connected')
  await second.listen(port)
  await back
  const before = values.length
  while (values.length < before + 5) await new Promise((resolve) => setTimeout(resolve, 5))
  await source.close()
  await consumed
  for (let row = 1; row < values.length; row++) t.is(values[row], (values[row - 1] as number) + 0.25, `row ${row}`)
  t.is(source.ledger.totals.records, 1)
  t.is(source.ledger.totals.open, 0)
  await node.close()
  await hub.close()
  await second.close()
})

test('sisock URLs: a node that is not there, no node, and a served synthetic node', async (t) => {
  process.env['WAMP_SECRET'] = 'of-this-test'
  const served = await serve(
    new Map([
      ['port', '0'],
      ['http-port', '0'],
      ['signals', '2'],
      ['users', usersFile()],
    ]),
    {},
    { places: [], open: openSource },
  )
  t.teardown(() => served.drain())
  const at = `sisock://server@127.0.0.1:${served.port}`
  await t.throwsAsync(openSource(`${at}/nothing`), { code: 'ERR_SISOCK_NODE_MISSING' })
  await t.throwsAsync(openSource(`${at}/synthetic/s9`), { code: 'ERR_SISOCK_NODE_MISSING' })
  await t.throwsAsync(openSource(at), { code: 'ERR_SISOCK_URL' })
  const source = await openSource(`${at}/synthetic/s1?since=1704067200&until=1704067201`)
  const values: number[] = []
  for await (const batch of source) for (const { value } of batch as MeasurementBatch) values.push(value)
  t.deepEqual(
    values,
    Array.from({ length: 30 }, (_, n) => 1000 + 0.25 * n),
  )
})

function usersFile(): string {
  const path = join(mkdtempSync(join(tmpdir(), 'measurand-users-')), 'users.json')
  writeFileSync(path, JSON.stringify({ server: { secret: 'of-this-test', role: 'server' } }))
  return path
}
