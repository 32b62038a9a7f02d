// Prints every message of a stream, batch by batch; a connection that breaks is made again.
// usage: node --import tsx examples/stream-sea-subscribe.ts HOST PORT CLIENT STREAM [COUNT]   (secret: MEASURAND_SECRET)
import { StreamSeaClient } from '../ts/stream-sea/index.js'

const [remoteHost = '127.0.0.1', remotePort = '3104', clientId = 'app123', stream = 'boiler_data', count = 'Infinity'] =
  process.argv.slice(2)
const clientSecret = process.env['MEASURAND_SECRET'] ?? ''

await using client = new StreamSeaClient({ remoteHost, remotePort, clientId, clientSecret })
client.status.on(({ state, detail }) => console.error(state, detail ?? ''))
await client.connect()
const subscription = await client.subscribe({ stream, fanout: true })
let left = Number(count)
for await (const batch of subscription) {
  for (const { payload } of batch) console.log(payload)
  left -= batch.length
  if (left <= 0) break
}
