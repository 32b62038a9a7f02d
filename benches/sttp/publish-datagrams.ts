// Publishes synthetic frames by UDP to one subscriber, which cannot ask for a slower publisher.
//   publish-datagrams.ts SIGNALS FRAMES RATE
// RATE: M measurements/s, 0 as fast as it goes. Prints how long it took.
import { MeasurementBatch } from '../../ts/batch/index.js'
import { Publisher, Synthetic } from '../../ts/sttp/index.js'

const [signals, frames, rate] = process.argv.slice(2).map(Number) as [number, number, number]
const synthetic = new Synthetic({ signals })
const publisher = new Publisher({ policy: 'block', queueBytes: 1 << 20 })
publisher.defineMetadata(synthetic.metadata())
const [, port] = await publisher.start({ host: '127.0.0.1', port: 0 })
process.stdout.write(`port ${port}\n`)
for await (const { state } of publisher.status) if (state === 'peer-subscribed') break
// Behind the confirmation of the cache: what is held until then would go out at once.
while (publisher.connections[0]?.cohort === undefined) await new Promise((resolve) => setImmediate(resolve))
const rows = synthetic.rows(publisher.signals)
const most = Math.max(1, Math.floor(16_384 / signals))
const block = synthetic.block(most, rows)
const start = performance.now()
for (let first = 0; first < frames; ) {
  const due = rate === 0 ? frames : Math.floor(((performance.now() - start) * rate * 1000) / signals)
  const count = Math.min(most, frames - first, due - first)
  if (count > 0) {
    synthetic.fill(block, first, count)
    first += count
    if (!publisher.publish(new MeasurementBatch(block, publisher.signals, 'f32'))) await publisher.ready()
  }
  await new Promise((resolve) => setImmediate(resolve))
}
const seconds = (performance.now() - start) / 1000
await publisher.stop()
process.stdout.write(`${JSON.stringify({ items: frames * signals, seconds })}\n`)
