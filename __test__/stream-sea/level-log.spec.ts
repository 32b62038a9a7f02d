import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Gathering } from '../../ts/stream-sea/codec.js'
import { LevelLog } from '../../ts/stream-sea/level-log.js'

const STREAM = 1

async function folder(t: ExecutionContext): Promise<string> {
  const data = await mkdtemp(join(tmpdir(), 'stream-sea-'))
  t.teardown(() => rm(data, { recursive: true, force: true }))
  return data
}

/** Appends publishes of so many messages, a commit each. */
async function append(log: LevelLog, time: number, ...counts: number[]): Promise<number> {
  let bytes = 0
  for (const count of counts) {
    const gathering = new Gathering()
    gathering.append(
      Buffer.from(JSON.stringify({ payload: Array.from({ length: count }, (_, n) => ({ n })) })),
      undefined,
    )
    const packed = gathering.pack(0)
    bytes += packed.length
    await log.commit([], [{ stream: STREAM, publishes: [{ count, key: undefined }], packed, time }])
  }
  return bytes
}

/** Closes a log, and where its stream is when it is opened again. */
async function reopened(t: ExecutionContext, log: LevelLog, data: string) {
  await log.close()
  const again = await LevelLog.open(data)
  t.teardown(() => again.close())
  return { again, state: await again.open(STREAM) }
}

test('where a stream is comes out of its entries, whether or not it was kept', async (t) => {
  const data = await folder(t)
  const log = await LevelLog.open(data)
  t.deepEqual(await log.open(STREAM), { start: 0, next: 0, bytes: 0, time: 0 })
  const bytes = await append(log, 7, 1, 20, 3)
  const state = { start: 0, next: 24, bytes, time: 7 }
  t.deepEqual(await log.state(STREAM), state)
  const first = await reopened(t, log, data)
  t.deepEqual(first.state, state)
  // Kept by a commit without messages, and more behind it.
  await first.again.commit([], [{ stream: STREAM, publishes: [], packed: Buffer.alloc(0), time: 8 }])
  const more = await append(first.again, 9, 5, 1)
  const second = await reopened(t, first.again, data)
  t.deepEqual(second.state, { start: 0, next: 30, bytes: bytes + more, time: 9 })
})

test('a long stream is not read from its start when it is opened', async (t) => {
  const data = await folder(t)
  const log = await LevelLog.open(data)
  await log.open(STREAM)
  const bytes = await append(log, 1, ...Array.from({ length: 1100 }, () => 100))
  t.not(await log.get(`p!${STREAM}`), undefined)
  const { state } = await reopened(t, log, data)
  t.deepEqual(state, { start: 0, next: 110_000, bytes, time: 1 })
})

test('what was let go of is kept with it; a kill in between is made good when the stream is opened', async (t) => {
  const data = await folder(t)
  const log = await LevelLog.open(data)
  await log.open(STREAM)
  await append(log, 1, 10, 10)
  const left = await append(log, 2, 10)
  await log.trim(STREAM, 25)
  const state = { start: 20, next: 30, bytes: left, time: 2 }
  t.deepEqual(await log.state(STREAM), state)
  const first = await reopened(t, log, data)
  t.deepEqual(first.state, state)
  const stale = (next: number) => [
    { type: 'put', key: `p!${STREAM}`, value: JSON.stringify({ start: 0, next, bytes: 12_345, time: 2 }) } as const,
  ]
  await first.again.commit(stale(30), [])
  const second = await reopened(t, first.again, data)
  t.deepEqual(second.state, state)
  await second.again.trim(STREAM, 30)
  const empty = { start: 30, next: 30, bytes: 0, time: 2 }
  t.deepEqual(await second.again.state(STREAM), empty)
  await second.again.commit(stale(30), [])
  const third = await reopened(t, second.again, data)
  t.deepEqual(third.state, empty)
  await append(third.again, 3, 1)
  t.is((await third.again.read(STREAM, 0, 1))[0]?.first, 30)
})
