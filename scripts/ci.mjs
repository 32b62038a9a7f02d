// .ci/run: the checks on form, `npm test` and `npm run interop` as one count.
import { setupBenches, setupOrExit } from './setup.mjs'
import { interop, interopSystems, ownSpecs, Tally } from './tally.mjs'

setupOrExit()
setupBenches()
const tally = new Tally()
const npx = (name, ...args) => tally.check(name, 'npx', ['--no-install', ...args])
await npx('biome', 'biome', 'ci', '.')
await npx('tsc', 'tsc', '--noEmit')
await npx('tsc of the benches', 'tsc', '-p', 'benches')
await tally.check('rustfmt', 'cargo', ['fmt', '--all', '--check'])
await tally.check('clippy', 'cargo', ['clippy', '--workspace', '--all-targets', '--quiet', '--', '-D', 'warnings'])
await tally.check('page of error codes', 'node', ['scripts/errors-page.mjs', '--check'])
await npx('publint', 'publint', '--strict')
await npx('are the types wrong', 'attw', '--pack', '.', '--profile', 'esm-only')

await tally.cargo('Rust', ['test', '--workspace', '--quiet'])
await tally.ava('TypeScript', ownSpecs())
await interop(tally, interopSystems())
tally.close()
