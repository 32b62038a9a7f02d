// npm run bench -- [SYSTEM ...] [--quick] [--json] [--case TEXT]: our code with the peers in the same run.
// Uses the addon as it is published (link-time optimisation), built beside the one that tests use.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { buildAddon, ROOT, setupBenches, setupOrExit } from './setup.mjs'

const NATIVE = join('target', 'bench-native')
setupOrExit()
try {
  setupBenches()
  buildAddon('release', NATIVE)
} catch (error) {
  process.stderr.write(`${error.message}\n`)
  process.exit(1)
}
const addon = readdirSync(join(ROOT, NATIVE)).find((file) => file.endsWith('.node'))
const main = join(ROOT, 'benches', 'harness', 'main.ts')
const done = spawnSync(process.execPath, ['--import', 'tsx', main, ...process.argv.slice(2)], {
  cwd: ROOT,
  stdio: 'inherit',
  env: { ...process.env, NAPI_RS_NATIVE_LIBRARY_PATH: join(ROOT, NATIVE, addon) },
})
process.exit(done.status ?? 1)
