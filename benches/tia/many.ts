// Many clients in one process, which count the bytes and ids of what comes: many.ts PORT CLIENTS SECONDS
import { TiAClient } from '../../ts/tia/index.js'

const [port = 0, count = 0, seconds = 0] = process.argv.slice(2).map(Number)
const clients = Array.from(
  { length: count },
  (_, n) => new TiAClient('127.0.0.1', port, { reconnect: false, name: `${n}` }),
)
let items = 0
for (const client of clients) {
  await client.connect()
  await client.startStreaming()
  void (async () => {
    for await (const batch of client.packets()) items += batch.length
  })()
}
// Those that came first have caught up.
await new Promise((resolve) => setTimeout(resolve, 500))
const before = items
const start = performance.now()
await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
const took = (performance.now() - start) / 1000
const got = items - before
const missing = clients.reduce((sum, client) => sum + client.ledger.totals.missing, 0)
if (missing > 0) throw new Error(`${missing} samples are missing`)
process.stdout.write(`${JSON.stringify({ items: got, seconds: took })}\n`)
process.exit(0)
