import test from 'ava'
import fc from 'fast-check'
import { nsToSeconds, nsToTicks, secondsToNs, TIME_UNKNOWN, ticksToNs } from '../../ts/batch/index.js'

test('ticks and nanoseconds convert exactly', (t) => {
  t.is(ticksToNs(638_396_640_000_000_000n), 1_704_067_200_000_000_000n)
  t.is(nsToTicks(1_704_067_200_000_000_199n), 638_396_640_000_000_001n)
  t.is(ticksToNs(0n), TIME_UNKNOWN)
})

test('present-day doubles come back from nanoseconds', (t) => {
  fc.assert(
    fc.property(fc.double({ min: 1e9, max: 4e9, noNaN: true }), (seconds) => {
      t.is(nsToSeconds(secondsToNs(seconds)), seconds)
    }),
  )
})
