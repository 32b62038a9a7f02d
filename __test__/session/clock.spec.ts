import { mock } from 'node:test'
import test from 'ava'
import { SimulatedClock, sleep, systemClock } from '../../ts/session/clock.js'

test('timers run in order of their time, and of their making at equal times', async (t) => {
  const clock = new SimulatedClock(0n)
  const ran: string[] = []
  const note = (name: string): (() => void) => {
    return () => ran.push(`${name}@${clock.elapsed()}`)
  }
  clock.after(30, note('c'))
  clock.after(10, note('a'))
  clock.after(10, note('b'))
  clock.after(50, note('never'))
  clock.after(20, note('cancelled')).cancel()
  await clock.advance(40)
  t.deepEqual(ran, ['a@10', 'b@10', 'c@30'])
  t.is(clock.now(), 40_000_000n)
  t.is(clock.pending, 1)
})

test('a timer that a timer sets runs in the same advance, behind what promises did', async (t) => {
  const clock = new SimulatedClock()
  const ran: number[] = []
  const loop = async (): Promise<void> => {
    for (let turn = 0; turn < 3; turn++) {
      await sleep(clock, 1000)
      ran.push(clock.elapsed())
    }
  }
  const done = loop()
  await clock.advance(10_000)
  await done
  t.deepEqual(ran, [1000, 2000, 3000])
})

test('a sleep ends by its signal', async (t) => {
  const clock = new SimulatedClock()
  const abort = new AbortController()
  const slept = sleep(clock, 1000, abort.signal)
  abort.abort()
  await t.throwsAsync(slept, { code: 'ERR_SESSION_ABORTED' })
  t.is(clock.pending, 0)
  await t.throwsAsync(sleep(clock, 1, abort.signal), { code: 'ERR_SESSION_ABORTED' })
})

test('the machine’s time is that of Date to the millisecond, in ns', (t) => {
  for (let call = 0; call < 10_000; call++) {
    const before = BigInt(Date.now())
    const now = systemClock.now() / 1_000_000n
    t.true(now >= before && now <= BigInt(Date.now()))
  }
  t.true(new Set(Array.from({ length: 100 }, () => systemClock.now())).size > 50)
})

test('the machine’s clock waits longer than a timer of Node’s can', (t) => {
  const waits: { call: () => void; ms: number }[] = []
  const wait = (call: () => void, ms: number) => waits.push({ call, ms })
  const { mock: timer } = mock.method(globalThis, 'setTimeout', wait as never)
  try {
    const month = 31 * 86_400_000
    let ran = 0
    systemClock.after(month, () => ran++)
    waits[0]?.call()
    t.is(ran, 0)
    waits[1]?.call()
    t.is(ran, 1)
    t.is(waits.length, 2)
    t.true(waits.every(({ ms }) => ms <= 0x7fff_ffff))
    t.is(
      waits.reduce((sum, { ms }) => sum + ms, 0),
      month,
    )
  } finally {
    timer.restore()
  }
})
