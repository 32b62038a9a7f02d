// Receives synthetic frames by UDP; prints how many measurements came in how long, and how many are missing.
//   receive-datagrams.ts PORT SIGNALS FRAMES [verify]
// Every run checks that as many datagrams were told to be lost as are missing; with `verify` every value and time that came.
import { Subscriber, Synthetic } from '../../ts/sttp/index.js'

/** Measurements in the longest datagram: 17 bytes each behind a head of 11. */
const MOST = 1926

const [portText, signalText, frameText, verify] = process.argv.slice(2) as [string, string, string, string?]
const [signals, frames] = [Number(signalText), Number(frameText)]
let told = 0
const subscriber = new Subscriber({
  ...{ reconnect: false, statusMessage: false, errorMessage: false, gapRecovery: false },
  onStatus: ({ state, detail }) => {
    if (state === 'datagrams-dropped') told += Number(detail?.['datagrams'])
  },
})
void subscriber.subscribe('FILTER ActiveMeasurements WHERE True', { udpPort: 0 })
await subscriber.connect(`127.0.0.1:${portText}`)
const synthetic = new Synthetic({ signals })
const times = verify ? Array.from({ length: frames }, (_, n) => synthetic.timeOf(n)) : []
let [items, start, end, n] = [0, 0n, 0n, 0]
for await (const { length, value, signal, time } of subscriber) {
  if (start === 0n) start = process.hrtime.bigint()
  for (let row = 0; verify && row < length; row++) {
    const at = time[row] as bigint
    while (n < frames && times[n] !== at) n++
    const k = signal[row] as number
    if (n === frames || value[row] !== 1000 * (k % 4000) + 0.25 * (n % 4000)) {
      throw new Error(`signal ${k} at ${at} is ${value[row]}`)
    }
  }
  items += length
  end = process.hrtime.bigint()
}
const missing = signals * frames - items
if (missing < 0 || missing > told * MOST) throw new Error(`${missing} measurements are missing, ${told} datagrams told`)
process.stdout.write(`${JSON.stringify({ items, seconds: Number(end - start) / 1e9, told, missing })}\n`)
