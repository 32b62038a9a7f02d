import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Example } from '../example.js'
import { freePort } from '../free-port.js'

async function pair(t: ExecutionContext, publisher: string, subscriber: string): Promise<string> {
  const publishing = new Example(t, publisher, ['0'])
  const port = await publishing.printed(/on port (\d+)/)
  const subscribing = new Example(t, subscriber, [`127.0.0.1:${port}`])
  t.is(await subscribing.ended, 0, subscribing.output)
  publishing.enter()
  t.is(await publishing.ended, 0, publishing.output)
  return subscribing.output
}

test.serial('simple publish and subscribe', async (t) => {
  const lines = (await pair(t, 'sttp-simple-publish', 'sttp-simple-subscribe')).trim().split('\n')
  const rows = lines.filter((line) => /^BENCH1(:|)[FV] \d{4}-\d\d-\d\dT\S+Z \d+(\.\d+)?$/.test(line))
  t.is(rows.length, 20, lines.join('\n'))
})

test.serial('advanced publish and subscribe', async (t) => {
  const output = await pair(t, 'sttp-advanced-publish', 'sttp-advanced-subscribe')
  t.regex(output, /^device SYNTHETIC, 30 frames a second$/m)
  t.regex(output, /^24 signals, 8 that we may not have$/m)
  t.regex(output, /^\d{3,} measurements; losses: \{ records: 0, missing: 0, recovered: 0, open: 0 \}$/m)
})

test.serial('grouped data', async (t) => {
  const lines = (await pair(t, 'sttp-advanced-publish', 'sttp-grouped-data')).trim().split('\n')
  t.is(lines.filter((line) => /Z 8 of 8 signals, mean \d+\.\d{3}$/.test(line)).length, 10, lines.join('\n'))
})

test.serial('historical replay', async (t) => {
  const publishing = new Example(t, 'sttp-advanced-publish', ['0'])
  const port = await publishing.printed(/on port (\d+)/)
  // There has to be a history before one can be read.
  await new Promise((resolve) => setTimeout(resolve, 2500))
  const reading = new Example(t, 'sttp-historical-replay', [`127.0.0.1:${port}`])
  t.is(await reading.ended, 0, reading.output)
  const [, rows, seconds] = /(\d+) measurements of (\d\.\d\d) s/.exec(reading.output) ?? []
  t.is(Number(rows) % 32, 0, reading.output)
  t.true(Number(seconds) > 1.8 && Number(seconds) <= 2, reading.output)
  publishing.enter()
  t.is(await publishing.ended, 0)
})

test.serial('reverse connection', async (t) => {
  const subscribing = new Example(t, 'sttp-reverse-subscribe', ['0'])
  const port = await subscribing.printed(/on port (\d+)/)
  const publishing = new Example(t, 'sttp-reverse-publish', [`127.0.0.1:${port}`])
  t.is(await subscribing.ended, 0, subscribing.output)
  t.regex(subscribing.output, /^connected to 127\.0\.0\.1$/m)
  const [, rows] = /^(\d+) measurements of 8 signals$/m.exec(subscribing.output) ?? []
  t.true(Number(rows) >= 8 * 30 && Number(rows) % 8 === 0, subscribing.output)
  publishing.enter()
  t.is(await publishing.ended, 0, publishing.output)
})

test.serial('the seed’s two programs with each other', async (t) => {
  const metadata = join('__test__', 'vectors', 'sttp', 'metadata6.xml')
  const port = String(await freePort())
  const publishing = new Example(t, 'seed-publish', [metadata, port])
  await publishing.printed(/Press Enter/)
  const subscribing = new Example(t, 'seed-subscribe', [`localhost:${port}`])
  await subscribing.printed(/measurements received so far\. Current measurement:\n {4}\S+ @ \S+ = \S+ \(Normal\)/)
  subscribing.enter()
  t.is(await subscribing.ended, 0, subscribing.output)
  t.regex(subscribing.output, /Client subscribed as TSSC with 6 signals\./)
  publishing.enter()
  t.is(await publishing.ended, 0, publishing.output)
})
