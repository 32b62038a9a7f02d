// Listens for a publisher that connects by itself, as one behind a firewall does, and reads for three seconds:
// node --import tsx examples/sttp-reverse-subscribe.ts [PORT]
import { Subscriber } from '../ts/sttp/index.js'

const subscriber = new Subscriber({ statusMessage: false })
subscriber.status.on(({ state, detail }) => {
  if (state === 'listening') console.log(`Waiting for a publisher on port ${detail?.['port']}`)
})
subscriber.subscribe("FILTER ActiveMeasurements WHERE SignalType = 'FREQ'")
await subscriber.listen({ host: '127.0.0.1', port: Number(process.argv[2] ?? 7175) })
console.log('connected to', subscriber.peer.split(':')[0])
const timer = setTimeout(() => subscriber.drain(), 3000)
let rows = 0
for await (const batch of subscriber) rows += batch.length
clearTimeout(timer)
console.log(`${rows} measurements of ${subscriber.signals.length} signals`)
