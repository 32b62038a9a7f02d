import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { MeasurementBatch } from '../../ts/batch/index.js'
import { Publisher } from '../../ts/sttp/publisher.js'
import { Synthetic } from '../../ts/sttp/synthetic.js'
import { measurand } from './streams.js'

test('a capture is decoded by what it says itself, and replayed byte for byte', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'measurand-replay-'))
  const synthetic = new Synthetic({ signals: 5 })
  const publisher = new Publisher()
  publisher.defineMetadata(synthetic.metadata())
  const [, port] = await publisher.start({ host: '127.0.0.1', port: 0 })
  const subscribed = (async () => {
    for await (const { state } of publisher.status) if (state === 'peer-subscribed') break
    for (let n = 0; n < 40; n++) {
      publisher.publish(new MeasurementBatch(synthetic.batch(n, 1, publisher.signals).block, publisher.signals, 'f32'))
      await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  const file = join(folder, 'session.cap')
  const url = `sttp://127.0.0.1:${port}?encoding=compact`
  const captured = await measurand(['capture', url, '-o', file, '--limit', '200'])
  await subscribed
  t.is(captured.code, 0, captured.stderr)
  await publisher.close()

  const decoded = await measurand(['decode', 'sttp', file])
  t.is(decoded.code, 0, decoded.stderr)
  const lines = decoded.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const values = lines.filter(({ event }) => event === 'measurement').map(({ value }) => value)
  t.deepEqual(
    values.slice(0, 200),
    Array.from({ length: 200 }, (_, row) => 1000 * (row % 5) + 0.25 * Math.floor(row / 5)),
  )

  let listening = (_port: string): void => {}
  const told = new Promise<string>((resolve) => {
    listening = resolve
  })
  const args = ['replay', file, '--raw', '--speed', 'max', '--to', 'sttp://127.0.0.1?listen=1']
  const replay = measurand(args, [], undefined, (text) => {
    const [, bound] = /listening on port (\d+)/.exec(text) ?? []
    if (bound !== undefined) listening(bound)
  })
  const from = `sttp://127.0.0.1:${await told}?encoding=compact`
  const tailed = await measurand(['tail', from, '--limit', '200', '--json'])
  t.is(tailed.code, 0, tailed.stderr)
  const rows = tailed.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.deepEqual(
    rows.filter(({ event }) => event === 'measurement').map(({ value }) => value),
    values.slice(0, 200),
  )
  t.is((await replay).code, 0)
})
