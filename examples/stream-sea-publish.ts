// Defines a stream, publishes one message, several at once, and one that can be published again without harm.
// usage: node --import tsx examples/stream-sea-publish.ts HOST PORT CLIENT   (the secret is in MEASURAND_SECRET)
import { defineSchema, defineStream, publish, publishBatch } from '../ts/stream-sea/index.js'

const [remoteHost = '127.0.0.1', remotePort = '3104', clientId = 'app123'] = process.argv.slice(2)
const remote = { remoteHost, remotePort, clientId, clientSecret: process.env['MEASURAND_SECRET'] ?? '' }
const stream = 'boiler_data'

const schema = defineSchema({
  name: stream,
  version: 1,
  fields: [
    { name: 'temperature', type: 'float' },
    { name: 'side', type: 'enum', enum: ['port', 'starboard'] },
  ],
})
await defineStream({ ...remote, stream, schema })
await publish({ ...remote, stream, payload: { temperature: 91.5, side: 'port' } })
await publishBatch({ ...remote, stream, payloads: [{ temperature: 92 }, { temperature: 93 }] })
await publish({ ...remote, stream, payload: { temperature: 94 }, idempotencyKey: 'reading-4711' })
console.log('published 4 messages')
process.exit(0)
