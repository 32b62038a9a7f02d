import test from 'ava'
import { imbalance, isRecovered } from '../../ts/session/index.js'
import { SIGNALS, World } from './recovery-world.js'

test('what was missed while the link was down is fetched back, once, and the ledger closed with the count', async (t) => {
  const world = await World.open(t)
  await world.cut(40)
  await world.publish(200)
  world.assertWhole(t)
  const [gap, ...more] = world.subscriber.ledger
  t.is(more.length, 0)
  t.is(gap?.cause, 'disconnect')
  t.is(gap?.count ?? -1, gap?.recovered ?? -2)
  t.true((gap?.count ?? 0) >= 40 * SIGNALS)
  t.is(world.subscriber.stats.recovered, gap?.count ?? -1)
  t.is(world.subscriber.stats.lost, gap?.count ?? -1)
  t.true(world.told.includes('recovered'))
})

test('gaps behind one another are fetched back one by one', async (t) => {
  const world = await World.open(t)
  for (const frames of [30, 7, 55]) {
    await world.cut(frames)
    await world.publish(30)
  }
  await world.publish(300)
  world.assertWhole(t)
  t.is([...world.subscriber.ledger].length, 3)
})

test('a connection on which nothing came belongs to the gap behind it', async (t) => {
  const world = await World.open(t)
  await world.cut(30)
  // It connects again, and nothing is published until the next cut.
  await world.clock.advance(10_000)
  await world.cut(20)
  await world.publish(200)
  world.assertWhole(t)
})

test('a second connection that breaks is tried again, and nothing comes twice', async (t) => {
  let requests = 0
  const world: World = await World.open(t, { gapRecovery: { overlap: 0 } })
  world.publisher.history = async function* () {
    const breaks = requests++ === 0
    for (const [index, batch] of world.kept.entries()) {
      yield batch
      if (breaks && index === 30) throw new Error('the disk is slow today')
    }
  }
  await world.cut(60)
  await world.publish(400)
  t.is(requests, 2)
  t.true(world.told.includes('recovery-failed'))
  world.assertWhole(t)
})

test('a publisher without a history is asked once; the gaps stay open', async (t) => {
  const world = await World.open(t)
  world.publisher.history = undefined
  await world.cut(30)
  await world.publish(200)
  await world.cut(30)
  await world.publish(200)
  t.is(world.told.filter((state) => state === 'recovering').length, 1)
  t.deepEqual(
    [...world.subscriber.ledger].map(({ count, recovered }) => [count, recovered]),
    [
      [null, 0],
      [null, 0],
    ],
  )
})

test('a publisher that does not regard the limits is not believed', async (t) => {
  const world = await World.open(t)
  const { publisher, synthetic } = world
  publisher.history = async function* (request) {
    // As sttpapi does: what is published now, whatever was asked for.
    Object.assign(request, { start: undefined, stop: undefined })
    yield synthetic.batch(5000, 1, publisher.signals)
  }
  await world.cut(30)
  await world.publish(300)
  t.is(world.told.filter((state) => state === 'recovering').length, 1)
  t.true(world.told.includes('recovery-failed'))
  t.false(world.rows.some((row) => row.includes(String(synthetic.timeOf(5000)))))
  t.deepEqual(
    [...world.subscriber.ledger].map(({ count, recovered }) => [count, recovered]),
    [[null, 0]],
  )
})

test('limits of age, number and rate', async (t) => {
  const old = await World.open(t, { gapRecovery: { maxAge: 1000 } })
  await old.cut(60)
  await old.publish(100)
  t.regex(old.told.find((state) => state.startsWith('gap-kept')) ?? '', /it is \d+ s old/)
  t.is(old.subscriber.stats.recovered, 0)

  const few = await World.open(t, { gapRecovery: { maxGaps: 1, delay: 5000 } })
  for (let cut = 0; cut < 3; cut++) {
    await few.cut(10)
    await few.publish(30)
  }
  await few.publish(400)
  t.regex(few.told.find((state) => state.startsWith('gap-kept')) ?? '', /1 gaps wait already/)
  t.true([...few.subscriber.ledger].some((record) => !isRecovered(record)))

  const slow = await World.open(t, { gapRecovery: { maxRate: 100 } })
  await slow.cut(80)
  await slow.publish(100)
  t.false(slow.told.includes('recovered'))
  await slow.publish(200)
  t.true(slow.told.includes('recovered'))
  slow.assertWhole(t)
})

test('switched off, nothing is asked for', async (t) => {
  const world = await World.open(t, { gapRecovery: false })
  await world.cut(30)
  await world.publish(200)
  t.false(world.told.includes('recovering'))
  t.is(world.subscriber.stats.recovered, 0)
})

test('a session that ends meanwhile keeps its books', async (t) => {
  const world = await World.open(t, { gapRecovery: { maxRate: 100 } })
  await world.cut(80)
  await world.publish(130)
  t.true(world.told.includes('recovering'))
  await world.subscriber.close()
  const { stats } = world.subscriber
  t.is(imbalance({ ...stats, stored: world.rows.length }), 0)
  t.is(world.rows.length, new Set(world.rows).size)
})
