// Prints the first twenty measurements of a publisher:
// node --import tsx examples/sttp-simple-subscribe.ts [HOST:PORT]
import { Subscriber } from '../ts/sttp/index.js'

const subscriber = new Subscriber({ statusMessage: false })
subscriber.subscribe('FILTER ActiveMeasurements WHERE True')
await subscriber.connect(process.argv[2] ?? 'localhost:7165')
let left = 20
for await (const batch of subscriber) {
  for (const { signal, time, value } of batch) {
    if (left-- > 0) console.log(batch.signals.at(signal)?.name, new Date(Number(time) / 1e6).toISOString(), value)
  }
  if (left <= 0) break
}
await subscriber.close()
