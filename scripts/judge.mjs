// npm run judge -- FOLDER...: judges recorded bytes and their meaning by our codecs; see __test__/judge/main.ts.
import { spawnSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { ROOT, setupOrExit } from './setup.mjs'

setupOrExit()
const folders = process.argv.slice(2).map((folder) => resolve(process.env.INIT_CWD ?? '.', folder))
const main = join(ROOT, '__test__', 'judge', 'main.ts')
const done = spawnSync(process.execPath, ['--import', 'tsx', main, ...folders], { cwd: ROOT, stdio: 'inherit' })
process.exit(done.status ?? 1)
