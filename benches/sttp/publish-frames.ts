// Publishes synthetic frames one by one, when the given number of subscribers have subscribed.
//   publish-frames.ts SIGNALS FRAMES SUBSCRIBERS turn|write|coalesce
// turn: 256 frames a turn of the event loop, which may share a write; write: a frame a turn, each a write;
// coalesce: as `turn`, with measurements that may wait 5 ms for others. Says how many frames a write had.
import { MeasurementBatch } from '../../ts/batch/index.js'
import { StreamTransport } from '../../ts/session/stream-transport.js'
import { Publisher, Synthetic } from '../../ts/sttp/index.js'

const [signalText, frameText, subscriberText, mode] = process.argv.slice(2) as [string, string, string, string]
const [signals, frames, subscribers] = [Number(signalText), Number(frameText), Number(subscriberText)]
let writes = 0
const { write } = StreamTransport.prototype
StreamTransport.prototype.write = function (this: StreamTransport, ...args): boolean {
  writes++
  return write.apply(this, args)
}
const synthetic = new Synthetic({ signals })
const publisher = new Publisher({
  policy: 'block',
  queueBytes: 4 << 20,
  ...(mode === 'coalesce' ? { maxDelay: 5 } : {}),
})
publisher.defineMetadata(synthetic.metadata())
const [, port] = await publisher.start({ host: '127.0.0.1', port: 0 })
process.stdout.write(`port ${port}\n`)
let joined = 0
for await (const { state } of publisher.status) {
  if (state === 'peer-subscribed' && ++joined === subscribers) break
}
const rows = synthetic.rows(publisher.signals)
// Frames that are ready: what is measured is publishing them. They lie in the processor's cache, as freshly measured ones do.
const ready = 16
const batches = Array.from({ length: Math.min(ready, frames) }, (_, n) => {
  const block = synthetic.block(1, rows)
  synthetic.fill(block, n, 1)
  return new MeasurementBatch(block, publisher.signals, 'f32')
})
const burst = mode === 'write' ? 1 : 256
writes = 0
const start = process.hrtime.bigint()
for (let first = 0; first < frames; ) {
  const end = Math.min(first + burst, frames)
  let isReady = true
  for (; first < end; first++) isReady = publisher.publish(batches[first % ready] as MeasurementBatch)
  if (!isReady) await publisher.ready()
  await new Promise((resolve) => setImmediate(resolve))
}
const sent = writes
await publisher.stop()
const seconds = Number(process.hrtime.bigint() - start) / 1e9
process.stderr.write(`${mode}: ${(frames / sent).toFixed(1)} frames a write\n`)
process.stdout.write(
  `${JSON.stringify({ items: frames * signals * subscribers, seconds, framesPerWrite: frames / sent })}\n`,
)
