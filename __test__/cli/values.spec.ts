import test from 'ava'
import fc from 'fast-check'
import { formatBytes, formatTime, jsonNumber, parseBytes, parseCount, parseDuration } from '../../ts/cli/values.js'

test('durations', (t) => {
  for (const [text, ms] of [
    ['250ms', 250],
    ['30s', 30_000],
    ['30', 30_000],
    ['1.5h', 5_400_000],
    ['10m', 600_000],
    ['2d', 172_800_000],
    ['0', 0],
  ] as const) {
    t.is(parseDuration('duration', text), ms)
  }
  for (const text of ['', 's', '-1s', '1 s', '1y', '1e3', 'NaN']) {
    t.throws(() => parseDuration('duration', text), { code: 'ERR_CLI_OPTION_INVALID' })
  }
})

test('sizes', (t) => {
  for (const [text, bytes] of [
    ['0', 0],
    ['1000', 1000],
    ['64MiB', 2 ** 26],
    ['1.5GiB', 1.5 * 2 ** 30],
    ['1TiB', 2 ** 40],
  ] as const) {
    t.is(parseBytes('spill-limit', text), bytes)
  }
  for (const text of ['', 'MiB', '-1MiB', '1MB', '1 GiB', '1e3']) {
    t.throws(() => parseBytes('spill-limit', text), { code: 'ERR_CLI_OPTION_INVALID' })
  }
})

test('counts', (t) => {
  t.is(parseCount('limit', '1_000,000'), 1_000_000)
  for (const text of ['', '-1', '1.5', '0x10', '1e3', '99999999999999999999', '_1']) {
    t.throws(() => parseCount('limit', text), { code: 'ERR_CLI_OPTION_INVALID' })
  }
})

test('a time is text with all its ns, before 1970 too', (t) => {
  t.is(formatTime(0n), '1970-01-01T00:00:00.000000000Z')
  t.is(formatTime(-1n), '1969-12-31T23:59:59.999999999Z')
  t.is(formatTime(1_704_067_200_123_456_789n), '2024-01-01T00:00:00.123456789Z')
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n) + 1n, max: 2n ** 63n - 1n }), (time) => {
      const text = formatTime(time)
      const ns = BigInt(Date.parse(`${text.slice(0, -11)}Z`)) * 1_000_000n + BigInt(text.slice(-10, -1))
      t.is(ns, time)
    }),
  )
})

test('bytes and numbers', (t) => {
  t.deepEqual([0, 1023, 1024, 10_240, 5e12].map(formatBytes), ['0 B', '1023 B', '1.0 KiB', '10 KiB', '4.5 TiB'])
  t.deepEqual([1.5, Number.NaN, -Infinity].map(jsonNumber), [1.5, 'NaN', '-Infinity'])
})
