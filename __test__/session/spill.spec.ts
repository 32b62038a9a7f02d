import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import fc from 'fast-check'
import {
  type Batch,
  Block,
  COLUMN,
  MeasurementBatch,
  SignalTable,
  type TableBatch,
  TableBuilder,
} from '../../ts/batch/index.js'
import type { Ready } from '../../ts/session/delivery.js'
import { Spill } from '../../ts/session/spill.js'

function measurements(first: number, rows: number, capacity = 8): MeasurementBatch {
  const block = new Block(capacity, COLUMN.seq)
  for (let row = 0; row < rows; row++) {
    block.time[row] = BigInt(first + row)
    block.value[row] = first + row
    block.signal[row] = row
    block.flags[row] = 0xffff_ffff
    block.seq[row] = BigInt(first)
  }
  block.count = rows
  block.present = COLUMN.seq
  return new MeasurementBatch(block, new SignalTable(), 'f32')
}

function ready<B extends Batch>(batch: B, released: B[] = []): Ready<B> {
  return { batch, rows: batch.length, bytes: 1, release: () => released.push(batch) }
}

const bytesOf = (batch: Batch): unknown =>
  batch.columns().map(({ field, nullCount, items, buffers }) => ({
    field,
    nullCount,
    items: items?.length,
    buffers: buffers.map((buffer) => Buffer.from(buffer).toString('hex')),
  }))

test('a batch of measurements comes back as it was, and gives its memory back at once', (t) => {
  const spill = new Spill()
  const batch = measurements(7, 5)
  const before = bytesOf(batch)
  const released: MeasurementBatch[] = []
  const kept = spill.keep(ready(batch, released))
  t.deepEqual(released, [batch])
  batch.block.bytes.fill(0)
  t.true(spill.bytes > 0)
  t.is(kept?.rows, 5)
  t.is(kept?.bytes, 0)
  const back = kept?.batch as MeasurementBatch
  t.true(back instanceof MeasurementBatch)
  t.deepEqual(bytesOf(back), before)
  t.is(back.signals, batch.signals)
  kept?.release()
  t.is(spill.bytes, 0)
  spill.close()
})

test('the block of a batch that was read back serves the next one', (t) => {
  const spill = new Spill()
  const kept = [1, 2, 3].map((first) => spill.keep(ready(measurements(first, 8))))
  const blocks = kept.map((each) => {
    const { block } = (each as NonNullable<typeof each>).batch
    each?.release()
    return block
  })
  t.is(new Set(blocks).size, 1)
  spill.close()
})

test('a batch of a cold table comes back with texts, nulls and lists', (t) => {
  const builder = new TableBuilder('record')
  builder.push({
    run: 'run_1',
    sender: 'A.B',
    kind: 0,
    seq: 2n ** 63n,
    time: 5n,
    rx: 6n,
    condition: 1,
    tags: Uint8Array.of(0x80),
    blocks: [Uint8Array.of(1, 2, 3), Uint8Array.of()],
    begin_ps: 9n,
  })
  builder.push({
    run: 'run_1',
    sender: 'A.B',
    kind: 0,
    seq: 3n,
    time: 5n,
    rx: 6n,
    condition: 1,
    tags: Uint8Array.of(),
    blocks: [],
  })
  const batch = builder.finish()
  const spill = new Spill()
  const kept = spill.keep<TableBatch>(ready(batch))
  t.deepEqual(bytesOf(kept?.batch as Batch), bytesOf(batch))
  t.is(kept?.batch.table, 'record')
  spill.close()
})

test('a batch of a cold table that waits on disk is not in memory too', async (t) => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const spill = new Spill()
  const keep = () => {
    const builder = new TableBuilder('event')
    builder.push({ stream: 's', schema_version: '1', rx: 1n, payload: 'x'.repeat(1000) })
    const batch = builder.finish()
    return { kept: spill.keep<TableBatch>(ready(batch)), before: bytesOf(batch), weak: new WeakRef(batch) }
  }
  const { kept, before, weak } = keep()
  for (let round = 0; round < 4; round++) {
    await new Promise((resolve) => setImmediate(resolve))
    collect()
  }
  t.is(weak.deref(), undefined)
  t.deepEqual(bytesOf(kept?.batch as Batch), before)
  spill.close()
})

test('whatever is kept and taken in turn comes back in order, within the bytes that it may have', (t) => {
  const size = measurements(0, 1).block.bytes.length
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 60 }), fc.integer({ min: 1, max: 5 }), (steps, room) => {
      const spill = new Spill({ maxBytes: size * room + size / 2 })
      const waiting: { first: number; kept: NonNullable<ReturnType<typeof spill.keep<MeasurementBatch>>> }[] = []
      steps.forEach((isKeeping, step) => {
        if (isKeeping) {
          const kept = spill.keep(ready(measurements(step, 3)))
          if (kept === undefined) t.is(waiting.length, room)
          else waiting.push({ first: step, kept })
          return
        }
        const oldest = waiting.shift()
        if (oldest === undefined) return
        t.deepEqual([...oldest.kept.batch.value], [oldest.first, oldest.first + 1, oldest.first + 2])
        oldest.kept.release()
      })
      t.is(spill.bytes, waiting.length * size)
      spill.close()
    }),
  )
})

test('a batch larger than all room is not kept and stays with its owner', (t) => {
  const spill = new Spill({ maxBytes: 100 })
  const released: MeasurementBatch[] = []
  t.is(spill.keep(ready(measurements(0, 8), released)), undefined)
  t.deepEqual(released, [])
})

test('a directory that cannot be written is told once, and batches stay in memory', (t) => {
  const faults: (string | undefined)[] = []
  const onFault = (error: NodeJS.ErrnoException): void => void faults.push(error.code)
  const spill = new Spill({ directory: join(tmpdir(), 'there', 'is', 'no', 'such'), onFault })
  t.is(spill.keep(ready(measurements(0, 1))), undefined)
  t.is(spill.keep(ready(measurements(1, 1))), undefined)
  t.deepEqual(faults, ['ENOENT'])
})

test('no file is left in the directory', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'measurand-spill-'))
  const spill = new Spill({ directory })
  spill.keep(ready(measurements(0, 1)))
  t.deepEqual(await readdir(directory), [])
  spill.close()
  await rm(directory, { recursive: true })
})
