import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import ts from 'typescript'

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
    symlinkSync(join(ROOT, '.peers/grafana-schema/node_modules'), join(folder, 'node_modules'))
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
