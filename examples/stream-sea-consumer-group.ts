// Works through a stream from its start as one of a group; what fails comes again, here or elsewhere in the group.
// usage: node --import tsx examples/stream-sea-consumer-group.ts HOST PORT CLIENT STREAM GROUP [COUNT]
import { StreamSeaClient } from '../ts/stream-sea/index.js'

const [remoteHost = '127.0.0.1', remotePort = '3104', clientId = 'app123', ...rest] = process.argv.slice(2)
const [stream = 'boiler_data', group = 'workers', count = 'Infinity'] = rest
const clientSecret = process.env['MEASURAND_SECRET'] ?? ''

await using client = new StreamSeaClient({ remoteHost, remotePort, clientId, clientSecret })
await client.connect()
const subscription = await client.subscribe({ stream, group, from: 'start', ack: true, credit: 100 })
let left = Number(count)
for await (const batch of subscription) {
  for (const { offset, payload, redelivered } of batch) {
    console.log(offset, payload, redelivered > 0 ? `(again, ${redelivered})` : '')
  }
  await subscription.acknowledge(batch.offset(batch.length - 1) ?? 0)
  left -= batch.length
  if (left <= 0) break
}
