// npm run soak: the endurance tests for minutes, each in its own folder's `soak.ts`.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, run, setupOrExit } from './setup.mjs'

setupOrExit()
const programs = readdirSync(join(ROOT, '__test__'), { recursive: true })
  .map(String)
  .filter((file) => file.endsWith('soak.ts'))
try {
  for (const program of programs) run(process.execPath, ['--import', 'tsx', join('__test__', program)])
} catch (error) {
  process.stderr.write(`${error.message}\n`)
  process.exit(1)
}
