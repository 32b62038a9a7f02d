// npm test: set-up, then every Rust and TypeScript test that needs no foreign toolchain.
import { setupOrExit } from './setup.mjs'
import { ownSpecs, Tally } from './tally.mjs'

setupOrExit()
const tally = new Tally()
await tally.cargo('Rust', ['test', '--workspace', '--quiet'])
await tally.ava('TypeScript', ownSpecs())
tally.close()
