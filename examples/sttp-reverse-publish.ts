// Connects to a subscriber that listens, and again whenever the connection is over, and publishes 30 times a second until
// enter is pressed:
// node --import tsx examples/sttp-reverse-publish.ts [HOST:PORT]
import { once } from 'node:events'
import { Publisher, Synthetic } from '../ts/sttp/index.js'

const RATE = 30
const synthetic = new Synthetic({ signals: 40, rate: RATE, t0: BigInt(Date.now()) * 1_000_000n })
const publisher = new Publisher({ statusMessage: () => {} })
publisher.defineMetadata(synthetic.metadata())
await publisher.connect(process.argv[2] ?? 'localhost:7175')
console.log('connected to a subscriber; publishing until enter is pressed')
const start = performance.now()
let frame = 0
const timer = setInterval(() => {
  // As many as are due: timers alone come late, and would fall behind the clock.
  const due = ((performance.now() - start) * RATE) / 1000
  while (frame < due) publisher.publish(synthetic.batch(frame++, 1, publisher.signals))
}, 1000 / RATE)
await once(process.stdin, 'data')
clearInterval(timer)
process.stdin.destroy()
await publisher.stop()
