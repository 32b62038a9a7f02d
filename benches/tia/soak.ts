// Pacing for real: a server asked for 2,000 packets/s, a client that takes them all: soak.ts [SECONDS]
import { TIA_SIG_EEG, TiAClient, TiAConnectionHandler, TiAServer, TiASignalConfig } from '../../ts/tia/index.js'

const seconds = Number(process.argv[2] ?? 600)
const RATE = 2000
const BLOCK = 8
const server = new TiAServer(['127.0.0.1', 0], TiAConnectionHandler)
const samples = new Float32Array(BLOCK)
const callback = (): Float32Array => samples
await server.start([
  new TiASignalConfig({
    channels: 1,
    sampleRate: RATE * BLOCK,
    blocksize: BLOCK,
    callback,
    id: 0,
    sigtype: TIA_SIG_EEG,
  }),
])
const start = performance.now()
const client = new TiAClient('127.0.0.1', server.port, { reconnect: false })
await client.connect()
await client.startStreaming()
let rows = 0
void client.consume((batch) => {
  rows += batch.length
})
// How far the count is from what the clock says, at its worst.
let worst = 0
const watch = setInterval(() => {
  const due = ((performance.now() - start) / 1000) * RATE
  worst = Math.max(worst, Math.abs(server.packets - due))
}, 100)
await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
clearInterval(watch)
const [made, elapsed] = [server.packets, (performance.now() - start) / 1000]
await server.drain()
await client.drain()
const line = {
  seconds: elapsed,
  packets: made,
  rate: made / elapsed,
  offBy: made - elapsed * RATE,
  worstOffBy: worst,
  receivedSamples: rows,
  lost: client.ledger.totals.missing,
  dropped: server.stats.dropped,
  clock: client.describe().clock,
}
process.stdout.write(`${JSON.stringify(line)}\n`)
process.exit(Math.abs(made / elapsed - RATE) / RATE < 0.001 && line.lost === 0 ? 0 : 1)
