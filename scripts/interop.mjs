// npm run interop [-- SYSTEM ...]: our ends against the systems' own published packages, and the pages in Chromium.
import { setup } from './setup.mjs'
import { interop, interopSystems, Tally } from './tally.mjs'

const systems = interopSystems()
const asked = process.argv.slice(2)
const unknown = asked.filter((system) => !systems.includes(system))
if (unknown.length > 0) {
  process.stderr.write(`no interop tests for ${unknown.join(', ')}; there are: ${systems.join(', ')}\n`)
  process.exit(1)
}
const tally = new Tally()
tally.prepare(setup)
await interop(tally, asked.length > 0 ? asked : systems)
tally.close()
