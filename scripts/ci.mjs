// .ci/run: the checks on form, `npm test` and `npm run interop` as one count.
import { join } from 'node:path'
import { setup, setupBenches } from './setup.mjs'
import { interop, interopSystems, ownSpecs, Tally } from './tally.mjs'

// Who runs this ends it after 40 minutes, and then nothing would be counted.
const tally = new Tally({ limit: 38 * 60_000 })
tally.prepare(setup, setupBenches)
const npx = (name, ...args) => tally.check(name, 'npx', ['--no-install', ...args])
await npx('biome', 'biome', 'ci', '.')
await npx('tsc', 'tsc', '--noEmit')
await npx('tsc of the benches', 'tsc', '-p', 'benches')
await tally.check('rustfmt', 'cargo', ['fmt', '--all', '--check'])
await tally.check('clippy', 'cargo', ['clippy', '--workspace', '--all-targets', '--quiet', '--', '-D', 'warnings'])
await npx('reference', 'typedoc', '--emit', 'none')
// As a user's compiler reads them, with what is internal left out.
const entries = ['', 'sttp', 'tia', 'cdtp', 'stream-sea', 'sisock', 'ingest'].map((room) =>
  join('dist', room, 'index.d.ts'),
)
const asUsers = ['--ignoreConfig', '--noEmit', '--strict', '--skipLibCheck', 'false', '--types', 'node']
await npx('types of the package', 'tsc', ...asUsers, '--target', 'es2022', '--module', 'nodenext', ...entries)
await tally.check('page of error codes', 'node', ['scripts/errors-page.mjs', '--check'])
await npx('publint', 'publint', '--strict')
await npx('are the types wrong', 'attw', '--pack', '.', '--profile', 'esm-only')

await tally.cargo('Rust', ['test', '--workspace', '--quiet'])
await tally.ava('TypeScript', ownSpecs())
await interop(tally, interopSystems())
tally.close()
