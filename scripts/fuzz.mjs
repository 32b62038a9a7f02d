// npm run fuzz [-- TARGET ...] [--seconds N]: each cargo-fuzz target for a while (60 s unless told), on nightly Rust.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ROOT, run } from './setup.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '60' } },
})
const targets = readdirSync(join(ROOT, 'fuzz', 'fuzz_targets')).map((file) => file.replace(/\.rs$/, ''))
const unknown = positionals.filter((target) => !targets.includes(target))
if (unknown.length > 0) {
  process.stderr.write(`no fuzz target ${unknown.join(', ')}; there are: ${targets.join(', ')}\n`)
  process.exit(1)
}
if (spawnSync('cargo', ['fuzz', '--version'], { stdio: 'ignore' }).status !== 0) {
  process.stderr.write('cargo-fuzz is missing: cargo install cargo-fuzz (and rustup toolchain install nightly)\n')
  process.exit(1)
}
let failed = 0
for (const target of positionals.length > 0 ? positionals : targets) {
  try {
    run('cargo', [
      '+nightly',
      'fuzz',
      'run',
      target,
      '--',
      `-max_total_time=${values.seconds}`,
      '-rss_limit_mb=2048',
      '-timeout=10',
    ])
  } catch (error) {
    failed++
    process.stderr.write(`${error.message}\n`)
  }
}
process.exit(failed > 0 ? 1 : 0)
