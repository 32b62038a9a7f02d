// Receives synthetic frames and prints how many measurements came in how long, from the first batch to the last.
//   subscribe.ts PORT ENCODING SIGNALS FRAMES [verify]
// Every run checks the count and the sum of the values; with `verify` every value, time and quality word.
import { Subscriber, Synthetic } from '../../ts/sttp/index.js'

const [port, encoding, signalText, frameText, verify] = process.argv.slice(2) as [
  string,
  'tssc' | 'compact',
  string,
  string,
  string?,
]
const [signals, frames] = [Number(signalText), Number(frameText)]
const subscriber = new Subscriber({ reconnect: false, statusMessage: false, errorMessage: false })
void subscriber.subscribe('FILTER ActiveMeasurements WHERE True', { encoding })
await subscriber.connect(`127.0.0.1:${port}`)
const synthetic = new Synthetic({ signals })
let [items, sum, start, end] = [0, 0, 0n, 0n]
try {
  for await (const { length, value, signal, time, flags } of subscriber) {
    if (start === 0n) start = process.hrtime.bigint()
    for (let row = 0; row < length; row++) sum += value[row] as number
    if (verify) {
      for (let row = 0; row < length; row++) {
        const n = Math.floor((items + row) / signals)
        const k = (items + row) % signals
        const right = 1000 * (k % 4000) + 0.25 * (n % 4000)
        if (value[row] !== right || signal[row] !== k || time[row] !== synthetic.timeOf(n) || flags[row] !== 0) {
          throw new Error(
            `row ${items + row}: signal ${signal[row]} at ${time[row]} is ${value[row]}, flags ${flags[row]}`,
          )
        }
      }
    }
    items += length
    end = process.hrtime.bigint()
    if (items === signals * frames) break
  }
} catch (error) {
  if (items !== signals * frames) throw error
}
let expected = 0
for (let n = 0; n < frames; n++) for (let k = 0; k < signals; k++) expected += 1000 * (k % 4000) + 0.25 * (n % 4000)
if (items !== signals * frames || sum !== expected || subscriber.stats.lost !== 0) {
  throw new Error(
    `${items} measurements of sum ${sum}, not ${signals * frames} of ${expected}; lost ${subscriber.stats.lost}`,
  )
}
process.stdout.write(`${JSON.stringify({ items, seconds: Number(end - start) / 1e9 })}\n`)
await subscriber.close()
