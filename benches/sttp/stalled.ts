// Publishes to a subscriber that reads and to one that has stopped reading; prints how much the publisher's memory grew
// beyond the bound of its queue.
//   stalled.ts QUEUE_MIB PUBLISHED_MIB
import { connect } from 'node:net'
import { MeasurementBatch } from '../../ts/batch/index.js'
import { sttpWriteCommand } from '../../ts/sttp/codec.js'
import { Publisher, Subscriber, Synthetic } from '../../ts/sttp/index.js'

const [queueMiB, publishedMiB] = process.argv.slice(2).map(Number) as [number, number]
const synthetic = new Synthetic({ signals: 1000 })
const publisher = new Publisher({ policy: 'drop-oldest', queueBytes: queueMiB << 20 })
publisher.defineMetadata(synthetic.metadata())
const [, port] = await publisher.start({ host: '127.0.0.1', port: 0 })

const MODES = 0xc000_0222
const stalled = connect(port, '127.0.0.1')
stalled.write(sttpWriteCommand({ type: 'defineOperationalModes', modes: MODES }))
const everything = { flags: 2, filterExpression: 'FILTER ActiveMeasurements WHERE True' }
stalled.write(sttpWriteCommand({ type: 'subscribe', subscription: everything }))
await new Promise((resolve) => stalled.once('data', resolve))
stalled.write(sttpWriteCommand({ type: 'confirmUpdateSignalIndexCache' }))
await new Promise((resolve) => setTimeout(resolve, 200))
stalled.pause()

const subscriber = new Subscriber({ reconnect: false, statusMessage: false, errorMessage: false })
void subscriber.subscribe('FILTER ActiveMeasurements WHERE True')
await subscriber.connect(`127.0.0.1:${port}`)
let received = 0
void subscriber.consume(({ length }) => {
  received += length
})
const rows = synthetic.rows(publisher.signals)
const block = synthetic.block(16, rows)
const start = process.hrtime.bigint()
let [before, peak, published, queued] = [0, 0, 0, 0]
for (let first = 0, bytes = 0; bytes < publishedMiB * 2 ** 20; first += 16) {
  synthetic.fill(block, first, 16)
  publisher.publish(new MeasurementBatch(block, publisher.signals, 'f32'))
  published += block.count
  bytes += block.count * 17
  await new Promise((resolve) => setImmediate(resolve))
  if (bytes < 8 * 2 ** 20) before = process.memoryUsage.rss()
  peak = Math.max(peak, process.memoryUsage.rss())
  for (const connection of publisher.connections) queued = Math.max(queued, connection.queuedBytes)
}
const seconds = Number(process.hrtime.bigint() - start) / 1e9
while (received < published) await new Promise((resolve) => setTimeout(resolve, 5))
const { dropped } = publisher.stats
if (dropped === 0) throw new Error('nothing was given up: the subscriber was not stalled')
const grownMiB = (peak - before) / 2 ** 20
process.stdout.write(
  `${JSON.stringify({ items: published, seconds, grownMiB, queuedMiB: queued / 2 ** 20, dropped })}\n`,
)
process.exit(0)
