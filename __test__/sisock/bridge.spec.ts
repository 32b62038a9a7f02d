import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { ConsumerBackend } from '../../ts/sisock/bridge/backend.js'
import { GrafanaBridge, type GrafanaBridgeOptions } from '../../ts/sisock/bridge/bridge.js'
import { DASHBOARDS, dashboard } from '../../ts/sisock/bridge/dashboards.js'
import { intervalOf } from '../../ts/sisock/bridge/faces.js'
import { strideOf } from '../../ts/sisock/bridge/query.js'
import { splitTarget } from '../../ts/sisock/bridge/targets.js'
import type { Column, FieldInfo, FieldsReply } from '../../ts/sisock/data.js'
import { EPOCH, FormulaNode } from './formula-node.js'
import { house } from './house.js'

interface Answer {
  readonly status: number
  readonly headers: NodeJS.Dict<string | string[]>
  readonly body: Buffer
}

async function setup(t: ExecutionContext, options: Partial<GrafanaBridgeOptions> = {}) {
  const home = await house(t)
  await home.hub()
  const node = home.keep(new FormulaNode(home.server))
  await node.connect()
  const consumer = await home.consumer()
  const bridge = home.keep(new GrafanaBridge({ backend: new ConsumerBackend(consumer), ...options }))
  const port = await bridge.listen(0)
  const send = (
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
    method = body === undefined ? 'GET' : 'POST',
  ) =>
    new Promise<Answer>((resolve, reject) => {
      const one = request({ port, host: '127.0.0.1', path, method, headers }, (response) => {
        const parts: Buffer[] = []
        response.on('data', (part) => parts.push(part))
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) }),
        )
      })
      one.on('error', reject)
      one.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body))
    })
  const ask = async (path: string, body?: unknown) => {
    const { status, body: text } = await send(path, body)
    t.is(status, 200, text.toString())
    return JSON.parse(text.toString())
  }
  return { home, node, consumer, send, ask }
}

const ISO = (seconds: number) => new Date(seconds * 1000).toISOString()
const range = { from: ISO(EPOCH + 100), to: ISO(EPOCH + 160) }

test('the legacy face: search, query, annotations, tags', async (t) => {
  const { ask } = await setup(t)
  t.like(await ask('/'), { ok: true })
  const names = ['ramp', 'sine', 'count', 'even', 'label'].map((name) => `formula::${name}`)
  t.deepEqual(await ask('/search', { target: '' }), names)
  t.deepEqual(await ask('/search', { target: 'RAM' }), ['formula::ramp'])
  const targets = ['formula::ramp', 'formula::nope', 'nobody::x', 'broken', 'formula::label'].map((target, k) => ({
    target,
    refId: `R${k}`,
  }))
  const series = await ask('/query', { range, interval: '10s', intervalMs: 10_000, maxDataPoints: 550, targets })
  t.deepEqual(
    series.map(({ target }: { target: string }) => target),
    targets.map(({ target }) => target),
  )
  t.deepEqual(
    series[0].datapoints,
    [0, 1, 2, 3, 4, 5].map((k) => [100 + k * 10, (EPOCH + 100 + k * 10) * 1000]),
  )
  for (const bad of [1, 2, 3]) {
    t.deepEqual(series[bad].datapoints, [])
    t.is(typeof series[bad].error, 'string')
  }
  t.deepEqual(series[4].datapoints, [['m15', 1_700_000_100_000]])
  t.deepEqual(await ask('/tag-keys', {}), [{ type: 'string', text: 'node' }])
  t.deepEqual(await ask('/tag-values', { key: 'node' }), [{ text: 'formula' }])
})

test('the face of simpod JSON', async (t) => {
  const { ask } = await setup(t)
  t.deepEqual((await ask('/metrics', {}))[0], { label: 'formula::ramp', value: 'formula::ramp', payloads: [] })
  t.deepEqual(await ask('/metric-payload-options', { name: 'x' }), [])
  t.deepEqual(await ask('/variable', { payload: { target: 'sine' } }), [
    { __text: 'formula::sine', __value: 'formula::sine' },
  ])
})

test('the face for Infinity', async (t) => {
  const { ask, send } = await setup(t)
  t.deepEqual(await ask('/api/nodes'), [{ name: 'formula', description: 'formula test node' }])
  t.like((await ask('/api/fields?node=formula'))[0], { target: 'formula::ramp', units: 's', timeline: 'fast' })
  const [from, to] = [(EPOCH + 100) * 1000, (EPOCH + 160) * 1000]
  const rows = await ask(
    `/api/data?target=formula::ramp&target=formula::count&from=${from}&to=${to}&intervalMs=20000&maxDataPoints=100`,
  )
  t.deepEqual(
    rows,
    [
      { time: from, 'formula::ramp': 100, 'formula::count': 21_785 },
      { time: from + 20_000, 'formula::ramp': 120 },
      { time: from + 40_000, 'formula::ramp': 140 },
    ].map((row, k) => (k === 0 ? { ...row, 'formula::count': Math.ceil((EPOCH + 100) / 60) % 65_536 } : row)),
  )
  t.is((await send('/api/data?from=1&to=2')).status, 400)
  t.is((await send('/api/data?target=formula::nope&from=1&to=2')).status, 404)
  t.is((await send('/api/data?target=formula::ramp&from=x&to=2')).status, 400)
  t.is((await send('/api/fields')).status, 400)
})

