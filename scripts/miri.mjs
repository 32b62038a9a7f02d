// npm run miri [-- CRATE ...]: the tests of the pure crates under Miri, which watches every memory access, on nightly Rust.
// There is no vector code under it: what runs are the plain paths and the portable fast path, whose loads are unchecked.
import { spawnSync } from 'node:child_process'
import { run } from './setup.mjs'

/** What of each is left to `cargo test`, because Miri takes an hour for it: recorded files, and what has no memory to watch. */
const CRATES = {
  columns: [],
  sttp: ['data_set::', 'filter::', 'metadata::', 'recorded', 'vectors'],
  tia: ['recorded'],
  cdtp: ['recorded'],
  wamp: ['recorded'],
}

const crates = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(CRATES)
const unknown = crates.filter((crate) => !(crate in CRATES))
if (unknown.length > 0) {
  process.stderr.write(`no crate ${unknown.join(', ')}; there are: ${Object.keys(CRATES).join(', ')}\n`)
  process.exit(1)
}
if (spawnSync('cargo', ['+nightly', 'miri', '--version'], { stdio: 'ignore' }).status !== 0) {
  process.stderr.write('Miri is missing: rustup +nightly component add miri rust-src\n')
  process.exit(1)
}
// A few cases of each property; proptest reads the working folder, which Miri hides unless told.
process.env.PROPTEST_CASES ??= '4'
process.env.MIRIFLAGS ??= '-Zmiri-disable-isolation'
let failed = 0
for (const crate of crates) {
  try {
    const skipped = CRATES[crate].flatMap((name) => ['--skip', name])
    run('cargo', ['+nightly', 'miri', 'test', '-p', `measurand-${crate}`, '--lib', '--', ...skipped])
  } catch (error) {
    failed++
    process.stderr.write(`${error.message}\n`)
  }
}
process.exit(failed > 0 ? 1 : 0)
