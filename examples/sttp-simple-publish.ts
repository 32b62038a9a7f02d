// Publishes two measurements ten times a second until enter is pressed:
// node --import tsx examples/sttp-simple-publish.ts [PORT]
import { once } from 'node:events'
import { Measurement, Publisher, Ticks } from '../ts/sttp/index.js'

const publisher = new Publisher()
const device = publisher.defineOutputSource('Bench 1', 'BENCH1')
const frequency = publisher.defineOutputMeasurement(device, 'BENCH1:F', 'frequency of the bench', 'FREQ')
const voltage = publisher.defineOutputMeasurement(device, 'BENCH1:V', 'voltage of the bench', 'VPHM', 1)
const [, port] = await publisher.start({ host: '127.0.0.1', port: Number(process.argv[2] ?? 7165) })
console.log(`Publishing on port ${port}, until enter is pressed`)

const timer = setInterval(() => {
  const now = Ticks.utcNow()
  publisher.publishMeasurements([
    new Measurement(frequency, 50 + Math.random() / 100, now),
    new Measurement(voltage, 230_000 + Math.random(), now),
  ])
}, 100)
await once(process.stdin, 'data')
clearInterval(timer)
process.stdin.destroy()
await publisher.stop()
