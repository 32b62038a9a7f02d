import test from 'ava'
import { SIGNALS, World } from './recovery-world.js'

/** Bytes of a data packet's frame in front of its measurements: length, response, command, length, flags, count. */
const HEAD_BYTES = 15
/** Times are counted from base times. */
const COMPACT_BYTES = 13

test('a TSSC packet that never came: it, and what could not be decoded behind it, are fetched back', async (t) => {
  const world = await World.open(t)
  let packet = 0
  world.link.tamper = (frame) => (packet++ === 3 ? undefined : frame)
  await world.publish(200)
  t.is(world.subscriber.stats.reconnects, 0)
  world.assertWhole(t)
  const [missing, undecodable, ...more] = world.subscriber.ledger
  t.is(more.length, 0)
  t.deepEqual(
    [missing?.cause, missing?.firstSeq, missing?.lastSeq, missing?.count, missing?.recovered],
    ['wire', 13n, 13n, SIGNALS, SIGNALS],
  )
  t.is(undecodable?.cause, 'decoder')
  t.true((undecodable?.count ?? 0) > 30 * SIGNALS)
  t.is(undecodable?.recovered, undecodable?.count ?? -1)
  t.is(world.subscriber.stats.lost, SIGNALS)
})

test('a TSSC packet that is damaged is fetched back with what follows', async (t) => {
  const world = await World.open(t)
  let packet = 0
  world.link.tamper = (frame) => {
    if (packet++ === 3) frame.fill(0, HEAD_BYTES + 3)
    return frame
  }
  await world.publish(200)
  world.assertWhole(t)
  t.true([...world.subscriber.ledger].every(({ cause }) => cause === 'decoder'))
})

test('a compact packet whose end is missing: its bytes become counted rows', async (t) => {
  const world = await World.open(t, { settings: { encoding: 'compact' } })
  let packet = 0
  world.link.tamper = (frame) => {
    if (packet++ !== 3) return frame
    const cut = Buffer.from(frame.subarray(0, HEAD_BYTES + 2 * COMPACT_BYTES + 5))
    cut.writeUInt32BE(cut.length - 4, 0)
    return cut
  }
  await world.publish(200)
  world.assertWhole(t)
  const [gap, ...more] = world.subscriber.ledger
  t.deepEqual([gap?.cause, gap?.count, more.length], ['decoder', SIGNALS - 2, 0])
})

test('measurements of a signal that the cache does not have are fetched back by the history’s own cache', async (t) => {
  const world = await World.open(t, { settings: { encoding: 'compact' } })
  let packet = 0
  world.link.tamper = (frame) => {
    const wanted = packet++
    if (wanted === 3 || wanted === 5 || wanted === 7) frame.writeInt32BE(4000, HEAD_BYTES + 1)
    return frame
  }
  await world.publish(200)
  world.assertWhole(t)
  // One record, which grew, and of which each piece was fetched back.
  const [gap, ...more] = world.subscriber.ledger
  t.deepEqual([gap?.cause, gap?.count, gap?.recovered, more.length], ['decoder', 3, 3, 0])
  t.is(world.told.filter((state) => state === 'recovered').length, 3)
})

test('a record stays open where more pieces of it are missing than may wait', async (t) => {
  const world = await World.open(t, { settings: { encoding: 'compact' }, gapRecovery: { maxGaps: 2 } })
  let packet = 0
  world.link.tamper = (frame) => {
    const wanted = packet++
    if (wanted === 3 || wanted === 5 || wanted === 7) frame.writeInt32BE(4000, HEAD_BYTES + 1)
    return frame
  }
  await world.publish(200)
  world.assertOnce(t)
  t.is(world.told.filter((state) => state.startsWith('gap-kept')).length, 1)
  const [gap, ...more] = world.subscriber.ledger
  t.deepEqual([gap?.count, gap?.recovered, more.length], [3, 2, 0])
})

test('packets of which nothing can be said but their bytes become counted', async (t) => {
  const world = await World.open(t, { settings: { encoding: 'compact' } })
  let packet = 0
  world.link.tamper = (frame) => {
    const wanted = packet++
    // Flags that name no format.
    if (wanted === 3 || wanted === 4) frame[10] = 0
    return frame
  }
  await world.publish(200)
  world.assertWhole(t)
  const records = [...world.subscriber.ledger]
  t.deepEqual([records.length, records.reduce((sum, { count }) => sum + (count ?? 0), 0)], [2, 2 * SIGNALS])
  t.is(world.subscriber.stats.failed, 2 * SIGNALS)
})

test('a packet that is lost before the connection breaks belongs to the gap', async (t) => {
  const world = await World.open(t)
  let packet = 0
  world.link.tamper = (frame) => (packet++ === 3 ? undefined : frame)
  await world.publish(10)
  world.link.tamper = (frame) => frame
  await world.cut(20)
  await world.publish(200)
  world.assertWhole(t)
  t.deepEqual(
    [...world.subscriber.ledger].map(({ cause }) => cause),
    ['wire', 'decoder', 'disconnect'],
  )
  t.is(world.told.filter((state) => state === 'recovered').length, 1)
})

test('what the own queue gave up is fetched back when the consumer has caught up', async (t) => {
  const subscriber = { policy: 'drop-oldest', queueBytes: 4096, batchRows: 16 } as const
  const world = await World.open(t, { subscriber })
  world.isReading = false
  await world.publish(200)
  t.true(world.subscriber.stats.dropped > 0)
  t.false(world.told.includes('recovering'))
  world.read()
  await world.publish(200)
  world.assertWhole(t)
  const [gap, ...more] = world.subscriber.ledger
  t.deepEqual([gap?.cause, gap?.count, more.length], ['queue', gap?.recovered ?? -1, 0])
  t.is(world.subscriber.stats.dropped, gap?.count ?? -1)
})

test('what held bytes still bring behind a broken connection is not taken for what follows the gap', async (t) => {
  const world = await World.open(t, { subscriber: { queueBytes: 512, batchRows: 16 } })
  world.isReading = false
  await world.publish(60)
  await world.cut(40)
  await world.publish(20)
  world.read()
  await world.publish(300)
  world.assertWhole(t)
})

test('what is missing where nothing more comes is fetched back before the session ends', async (t) => {
  const world = await World.open(t)
  await world.cut(40)
  await world.clock.advance(5000)
  world.publisher.complete('over')
  await world.clock.advance(20_000)
  world.assertWhole(t)
  t.is(world.subscriber.state, 'closed')
})
