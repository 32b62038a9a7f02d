import test from 'ava'
import fc from 'fast-check'
import { formatTime } from '../../ts/cli/values.js'
import { parseTime } from '../../ts/ingest/time-text.js'

test('times as people write them', (t) => {
  for (const [text, ns] of [
    ['1970-01-01', 0n],
    ['2024-01-01T00:00:00Z', 1_704_067_200_000_000_000n],
    ['2024-01-01 00:00', 1_704_067_200_000_000_000n],
    ['2024-01-01T01:00:00.5+01:00', 1_704_067_200_500_000_000n],
    ['2024-01-01T00:00:00.000000001z', 1_704_067_200_000_000_001n],
    ['1704067200000000001', 1_704_067_200_000_000_001n],
    ['-1000000', -1_000_000n],
  ] as const) {
    t.is(parseTime('since', text), ns, text)
  }
})

test('what is no time is refused', (t) => {
  for (const text of [
    '',
    'yesterday',
    '2024',
    '2024-13-01',
    '2024-02-30',
    '2024-01-01T25:00',
    '2024-01-01T00:00:00.0000000001Z',
  ]) {
    t.throws(() => parseTime('since', text), { code: 'ERR_INGEST_OPTION_INVALID' }, text)
  }
})

test('what is printed is read back', (t) => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 62n), max: 2n ** 63n - 1n }), (time) => {
      t.is(parseTime('since', formatTime(time)), time)
    }),
  )
})
