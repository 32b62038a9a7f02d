// Publishes synthetic frames as fast as the subscribers take them, when the given number of them have subscribed.
//   publish.ts SIGNALS FRAMES SUBSCRIBERS
import { MeasurementBatch } from '../../ts/batch/index.js'
import { Publisher, Synthetic } from '../../ts/sttp/index.js'

const [signals, frames, subscribers] = process.argv.slice(2).map(Number) as [number, number, number]
const synthetic = new Synthetic({ signals })
const publisher = new Publisher({ policy: 'block', queueBytes: 8 << 20 })
publisher.defineMetadata(synthetic.metadata())
const [, port] = await publisher.start({ host: '127.0.0.1', port: 0 })
process.stdout.write(`port ${port}\n`)
let joined = 0
for await (const { state } of publisher.status) {
  if (state === 'peer-subscribed' && ++joined === subscribers) break
}
const rows = synthetic.rows(publisher.signals)
const most = Math.max(1, Math.floor(65_536 / signals))
const block = synthetic.block(most, rows)
const start = process.hrtime.bigint()
for (let first = 0; first < frames; ) {
  const count = Math.min(most, frames - first)
  synthetic.fill(block, first, count)
  first += count
  if (!publisher.publish(new MeasurementBatch(block, publisher.signals, 'f32'))) await publisher.ready()
  await new Promise((resolve) => setImmediate(resolve))
}
await publisher.stop()
const seconds = Number(process.hrtime.bigint() - start) / 1e9
process.stdout.write(`${JSON.stringify({ items: frames * signals * subscribers, seconds })}\n`)
