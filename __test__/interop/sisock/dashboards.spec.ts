import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import ts from 'typescript'
import { GrafanaBridge } from '../../../ts/sisock/bridge/bridge.js'
import { LocalBackend } from '../../../ts/sisock/bridge/local-backend.js'
import { FolderNode } from '../../../ts/sisock/nodes/folder-node.js'
import { type Dashboard as Board, simpodQuery } from '../../sisock/grafana.js'

const ROOT = join(import.meta.dirname, '../../..')

interface Dashboard {
  title: string
  panels: { targets?: unknown[] }[]
  annotations: { list: { target?: unknown; mappings?: unknown }[] }
}

/** What the compiler says of a dashboard as Grafana's own package describes one, its queries apart. */
function complaints(dashboard: Dashboard): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'measurand-grafana-'))
  try {
    symlinkSync(join(ROOT, '.peers/grafana-data/node_modules'), join(folder, 'node_modules'))
    // A data source adds to its queries what it likes: they are only compared with what all have.
    const targets = [
      ...dashboard.panels.flatMap((panel) => panel.targets ?? []),
      ...dashboard.annotations.list.flatMap(({ target }) => target ?? []),
    ]
    const panels = dashboard.panels.map(({ targets: _, ...panel }) => panel)
    // Mappings are described in version 2 of the schema alone, though version 1 has them.
    const annotations = {
      list: dashboard.annotations.list.map(({ target: _, mappings: _m, ...annotation }) => annotation),
    }
    const file = join(folder, 'dashboard.ts')
    const lines = [
      "import type { Dashboard, DataQuery } from '@grafana/schema'",
      `export const dashboard: Partial<Dashboard> = ${JSON.stringify({ ...dashboard, panels, annotations })}`,
      `const targets = ${JSON.stringify(targets)}`,
      'export const queries: DataQuery[] = targets',
    ]
    writeFileSync(file, lines.join('\n'))
    const program = ts.createProgram([file], {
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      types: [],
    })
    return ts
      .getPreEmitDiagnostics(program)
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

for (const name of ['infinity', 'simpod']) {
  test(`the ${name} dashboard is one by Grafana's own schema`, (t) => {
    const dashboard = JSON.parse(readFileSync(join(ROOT, `docs/grafana/${name}.json`), 'utf8')) as Dashboard
    t.true(dashboard.panels.some(({ targets }) => (targets?.length ?? 0) > 0))
    t.deepEqual(complaints(dashboard), [])
    t.regex(complaints({ ...dashboard, panels: [...dashboard.panels, { type: 7 } as object] }).join(), /type/)
  })
}

interface DataFrame {
  readonly refId?: string
  readonly length: number
  readonly fields: readonly { readonly name: string; readonly type: string; readonly values: readonly unknown[] }[]
}

test("what the bridge answers to the simpod dashboard is read by Grafana's own code as series and as annotations", async (t) => {
  const peer = createRequire(join(ROOT, '.peers/grafana-data/package.json'))
  const { toDataFrame } = peer('@grafana/data') as { toDataFrame(entry: unknown): DataFrame }
  const folder = mkdtempSync(join(tmpdir(), 'measurand-grafana-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const start = 1_700_000_000
  const rows = Array.from({ length: 60 }, (_, k) => `${start + k},${k},${k % 2 === 0},on\n`)
  writeFileSync(join(folder, 'roof.csv'), `time,wind,open,mode\n${rows.join('')}broken\n${start + 60},nan,true,off\n`)
  const backend = new LocalBackend([new FolderNode(folder, { node: 'weather' })])
  await backend.fields('weather')
  const bridge = new GrafanaBridge({ backend })
  t.teardown(() => bridge.close())
  const port = await bridge.listen(0)
  const framesOf = async (body: object): Promise<DataFrame[]> => {
    const request = { method: 'POST', body: JSON.stringify(body) }
    const entries = (await (await fetch(`http://127.0.0.1:${port}/query`, request)).json()) as unknown[]
    return entries.map(toDataFrame)
  }
  const board = JSON.parse(readFileSync(join(ROOT, 'docs/grafana/simpod.json'), 'utf8')) as Board
  const window = { from: start * 1000, to: (start + 100) * 1000, intervalMs: 1000, maxDataPoints: 1000 }
  const types: Record<string, string> = { 'roof.wind': 'number', 'roof.open': 'boolean', 'roof.mode': 'string' }
  for (const [field, type] of Object.entries(types)) {
    const target = `weather::${field}`
    const [frame, ...others] = await framesOf(simpodQuery(board.panels[0]?.targets ?? [], window, { target }))
    t.is(others.length, 0)
    t.like(frame, { refId: 'A', length: 61 })
    t.deepEqual(
      frame?.fields.map((column) => column.type),
      ['time', type],
      field,
    )
    t.is(frame?.fields[0]?.values[60], (start + 60) * 1000)
    if (type === 'number') t.is(frame?.fields[1]?.values[60], null, 'a gap is a gap')
  }
  const marks = board.annotations.list.map(({ target }) => target)
  const ever = { ...window, from: 0, to: Date.now() + 60_000 }
  const [lost] = await framesOf(simpodQuery(marks, ever, {}))
  t.deepEqual(
    lost?.fields.map(({ name, type }) => `${name} ${type}`),
    ['time time', 'timeEnd time', 'title string', 'text string', 'tags string'],
  )
  t.deepEqual(lost?.fields[2]?.values, ['lost: 1'])
})
