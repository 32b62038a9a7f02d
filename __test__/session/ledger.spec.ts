import test from 'ava'
import fc from 'fast-check'
import { isRecovered, Ledger, type LossRecord } from '../../ts/session/ledger.js'

const clock = { now: () => 1_700_000_000_000_000_001n }

test('a record says what is known and null for the rest', (t) => {
  const ledger = new Ledger('s', clock)
  ledger.add({ cause: 'wire', signal: 3, firstSeq: 2n ** 63n, lastSeq: 2n ** 63n + 1n, from: -1n, to: 5n, count: 2 })
  ledger.add({ cause: 'decoder', bytes: 17 })
  t.deepEqual(JSON.parse(JSON.stringify(ledger)), [
    {
      id: 1,
      source: 's',
      signal: 3,
      firstSeq: '9223372036854775808',
      lastSeq: '9223372036854775809',
      from: '-1',
      to: '5',
      count: 2,
      bytes: null,
      cause: 'wire',
      at: '1700000000000000001',
      recovered: 0,
    },
    {
      id: 2,
      source: 's',
      signal: null,
      firstSeq: null,
      lastSeq: null,
      from: null,
      to: null,
      count: null,
      bytes: 17,
      cause: 'decoder',
      at: '1700000000000000001',
      recovered: 0,
    },
  ])
})

test('recovered rows close their record', (t) => {
  const ledger = new Ledger('s', clock)
  const id = ledger.add({ cause: 'wire', count: 5 })
  ledger.recover(id, 3)
  t.deepEqual(ledger.totals, { records: 1, missing: 5, recovered: 3, open: 1 })
  ledger.recover(id, 2)
  t.deepEqual(ledger.totals, { records: 1, missing: 5, recovered: 5, open: 0 })
  t.throws(() => ledger.recover(99, 1), { instanceOf: RangeError })
})

test('a gap goes on in the next number of its own run only', (t) => {
  const ledger = new Ledger('s', clock)
  const add = (run: string | undefined, firstSeq: bigint): number =>
    ledger.add({ cause: 'wire', firstSeq, lastSeq: firstSeq, count: 1, ...(run === undefined ? {} : { run }) })
  t.deepEqual(
    [add('a', 1n), add('a', 2n), add('b', 3n), add('b', 4n), add(undefined, 5n), add(undefined, 6n)],
    [1, 1, 2, 2, 3, 3],
  )
  t.false(JSON.stringify(ledger).includes('run'))
})

test('a record of unknown size is open until its size is known', (t) => {
  const ledger = new Ledger('s', clock)
  const id = ledger.add({ cause: 'disconnect', from: 10n })
  ledger.recover(id, 4)
  t.is(ledger.totals.open, 1)
  ledger.complete(id, { to: 20n, count: 4 })
  t.deepEqual(ledger.totals, { records: 1, missing: 4, recovered: 4, open: 0 })
  t.like(ledger.at(id), { from: 10n, to: 20n, count: 4 })
})

test('adjacent gaps of one signal and cause become one record', (t) => {
  const ledger = new Ledger('s', clock)
  const wire = (signal: number, first: bigint, last: bigint): number =>
    ledger.add({ cause: 'wire', signal, firstSeq: first, lastSeq: last, count: Number(last - first) + 1, to: last })
  const id = wire(1, 10n, 12n)
  t.not(wire(2, 13n, 14n), id)
  t.is(wire(1, 13n, 14n), id)
  t.like(ledger.at(id), { firstSeq: 10n, lastSeq: 14n, count: 5, to: 14n })
  t.not(wire(1, 16n, 16n), id)
  t.is(ledger.totals.records, 3)
})

test('a record of which rows came is not widened', (t) => {
  const ledger = new Ledger('s', clock)
  const id = ledger.add({ cause: 'wire', firstSeq: 1n, lastSeq: 1n, count: 1 })
  ledger.recover(id, 1)
  t.not(ledger.add({ cause: 'wire', firstSeq: 2n, lastSeq: 2n, count: 1 }), id)
})

test('a full ledger gets coarser and stays complete', (t) => {
  const ledger = new Ledger('s', clock, 2)
  for (let seq = 0n; seq < 10n; seq++) {
    ledger.add({ cause: 'wire', firstSeq: seq * 3n, lastSeq: seq * 3n + 1n, count: 2 })
  }
  t.deepEqual(ledger.totals, { records: 2, missing: 20, recovered: 0, open: 2 })
  t.like(ledger.at(2), { firstSeq: 3n, lastSeq: 28n, count: 18 })
  ledger.add({ cause: 'wire' })
  t.is(ledger.at(2)?.count, null)
})

test('a record grows by what is lost in the same way', (t) => {
  const ledger = new Ledger('s', clock)
  const id = ledger.add({ cause: 'queue', from: 1n, to: 2n, count: 2, bytes: 10 })
  ledger.grow(id, { from: 3n, to: 4n, count: 3, bytes: 5 })
  t.like(ledger.at(id), { from: 1n, to: 4n, count: 5, bytes: 15 })
  t.is(ledger.totals.missing, 5)
})

test('whoever listens hears of every change', (t) => {
  const ledger = new Ledger('s', clock)
  const heard: [number, number][] = []
  const stop = ledger.onChange((record: LossRecord) => heard.push([record.id, record.recovered]))
  const id = ledger.add({ cause: 'queue', count: 1 })
  ledger.recover(id, 1)
  stop()
  ledger.add({ cause: 'queue', count: 1 })
  t.deepEqual(heard, [
    [1, 0],
    [1, 1],
  ])
})

test('sums are those of the gaps, however they merge', (t) => {
  const gap = fc.record({ signal: fc.nat(2), first: fc.nat(50), rows: fc.integer({ min: 1, max: 5 }) })
  fc.assert(
    fc.property(fc.array(gap), fc.integer({ min: 1, max: 20 }), (gaps, limit) => {
      const ledger = new Ledger('s', clock, limit)
      for (const { signal, first, rows } of gaps) {
        ledger.add({ cause: 'wire', signal, firstSeq: BigInt(first), lastSeq: BigInt(first + rows - 1), count: rows })
      }
      const expected = gaps.reduce((sum, { rows }) => sum + rows, 0)
      t.is(ledger.totals.missing, expected)
      t.is(
        [...ledger].reduce((sum, record) => sum + (record.count ?? 0), 0),
        expected,
      )
      t.is(ledger.totals.open, [...ledger].filter((record) => !isRecovered(record)).length)
    }),
  )
})
