import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { GrafanaBridge } from '../../ts/sisock/bridge/bridge.js'
import { LocalBackend } from '../../ts/sisock/bridge/local-backend.js'
import { FolderNode } from '../../ts/sisock/nodes/folder-node.js'
import { type Dashboard, infinityUrl, simpodQuery } from './grafana.js'

const EPOCH = 1_700_000_000
const window = { from: EPOCH * 1000, to: (EPOCH + 60) * 1000, intervalMs: 10_000, maxDataPoints: 500 }
/** Dots and stars mean something in patterns, commas in lists, blanks and ampersands in URLs. */
const FIELDS = ['roof.wind & rain', 'roof.a,b', 'roof.door*']

/** A bridge before a folder with a line that is no row: a loss. */
async function bridge(t: ExecutionContext) {
  const folder = await mkdtemp(join(tmpdir(), 'measurand-dashboards-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const rows = Array.from({ length: 60 }, (_, k) => `${EPOCH + k}\t${k}\t${k + 0.5}\t${100 - k}\n`)
  await writeFile(
    join(folder, 'roof.tsv'),
    `time\twind & rain\ta,b\tdoor*\n${rows.slice(0, 30).join('')}broken\n${rows.slice(30).join('')}`,
  )
  const backend = new LocalBackend([new FolderNode(folder, { node: 'weather' })])
  await backend.fields('weather')
  const serving = new GrafanaBridge({ backend })
  t.teardown(() => serving.close())
  const url = `http://127.0.0.1:${await serving.listen(0)}`
  const ask = async (place: string, body?: unknown): Promise<unknown> => {
    const request =
      body === undefined
        ? {}
        : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
    const response = await fetch(place.startsWith('http') ? place : `${url}${place}`, request)
    t.is(response.status, 200, place)
    return response.json()
  }
  return { url, ask }
}

async function committed(name: string): Promise<Dashboard> {
  return JSON.parse(await readFile(join(import.meta.dirname, `../../docs/grafana/${name}.json`), 'utf8'))
}

test('every query of the Infinity dashboard is answered with the columns that it names', async (t) => {
  const { url, ask } = await bridge(t)
  const board = await committed('infinity')
  const variable = board.templating.list.find(({ name }) => name === 'target')?.query as {
    infinityQuery: { url: string }
  }
  const options = (await ask(
    infinityUrl({ refId: 'variable', ...variable.infinityQuery }, window, { bridge: url }),
  )) as {
    text: string
    value: string
  }[]
  t.deepEqual(
    options.map(({ value }) => value),
    FIELDS.map((field) => `weather::${field}`),
  )
  const [query] = (board.panels[0] as Dashboard['panels'][0]).targets as [Dashboard['panels'][0]['targets'][0]]
  for (const [index, { value }] of options.entries()) {
    const rows = (await ask(infinityUrl(query, window, { bridge: url, target: value }))) as Record<string, unknown>[]
    t.deepEqual(
      rows.map((row) => query.columns?.map(({ selector }) => row[selector])),
      [0, 10, 20, 30, 40, 50].map((k) => [(EPOCH + k) * 1000, [k, k + 0.5, 100 - k][index]]),
    )
  }
  const both = {
    bridge: url,
    target: options
      .slice(0, 2)
      .map(({ value }) => value)
      .concat('weather::nope'),
  }
  const several = (await ask(infinityUrl(query, window, both))) as { target: string }[]
  t.true(
    several.some(({ target }) => target === 'weather::roof.wind & rain'),
    'several values of the variable are a glob',
  )
  const [annotation] = board.annotations.list as [Dashboard['annotations']['list'][0]]
  const ever = { ...window, from: 0, to: Date.now() + 60_000 }
  const [lost] = (await ask(infinityUrl(annotation.target, ever, { bridge: url }))) as Record<string, unknown>[]
  t.is(lost?.['title'], 'lost: 1')
  for (const { selector, type } of annotation.target.columns ?? []) {
    if (selector !== 'timeEnd') t.is(typeof lost?.[selector], type === 'string' ? 'string' : 'number', selector)
  }
})

test('every query of the simpod dashboard is answered, though its variables come as patterns', async (t) => {
  const { ask } = await bridge(t)
  const board = await committed('simpod')
  const options = (await ask('/variable', { payload: { target: '' }, range: {} })) as { __value: string }[]
  t.deepEqual(
    options.map(({ __value }) => __value),
    FIELDS.map((field) => `weather::${field}`),
  )
  const { targets } = board.panels[0] as Dashboard['panels'][0]
  type Series = { target: string; refId: string; datapoints: [number, number][] }
  for (const [index, { __value: target }] of options.entries()) {
    const [series, ...others] = (await ask('/query', simpodQuery(targets, window, { target }))) as Series[]
    t.deepEqual(others, [])
    t.like(series, { target, refId: 'A' })
    t.deepEqual(
      series?.datapoints,
      [0, 10, 20, 30, 40, 50].map((k) => [[k, k + 0.5, 100 - k][index] as number, (EPOCH + k) * 1000]),
    )
  }
  const all = options.map(({ __value }) => __value)
  const several = (await ask('/query', simpodQuery(targets, window, { target: all }))) as Series[]
  t.deepEqual(
    several.map(({ target, datapoints }) => [target, datapoints.length]),
    all.map((target) => [target, 6]),
  )
  const marks = board.annotations.list.map(({ target }) => target)
  const ever = { ...window, from: 0, to: Date.now() + 60_000 }
  const [table] = (await ask('/query', simpodQuery(marks, ever, {}))) as {
    columns: { text: string }[]
    rows: unknown[][]
  }[]
  const column = (name: string) => table?.columns.findIndex(({ text }) => text === name) ?? -1
  t.is(table?.rows.length, 1)
  t.is(table?.rows[0]?.[column('title')], 'lost: 1')
  t.is(table?.rows[0]?.[column('tags')], 'loss,decoder,weather')
  t.is(typeof table?.rows[0]?.[column('time')], 'number')
})
