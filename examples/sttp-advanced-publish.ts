// Publishes columns of 40 signals 30 times a second until enter is pressed, keeps the last minutes, and serves them as
// history; says who comes and goes, and answers commands:
// node --import tsx examples/sttp-advanced-publish.ts [PORT]
import { once } from 'node:events'
import type { MeasurementBatch } from '../ts/batch/index.js'
import { Publisher, Synthetic } from '../ts/sttp/index.js'

const RATE = 30
/** Frames that are kept: five minutes. */
const KEPT = 5 * 60 * RATE

const synthetic = new Synthetic({ signals: 40, rate: RATE, t0: BigInt(Date.now()) * 1_000_000n })
const publisher = new Publisher({
  queueBytes: 4 << 20,
  // Nobody is told the angles.
  permit: (_, { kind }) => kind !== 'IPHA',
  statusMessage: (text) => console.log(text),
  errorMessage: (text) => console.error(text),
})
publisher.defineMetadata(synthetic.metadata())
publisher.userCommandReceived = (connection, number, payload) => publisher.sendUserResponse(connection, number, payload)

const kept: MeasurementBatch[] = []
// Limits and signals are left to the publisher: what is outside is not sent.
publisher.history = async function* () {
  yield* kept
}

const [, port] = await publisher.start({ host: '127.0.0.1', port: Number(process.argv[2] ?? 7165) })
console.log(`Publishing on port ${port}, until enter is pressed`)
const start = performance.now()
let frame = 0
const timer = setInterval(() => {
  // As many as are due: timers alone come late, and would fall behind the clock.
  for (const due = ((performance.now() - start) * RATE) / 1000; frame < due; frame++) {
    const batch = synthetic.batch(frame, 1, publisher.signals)
    kept.push(batch)
    if (kept.length > KEPT) kept.shift()
    publisher.publish(batch)
  }
}, 1000 / RATE)
await once(process.stdin, 'data')
clearInterval(timer)
process.stdin.destroy()
for (const { peer, stats } of publisher.subscribers) console.log(peer, 'was sent', stats.bytesOut, 'bytes')
await publisher.stop()
