// Groups measurements by their time, as a concentrator does: a group is complete when all signals are there, or when it
// is later than the lag time. Prints ten groups:
// node --import tsx examples/sttp-grouped-data.ts [HOST:PORT]
import { Subscriber } from '../ts/sttp/index.js'

/** How long a group waits for the last of its measurements, ms of their times. */
const LAG = 1000

const subscriber = new Subscriber({ statusMessage: false })
let signals = 0
subscriber.subscriptionUpdated = (update) => {
  signals = update.signals
}
subscriber.subscribe("FILTER ActiveMeasurements WHERE SignalType = 'FREQ'")
await subscriber.connect(process.argv[2] ?? 'localhost:7165')

const groups = new Map<number, Map<number, number>>()
let [newest, left] = [0, 10]

function give(time: number, values: ReadonlyMap<number, number>): void {
  groups.delete(time)
  if (left-- <= 0) return
  const mean = [...values.values()].reduce((sum, value) => sum + value, 0) / values.size
  console.log(`${new Date(time).toISOString()} ${values.size} of ${signals} signals, mean ${mean.toFixed(3)}`)
}

for await (const batch of subscriber) {
  for (let row = 0; row < batch.length; row++) {
    const time = batch.timeMs[row] as number
    if (time < newest - LAG) continue
    newest = Math.max(newest, time)
    const values = groups.get(time) ?? new Map<number, number>()
    groups.set(time, values.set(batch.signal[row] as number, batch.value[row] as number))
    if (values.size === signals) give(time, values)
  }
  for (const [time, values] of groups) if (time < newest - LAG) give(time, values)
  if (left <= 0) break
}
await subscriber.close()
