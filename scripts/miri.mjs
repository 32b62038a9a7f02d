// npm run miri [-- CRATE ...]: under Miri, which watches every memory access, the tests of what has `unsafe` code or casts
// bytes; nightly Rust. No other pure crate has any: the compiler denies it. There are no vector instructions under Miri: what
// runs are the plain paths and the portable fast path, whose loads and stores are unchecked.
import { spawnSync } from 'node:child_process'
import { run } from './setup.mjs'

/** The modules that are run of each crate, all where none is named, and what of them is left to `cargo test`: recorded files. */
const CRATES = {
  columns: { only: [], skip: [] },
  sttp: { only: ['tssc::', 'compact::', 'signal_rows::', 'value::'], skip: ['vectors'] },
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
// A few cases of each property, without those that failed once, which `cargo test` repeats; proptest reads the working folder,
// which Miri hides unless told.
process.env.PROPTEST_CASES ??= '4'
process.env.PROPTEST_DISABLE_FAILURE_PERSISTENCE ??= '1'
process.env.MIRIFLAGS ??= '-Zmiri-disable-isolation'
let failed = 0
for (const crate of crates) {
  try {
    const { only, skip } = CRATES[crate]
    const skipped = skip.flatMap((name) => ['--skip', name])
    run('cargo', ['+nightly', 'miri', 'test', '-p', `measurand-${crate}`, '--lib', '--', ...only, ...skipped])
  } catch (error) {
    failed++
    process.stderr.write(`${error.message}\n`)
  }
}
process.exit(failed > 0 ? 1 : 0)
