import { PassThrough } from 'node:stream'
import test from 'ava'
import type { Call } from '../../ts/cli/command.js'
import { showProgress } from '../../ts/cli/progress.js'
import { SimulatedClock, type Source, Stats } from '../../ts/session/index.js'

function terminal(isTTY: boolean): { call: Call; text: () => string } {
  const err = Object.assign(new PassThrough(), { isTTY })
  return { call: { err } as unknown as Call, text: () => String(err.read() ?? '') }
}

test('a terminal sees rows, rates and losses, and a clean line at the end', async (t) => {
  const clock = new SimulatedClock()
  const stats = new Stats()
  const { call, text } = terminal(true)
  const end = showProgress(call, [{ stats } as unknown as Source], clock)
  stats.received = 1500
  stats.bytesIn = 1 << 20
  stats.lost = 3
  await clock.advance(500)
  t.is(text(), '\r\x1b[K1,500 rows  3,000 rows/s  2.0 MiB/s  waiting 0 B  lost 3  reconnects 0')
  await clock.advance(500)
  t.regex(text(), /1,500 rows {2}0 rows\/s/)
  end()
  t.is(text(), '\r\x1b[K')
  await clock.advance(5000)
  t.is(text(), '')
  t.is(clock.pending, 0)
})

test('a pipe sees nothing of it', async (t) => {
  const clock = new SimulatedClock()
  const { call, text } = terminal(false)
  showProgress(call, [], clock)()
  await clock.advance(5000)
  t.is(text(), '')
})
