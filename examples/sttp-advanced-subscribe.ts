// Subscribes to frequencies and voltages in compact form, with everything that a subscriber is told, for five seconds:
// node --import tsx examples/sttp-advanced-subscribe.ts [HOST:PORT]
import { describeFlags, Subscriber } from '../ts/sttp/index.js'

const subscriber = new Subscriber({
  // What is missed while the connection is broken is fetched back, if it is not older than an hour.
  gapRecovery: { maxAge: 3_600_000 },
  retryInterval: 0.5,
  signal: AbortSignal.timeout(60_000),
  statusMessage: false,
})
subscriber.metadataReceived = (metadata) => {
  for (const { acronym, framesPerSecond } of metadata.records('DeviceDetail')) {
    console.log(`device ${acronym}, ${framesPerSecond} frames a second`)
  }
}
subscriber.subscriptionUpdated = ({ signals, unauthorized }) => {
  console.log(`${signals} signals, ${unauthorized.length} that we may not have`)
}
subscriber.status.on(({ state, detail }) => console.log('status:', state, detail ?? ''))
subscriber.subscribe(
  "FILTER ActiveMeasurements WHERE SignalType = 'FREQ' OR SignalType LIKE 'V%' OR SignalType = 'IPHA' ORDER BY PointTag",
  { encoding: 'compact', requestNaNValueFilter: true },
)
await subscriber.connect(process.argv[2] ?? 'localhost:7165')

const timer = setTimeout(() => subscriber.drain(), 5000)
let rows = 0
for await (const batch of subscriber) {
  rows += batch.length
  for (let row = 0; row < batch.length; row++) {
    const flags = batch.flags[row] as number
    if (flags !== 0) console.log(batch.signals.at(batch.signal[row] as number)?.name, describeFlags(flags))
  }
}
clearTimeout(timer)
console.log(`${rows} measurements; losses:`, subscriber.ledger.totals)
