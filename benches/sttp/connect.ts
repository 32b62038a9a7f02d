// Connects with metadata to a publisher of 100,000 signals; prints how long it took to the first data.
//   connect.ts PORT SIGNALS
import { Subscriber } from '../../ts/sttp/index.js'

const [port, signals] = process.argv.slice(2).map(Number) as [number, number]
const subscriber = new Subscriber({ reconnect: false, statusMessage: false, errorMessage: false })
void subscriber.subscribe('FILTER ActiveMeasurements WHERE True')
const start = process.hrtime.bigint()
await subscriber.connect(`127.0.0.1:${port}`)
let seconds = 0
for await (const { length, signals: table, signal } of subscriber) {
  if (length === 0) continue
  seconds = Number(process.hrtime.bigint() - start) / 1e9
  const name = table.at(signal[0] as number)?.name
  const rows = subscriber.metadata?.table('MeasurementDetail')?.rows
  if (rows !== signals || !name?.startsWith('SYN:T')) throw new Error(`${rows} rows of metadata, first signal ${name}`)
  break
}
process.stdout.write(`${JSON.stringify({ items: signals, seconds })}\n`)
await subscriber.close()
