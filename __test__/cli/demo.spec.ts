import { join } from 'node:path'
import test from 'ava'
import { temporary } from './recording.js'
import { measurand } from './streams.js'

const T0 = 638_000_000_000_000_000n
const EPOCH = 621_355_968_000_000_000n
const STEP = 333_333n
const FLAGS = [0x0, 0x1, 0x2, 0x20, 0x10000, 0x1000, 0x80000000, 0x10001]

test('the demonstration records every value that the real publisher sent', async (t) => {
  const out = join(await temporary(t), 'demo')
  const { code, lines, stderr } = await measurand(['demo', '--out', out, '--json'])
  t.is(code, 0, stderr)
  t.like(lines.at(-1), { event: 'summary', received: 1440, stored: 1440, lost: [] })
  t.is((await measurand(['audit', out])).code, 0)

  const rows = (await measurand(['tail', `file:${out}`, '--json'])).lines.filter(({ event }) => event === 'measurement')
  t.is(rows.length, 1440)
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
