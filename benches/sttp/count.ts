// Receives frames of which sixteen are sent again and again; prints how many measurements came in how long.
//   count.ts PORT ENCODING SIGNALS FRAMES
// Checks the count and the sum of the values.
import { Subscriber } from '../../ts/sttp/index.js'

/** Different frames. */
const CYCLE = 16

const [port, encoding, signalText, frameText] = process.argv.slice(2) as [string, 'tssc' | 'compact', string, string]
const [signals, frames] = [Number(signalText), Number(frameText)]
const subscriber = new Subscriber({ reconnect: false, statusMessage: false, errorMessage: false })
void subscriber.subscribe('FILTER ActiveMeasurements WHERE True', { encoding })
await subscriber.connect(`127.0.0.1:${port}`)
let [items, sum, start, end] = [0, 0, 0n, 0n]
for await (const { length, value } of subscriber) {
  if (start === 0n) start = process.hrtime.bigint()
  for (let row = 0; row < length; row++) sum += value[row] as number
  items += length
  end = process.hrtime.bigint()
  if (items === signals * frames) break
}
let expected = 0
for (let k = 0; k < signals; k++) expected += 1000 * (k % 4000) * frames
const cycles = Math.floor(frames / CYCLE)
const rest = frames % CYCLE
expected += 0.25 * signals * ((cycles * (CYCLE * (CYCLE - 1))) / 2 + (rest * (rest - 1)) / 2)
if (items !== signals * frames || Math.abs(sum - expected) > Math.abs(expected) * 1e-9) {
  throw new Error(`${items} measurements of sum ${sum}, not ${signals * frames} of ${expected}`)
}
process.stdout.write(`${JSON.stringify({ items, seconds: Number(end - start) / 1e9 })}\n`)
await subscriber.close()
