import test from 'ava'
import fc from 'fast-check'
import { SimulatedClock } from '../../ts/session/clock.js'
import { Backoff, persist } from '../../ts/session/reconnect.js'
import { Watchdog } from '../../ts/session/watchdog.js'

test('delays grow to a bound and start anew', (t) => {
  const backoff = new Backoff({ minDelay: 100, maxDelay: 1000, factor: 3, jitter: 0 })
  t.deepEqual(
    [1, 2, 3, 4, 5].map(() => backoff.next()),
    [100, 300, 900, 1000, 1000],
  )
  backoff.reset()
  t.is(backoff.next(), 100)
})

test('chance shortens a delay by the jitter at most', (t) => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (jitter, chance) => {
        const delay = new Backoff({ minDelay: 1000, jitter, random: () => chance }).next()
        t.true(delay <= 1000 && delay >= 1000 * (1 - jitter) - 1e-9)
      },
    ),
  )
})

test('options that cannot be are refused', (t) => {
  for (const options of [
    { minDelay: 0 },
    { minDelay: 5, maxDelay: 4 },
    { factor: 0.5 },
    { jitter: 2 },
    { minDelay: Number.NaN },
  ]) {
    t.throws(() => new Backoff(options), { code: 'ERR_SESSION_OPTION_INVALID' })
  }
})

test('it persists until it works', async (t) => {
  const clock = new SimulatedClock()
  const backoff = new Backoff({ minDelay: 100, jitter: 0 })
  const times: number[] = []
  const open = async (attempt: number): Promise<void> => {
    times.push(clock.elapsed())
    if (attempt < 4) throw new Error('not yet')
  }
  const done = persist(open, { clock, backoff, wait: 10_000, signal: new AbortController().signal })
  await clock.advance(10_000)
  await done
  t.deepEqual(times, [0, 100, 300, 700])
})

test('a silence is noticed, and at most a quarter late', async (t) => {
  const clock = new SimulatedClock()
  let silent = -1
  const watchdog = new Watchdog(clock, 1000, () => {
    silent = clock.elapsed()
  })
  for (let n = 0; n < 30; n++) {
    await clock.advance(100)
    watchdog.touch()
  }
  t.is(silent, -1)
  await clock.advance(5000)
  t.true(silent >= 4000 && silent <= 4250)
  t.is(clock.pending, 0)
})

test('a stopped watchdog is quiet', async (t) => {
  const clock = new SimulatedClock()
  const watchdog = new Watchdog(clock, 1000, () => t.fail())
  await clock.advance(900)
  watchdog.stop()
  await clock.advance(5000)
  t.is(clock.pending, 0)
})