test('no more points than asked for, also where a node takes no notice of the stride', async (t) => {
  const { ask, home } = await setup(t)
  class Deaf extends FormulaNode {
    override getData(fields: readonly string[], start: number, end: number) {
      return super.getData(fields, start, end, null)
    }
  }
  await home.keep(new Deaf(home.server, 'deaf')).connect()
  const whole = { from: ISO(EPOCH), to: ISO(EPOCH + 600) }
  for (const node of ['formula', 'deaf']) {
    const [{ datapoints }] = await ask('/query', {
      range: whole,
      maxDataPoints: 50,
      targets: [{ target: `${node}::sine` }],
    })
    t.true(datapoints.length <= 50 && datapoints.length >= 25, `${node}: ${datapoints.length}`)
  }
})

test('CORS, gzip, a token, and what is wrong with requests', async (t) => {
  const { send } = await setup(t, { token: 't0ken' })
  const preflight = await send('/query', undefined, { origin: 'http://grafana' }, 'OPTIONS')
  t.is(preflight.status, 204)
  t.is(preflight.headers['access-control-allow-origin'], '*')
  t.is((await send('/')).status, 200)
  t.is((await send('/search', {})).status, 401)
  t.is((await send('/search', {}, { authorization: 'Bearer wrong' })).status, 401)
  const headers = { authorization: 'Bearer t0ken', 'accept-encoding': 'gzip' }
  const packed = await send('/query', { range, targets: [{ target: 'formula::ramp' }] }, headers)
  t.is(packed.headers['content-encoding'], 'gzip')
  t.is(packed.headers['content-type'], 'application/json; charset=utf-8')
  t.is(JSON.parse(gunzipSync(packed.body).toString())[0].datapoints.length, 600)
  t.is((await send('/nothing', undefined, headers)).status, 404)
  t.is((await send('/query', '{', headers)).status, 400)
  t.is((await send('/query', {}, headers)).status, 400)
  t.is((await send('/query', ' '.repeat(2 << 20), headers)).status, 413)
  t.is((await send('/search', undefined, headers, 'DELETE')).status, 405)
})

test('nodes that come and go are annotations', async (t) => {
  const { ask, home, consumer } = await setup(t)
  const went = new Promise<void>((resolve) => consumer.watch(({ kind }) => kind === 'subtracted' && resolve()))
  const other = new FormulaNode(home.server, 'other')
  await other.connect()
  await other.close()
  await went
  const found = await ask('/annotations', { range: { from: ISO(0), to: ISO(4e9) }, annotation: { name: 'nodes' } })
  t.deepEqual(
    found.map(({ title }: { title: string }) => title),
    ['other came', 'other went'],
  )
  t.deepEqual(found[0].annotation, { name: 'nodes' })
  t.deepEqual(await ask('/api/annotations?from=0&to=1'), [])
})

test('targets, intervals and strides', (t) => {
  t.deepEqual(splitTarget('a::b::c'), ['a', 'b::c'])
  t.is(splitTarget('ab'), undefined)
  t.is(splitTarget('::b'), undefined)
  t.deepEqual(['30s', '500ms', '1m', '2h', '1d', '1w', 'x', undefined].map(intervalOf), [
    30_000,
    500,
    60_000,
    7_200_000,
    86_400_000,
    604_800_000,
    undefined,
    undefined,
  ])
  t.is(strideOf({ targets: [], from: 0, to: 100_000, intervalMs: 1000, maxDataPoints: 10 }), 10)
  t.is(strideOf({ targets: [], from: 0, to: 100_000 }), null)
})

test('ready dashboards are served, and are those of docs/grafana', async (t) => {
  const { ask, send } = await setup(t)
  for (const name of DASHBOARDS) {
    const committed = JSON.parse(readFileSync(join(import.meta.dirname, `../../docs/grafana/${name}.json`), 'utf8'))
    t.deepEqual(JSON.parse(JSON.stringify(dashboard(name, 'http://127.0.0.1:5000'))), committed, name)
    t.is((await ask(`/dashboards/${name}.json`)).uid, `measurand-${name}`)
  }
  t.deepEqual((await ask('/api/targets'))[0], { text: 'formula::ramp', value: 'formula::ramp' })
  t.is(await ask('/api/span'), null)
  const page = await send('/', undefined, { accept: 'text/html' })
  t.regex(page.body.toString(), /<script src="\/page.js">/)
  t.is((await send('/uplot.js')).status, 200)
})

test('targets with commas are asked for whole, several are parted', async (t) => {
  const { home, ask } = await setup(t)
  class Comma extends FormulaNode {
    override async getFields(start: number, end: number): Promise<FieldsReply> {
      const [fields, timelines] = await super.getFields(start, end)
      return [{ 'a,b': { ...(fields['ramp'] as FieldInfo) } }, timelines]
    }
    override getData(_: readonly string[], start: number, end: number, stride: number | null) {
      const reply = super.getData(['ramp'], start, end, stride)
      return reply && { ...reply, data: { 'a,b': reply.data['ramp'] as Column } }
    }
  }
  await home.keep(new Comma(home.server, 'comma')).connect()
  const window = `from=${EPOCH * 1000}&to=${EPOCH * 1000 + 100}`
  t.deepEqual(await ask(`/api/data?target=comma::a,b&${window}`), [{ time: EPOCH * 1000, 'comma::a,b': 0 }])
  t.deepEqual(Object.keys((await ask(`/api/data?target=formula::ramp,formula::sine&${window}`))[0]), [
    'time',
    'formula::ramp',
    'formula::sine',
  ])
})
