// Reads what a publisher has of the last two seconds: first slowly, a frame every 100 ms, then as fast as it goes:
// node --import tsx examples/sttp-historical-replay.ts [HOST:PORT]
import { Subscriber } from '../ts/sttp/index.js'

const subscriber = new Subscriber({ statusMessage: false })
subscriber.historicalReadComplete = (text) => console.log(text)
subscriber.subscribe('FILTER ActiveMeasurements WHERE True', {
  startTime: '*-2s',
  stopTime: '*',
  processingInterval: 100,
})
await subscriber.connect(process.argv[2] ?? 'localhost:7165')
setTimeout(() => void subscriber.updateProcessingInterval(0), 1000)
let [rows, first, last] = [0, 0, 0]
for await (const batch of subscriber) {
  if (rows === 0) first = batch.timeMs[0] as number
  last = batch.timeMs[batch.length - 1] as number
  rows += batch.length
}
console.log(`${rows} measurements of ${((last - first) / 1000).toFixed(2)} s`)
