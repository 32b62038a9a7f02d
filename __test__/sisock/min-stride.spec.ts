import test from 'ava'
import fc from 'fast-check'
import { extremeRows, lowerBound, pick, strideRows } from '../../ts/sisock/min-stride.js'

const ascending = fc
  .array(fc.double({ min: 0, max: 100, noNaN: true }), { maxLength: 200 })
  .map((values) => Float64Array.from(values).sort())

test('successive samples are at least the stride apart, and no sample that could stay is missing', (t) => {
  fc.assert(
    fc.property(ascending, fc.double({ min: 0.01, max: 50, noNaN: true }), (times, stride) => {
      const rows = strideRows(times, stride)
      if (times.length > 0) t.is(rows[0], 0)
      for (let index = 1; index < rows.length; index++) {
        const [before, at] = [rows[index - 1] as number, rows[index] as number]
        t.true((times[at] as number) - (times[before] as number) >= stride - 1e-9)
        if (at - before > 1) t.true((times[at - 1] as number) - (times[before] as number) < stride)
      }
    }),
  )
})

test('times that are not exact in binary are not pushed a sample on', (t) => {
  const times = Float64Array.from({ length: 6000 }, (_, k) => (17_000_000_000 + k) / 10)
  t.is(strideRows(times, 30).length, 20)
  t.is(strideRows(times, 0.1).length, 6000)
})

test('no stride, and one of 0, keep everything', (t) => {
  t.deepEqual([...strideRows([1, 2, 3], null)], [0, 1, 2])
  t.deepEqual([...strideRows([1, 2, 3], 0)], [0, 1, 2])
  t.deepEqual([...strideRows([1, 2, 3], Number.NaN)], [0, 1, 2])
})

test('the least and the greatest value of every stride stay', (t) => {
  fc.assert(
    fc.property(
      ascending,
      fc.double({ min: 0.5, max: 50, noNaN: true }),
      fc.infiniteStream(fc.integer()),
      (times, stride, stream) => {
        const values = Float64Array.from(times, () => stream.next().value)
        const kept = pick(values, extremeRows(times, values, stride))
        t.is(Math.max(...kept), Math.max(...values))
        t.is(Math.min(...kept), Math.min(...values))
      },
    ),
  )
  t.deepEqual([...extremeRows([0, 1, 2, 3], [5, null, 9, 1], 4)], [2, 3])
})

test('the first row at or behind a time', (t) => {
  t.deepEqual(
    [0, 1, 1.5, 3, 4].map((time) => lowerBound([1, 2, 3], time)),
    [0, 0, 1, 2, 3],
  )
})
