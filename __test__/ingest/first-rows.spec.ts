import test from 'ava'
import fc from 'fast-check'
import { Block, MeasurementBatch, type Row, TableBuilder, TIME_UNKNOWN } from '../../ts/batch/index.js'
import { FirstRows } from '../../ts/ingest/first-rows.js'

const text = fc.option(fc.string({ maxLength: 5 }), { nil: undefined })
const event = fc.record({
  stream: fc.string({ maxLength: 4 }),
  schema_version: fc.constant('1'),
  offset: fc.option(fc.nat(), { nil: undefined }),
  rx: fc.bigInt({ min: 0n, max: 9n }),
  group: text,
  payload: fc.string(),
})
const record = fc.record({
  run: fc.constant('r'),
  sender: fc.string({ maxLength: 3 }),
  kind: fc.nat(2),
  seq: fc.nat(),
  time: fc.option(fc.bigInt({ min: 0n, max: 99n }), { nil: null }),
  rx: fc.constant(1n),
  condition: fc.nat(65_535),
  tags: fc.uint8Array({ maxLength: 4 }),
  blocks: fc.array(fc.uint8Array({ maxLength: 4 }), { maxLength: 3 }),
})

for (const [table, row] of [
  ['event', event],
  ['record', record],
] as const) {
  test(`the first rows of a batch are those of a batch of the first rows (${table})`, (t) => {
    fc.assert(
      fc.property(fc.array(row as fc.Arbitrary<Row>, { minLength: 1, maxLength: 12 }), fc.nat(12), (rows, cutAt) => {
        const build = (some: readonly Row[]): TableBuilder => {
          const builder = new TableBuilder(table)
          for (const one of some) builder.push(one)
          return builder
        }
        const first = new FirstRows(build(rows).finish(), cutAt)
        const expected = build(rows.slice(0, cutAt)).finish()
        t.is(first.length, expected.length)
        const kept = first.copy()
        for (const column of expected.columns()) {
          for (const got of [first, kept]) {
            const same = got.columns().find(({ field }) => field.name === column.field.name)
            t.is(same?.nullCount, column.nullCount)
            t.is(same?.items?.length, column.items?.length)
            for (const [index, buffer] of column.buffers.entries()) {
              // A bitmap without nulls may be left out.
              if (index === 0 && column.nullCount === 0) continue
              if (index === 0) t.deepEqual(bits(same?.buffers[0], first.length), bits(buffer, first.length))
              else t.deepEqual([...(same?.buffers[index] ?? [])], [...buffer])
            }
          }
        }
      }),
    )
  })
}

test('the first rows of measurements', (t) => {
  const block = new Block(5)
  block.time.set([1n, TIME_UNKNOWN, 3n, TIME_UNKNOWN, 5n])
  block.value.set([1, 2, 3, 4, 5])
  block.count = 5
  block.nulls = 1
  const first = new FirstRows(new MeasurementBatch(block), 3)
  const [time, value] = first.columns()
  t.is(time?.nullCount, 1)
  t.is(value?.buffers[1]?.length, 24)
  t.is(new FirstRows(new MeasurementBatch(block), 9).length, 5)
})

function bits(bytes: Uint8Array | undefined, rows: number): number[] {
  return Array.from({ length: rows }, (_, row) => ((bytes?.[row >> 3] ?? 0) >> (row & 7)) & 1)
}
