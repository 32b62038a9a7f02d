import { tableFromIPC, tableToIPC } from 'apache-arrow'
import test from 'ava'
import { Block, COLUMN, MeasurementBatch, TIME_UNKNOWN } from '../../ts/batch/index.js'

function sample(): MeasurementBatch {
  const block = new Block(4, COLUMN.rawTime)
  block.time.set([1_704_067_200_000_000_001n, TIME_UNKNOWN, -1n])
  block.value.set([1.5, Number.NaN, -0])
  block.signal.set([0, 7, 4_294_967_295])
  block.flags.set([0, 1, 0x8000_0000])
  block.rawTime.set([1n, 2n, 2n ** 64n - 1n])
  block.count = 3
  block.nulls = COLUMN.time
  block.present = COLUMN.rawTime
  return new MeasurementBatch(block, undefined, 'f32')
}

test('rows are made on demand and an unknown time is null', (t) => {
  t.deepEqual(
    [...sample()],
    [
      { time: 1_704_067_200_000_000_001n, value: 1.5, signal: 0, flags: 0 },
      { time: null, value: Number.NaN, signal: 7, flags: 1 },
      { time: -1n, value: -0, signal: 4_294_967_295, flags: 0x8000_0000 },
    ],
  )
})

test('timeMs is the double nearest to the time, NaN where it is not known', (t) => {
  t.deepEqual([...sample().timeMs], [1_704_067_200_000, Number.NaN, -1e-6])
})

test('columns that no row needs are not there', (t) => {
  const batch = sample()
  t.is(batch.seq, undefined)
  t.deepEqual(
    batch.columns().map((column) => column.field.name),
    ['time', 'value', 'signal', 'flags', 'raw_time'],
  )
})

test('a copy keeps its rows when the block is used again', (t) => {
  const batch = sample()
  const copy = batch.copy()
  const before = [...copy]
  batch.block.clear()
  batch.block.value.fill(99)
  t.deepEqual([...copy], before)
  t.deepEqual([...(copy.rawTime as BigUint64Array)], [1n, 2n, 2n ** 64n - 1n])
})

test('apache-arrow reads the same rows, through its own file format too', async (t) => {
  const table = tableFromIPC(tableToIPC(await sample().toArrow()))
  t.is(table.numRows, 3)
  t.deepEqual([...(table.getChild('raw_time') ?? [])], [1n, 2n, 2n ** 64n - 1n])
  const time = table.getChild('time')?.data[0]
  t.is(time?.nullCount, 1)
  t.is(time?.values[0], 1_704_067_200_000_000_001n)
  t.deepEqual([...(table.getChild('value') ?? [])], [1.5, Number.NaN, -0])
  t.deepEqual([...(table.getChild('flags') ?? [])], [0, 1, 0x8000_0000])
  t.is(table.schema.fields[0]?.metadata.get('clock'), 'utc')
  t.is(table.schema.fields[1]?.metadata.get('wire'), 'f32')
})
