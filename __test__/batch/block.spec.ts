import test from 'ava'
import { Block, BlockRing, COLUMN } from '../../ts/batch/index.js'

test('columns lie 64-byte aligned behind the header, in the table order', (t) => {
  const block = new Block(5, COLUMN.idx | COLUMN.rawTime)
  const offsets = [block.time, block.value, block.signal, block.flags, block.idx, block.rawTime].map(
    (c) => c.byteOffset,
  )
  t.deepEqual(offsets, [64, 128, 192, 256, 320, 384])
  t.is(block.bytes.length, 448)
  t.is(block.seq.length, 0)
  t.is(block.count, 0)
})

test('a capacity that is no count of rows is refused', (t) => {
  for (const capacity of [0, -1, 1.5, Number.NaN, 2 ** 25]) {
    t.throws(() => new Block(capacity), { instanceOf: RangeError })
  }
})

test('a ring gives each block once and none while all are out', (t) => {
  const ring = new BlockRing(2, 4)
  const first = ring.take() as Block
  const second = ring.take() as Block
  t.not(first, second)
  t.is(ring.take(), undefined)
  first.count = 3
  ring.give(first)
  t.is(ring.take(), first)
  t.is(first.count, 0)
})
