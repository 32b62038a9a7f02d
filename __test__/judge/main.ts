// Judges folders of vectors. The judge is that of the system after which a folder on the path is named; a folder of
// folders is judged by each; a folder without a judge is a failure.
import { existsSync, readdirSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

/** What a judge says of one case. */
export interface Verdict {
  readonly case: string
  readonly passed: boolean
  readonly detail?: string
}

/** A judge: `__test__/judge/<system>.ts` exports it as `judge`. The folder is the system's own or one inside it. */
export type Judge = (folder: string) => AsyncIterable<Verdict>

const here = import.meta.dirname

function judgeOf(folder: string): string | undefined {
  for (let path = folder; path !== dirname(path); path = dirname(path)) {
    const file = join(here, `${basename(path)}.ts`)
    if (basename(path) !== 'main' && existsSync(file)) return file
  }
  return undefined
}

const print = (line: string) => process.stdout.write(`${line}\n`)
let passed = 0
let failed = 0

async function judgeFolder(folder: string): Promise<void> {
  const file = judgeOf(folder)
  if (file === undefined) {
    const inside = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    if (inside.length > 0) {
      for (const entry of inside) await judgeFolder(join(folder, entry.name))
      return
    }
    failed++
    print(`not ok ${folder}: no judge for this folder`)
    return
  }
  const { judge } = (await import(pathToFileURL(file).href)) as { judge: Judge }
  let cases = 0
  for await (const verdict of judge(folder)) {
    cases++
    if (verdict.passed) passed++
    else failed++
    print(`${verdict.passed ? 'ok' : 'not ok'} ${verdict.case}${verdict.detail ? `: ${verdict.detail}` : ''}`)
  }
  if (cases === 0) {
    failed++
    print(`not ok ${folder}: its judge found no case`)
  }
}

const folders = process.argv.slice(2).map((folder) => resolve(folder))
if (folders.length === 0 || folders.some((folder) => !existsSync(folder) || !statSync(folder).isDirectory())) {
  process.stderr.write('usage: npm run judge -- FOLDER... (a folder of vectors, such as __test__/vectors/sttp)\n')
  process.exit(1)
}
for (const folder of folders) await judgeFolder(folder)
print(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0
