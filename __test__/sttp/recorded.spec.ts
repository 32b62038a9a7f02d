import { join } from 'node:path'
import test from 'ava'
import { Measurement } from '../../ts/sttp/measurement.js'
import { Publisher } from '../../ts/sttp/publisher.js'
import { Ticks } from '../../ts/sttp/ticks.js'
import { temporary } from '../cli/recording.js'
import { measurand } from '../cli/streams.js'

test('a recording says which quirks were met, and what cannot be known of datagrams', async (t) => {
  // Whoever has keys sent over a plain connection is told.
  const publisher = new Publisher({ dataChannel: { encryption: 'always' } })
  t.teardown(() => publisher.close())
  const signal = publisher.defineOutputMeasurement(publisher.defineOutputSource('bench'), 'F', 'frequency', 'FREQ')
  const [, port] = await publisher.start({ host: '127.0.0.1', port: 0 })
  const timer = setInterval(() => publisher.publishMeasurements([new Measurement(signal, 50, Ticks.utcNow())]), 5)
  t.teardown(() => clearInterval(timer))
  const out = join(await temporary(t), 'recording')
  const recorded = await measurand(['record', `sttp://127.0.0.1:${port}?udp=0`, '--limit', '20', '--out', out])
  t.is(recorded.code, 0, recorded.stderr)
  t.regex(recorded.stderr, /: quirk cipher-keys-in-clear$/m)

  const { stdout } = await measurand(['info', out])
  t.regex(stdout, /^ {2}quirks cipher-keys-in-clear$/m)
  t.regex(stdout, /^ {2}channel udp$/m)
  t.regex(stdout, /^ {2}wireLoss not detectable/m)
  t.regex(stdout, /^ {2}nothing lost that could be noticed$/m)
  const { lines } = await measurand(['info', out, '--json'])
  const [source] = (lines[0]?.['sources'] ?? []) as object[]
  t.like(source, { quirks: ['cipher-keys-in-clear'], meta: { datagramsLate: 0 } })

  const audit = await measurand(['audit', out])
  t.is(audit.code, 0)
  t.regex(audit.stdout, /^sound, and nothing lost that could be noticed$/m)
})
