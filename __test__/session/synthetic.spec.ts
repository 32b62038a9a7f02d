import test from 'ava'
import fc from 'fast-check'
import { courseOf, OptionValues, SYNTHETIC_T0, SyntheticTimes, syntheticValue } from '../../ts/session/index.js'

test('frame n is at t0 + floor(n * 10^9 / rate), exactly, however late', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 40 }), fc.integer({ min: 1, max: 2_000_000 }), (n, rate) => {
      const times = new SyntheticTimes({ rate })
      const since = (BigInt(n) * 1_000_000_000n) / BigInt(rate)
      t.is(times.timeOf(n), SYNTHETIC_T0 + since)
      if (since <= BigInt(Number.MAX_SAFE_INTEGER)) t.is(times.since(n), Number(since))
    }),
  )
})

test('a period counts in ns, a rate of three decimals in its own parts', (t) => {
  t.is(new SyntheticTimes({ periodNs: 33_333_300n, t0: 0n }).timeOf(3), 99_999_900n)
  t.is(new SyntheticTimes({ periodNs: 500n }).rate, 2_000_000)
  t.is(new SyntheticTimes({ rate: 59.94, t0: 0n }).timeOf(5994), 100_000_000_000n)
})

test('values are exact in float32', (t) => {
  fc.assert(fc.property(fc.nat(), fc.nat(), (k, n) => t.is(Math.fround(syntheticValue(k, n)), syntheticValue(k, n))))
  t.is(syntheticValue(3, 5), 3001.25)
})

test('a course is what its options say', (t) => {
  const course = (options: Record<string, string>) =>
    courseOf(new OptionValues(new Map(Object.entries(options)), (text) => new RangeError(text)), 512)
  t.deepEqual(course({}), {
    times: { rate: 512, t0: SYNTHETIC_T0 },
    isMax: false,
    frames: Number.POSITIVE_INFINITY,
  })
  t.deepEqual(course({ rate: 'max', nominal: '60', frames: '9', t0: '7' }), {
    times: { rate: 60, t0: 7n },
    isMax: true,
    frames: 9,
  })
  t.deepEqual(course({ period: '100' }).times, { periodNs: 100n, t0: SYNTHETIC_T0 })
  t.throws(() => course({ rate: '0' }), { message: '--rate takes a number from 0.001, not 0' })
})
