// npm test: set-up, then every Rust and TypeScript test that needs no foreign toolchain.
import { setup } from './setup.mjs'
import { ownSpecs, Tally } from './tally.mjs'

const tally = new Tally()
tally.prepare(setup)
await tally.cargo('Rust', ['test', '--workspace', '--quiet'])
await tally.ava('TypeScript', ownSpecs())
tally.close()
