import { join } from 'node:path'
import test from 'ava'
import { systemNetwork } from '../../ts/session/index.js'
import { MEASUREMENTS } from './publisher-session.js'
import { temporary } from './recording.js'
import { replay } from './replayed-publisher.js'
import { measurand } from './streams.js'

const T0 = 638_000_000_000_000_000n
const EPOCH = 621_355_968_000_000_000n
const STEP = 333_333n
const FLAGS = [0x0, 0x1, 0x2, 0x20, 0x10000, 0x1000, 0x80000000, 0x10001]

test('what a real publisher sent is recorded, every value, flag and time', async (t) => {
  const out = join(await temporary(t), 'session')
  const listener = await systemNetwork.listen({ host: '127.0.0.1', port: 0 }, replay)
  const url = `sttp://127.0.0.1:${listener.port}?encoding=tssc`
  const { code, lines, stderr } = await measurand([
    'record',
    url,
    '--limit',
    String(MEASUREMENTS),
    '--out',
    out,
    '--json',
  ])
  await listener.close()
  t.is(code, 0, stderr)
  t.like(lines.at(-1), { event: 'summary', received: MEASUREMENTS, stored: MEASUREMENTS, lost: [] })
  t.is((await measurand(['audit', out])).code, 0)

  const rows = (await measurand(['tail', `file:${out}`, '--json'])).lines.filter(({ event }) => event === 'measurement')
  t.is(rows.length, MEASUREMENTS)
  const frames = new Map<string, number>()
  for (const { id, time, value, flags } of rows as { id: string; time: string; value: number; flags: number }[]) {
    const signal = Number.parseInt(id.slice(-12), 16)
    const frame = Number((BigInt(time) / 100n + EPOCH - T0) / STEP)
    t.is(value, 1000 * signal + 0.25 * (frame % 4000))
    t.is(flags, FLAGS[Math.floor(frame / 50) % FLAGS.length] ?? -1)
    frames.set(id, (frames.get(id) ?? 0) + 1)
  }
  t.deepEqual([...frames.values()], Array(6).fill(240))
  t.true(rows.every(({ name }) => typeof name === 'string' && name !== ''))
})

test('the demonstration records what it serves, reads it back and shows the books', async (t) => {
  const out = join(await temporary(t), 'demo')
  const { code, stdout, stderr } = await measurand(['demo', '--out', out])
  t.is(code, 0, stderr)
  t.regex(stderr, /read back 30,000 measurements: every value and time is as it was sent/)
  t.regex(stdout, /received 30,000, stored 30,000.*the books balance/)
  t.is((await measurand(['audit', out])).code, 0)
})
