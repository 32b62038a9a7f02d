import test, { type ExecutionContext } from 'ava'
import type { MeasurementBatch } from '../../ts/batch/index.js'
import { imbalance, isRecovered, MemoryNetwork, SimulatedClock } from '../../ts/session/index.js'
import type { GapRecoveryOptions } from '../../ts/sttp/gap-recovery.js'
import type { History } from '../../ts/sttp/history.js'
import { Publisher } from '../../ts/sttp/publisher.js'
import { Subscriber } from '../../ts/sttp/subscriber.js'
import { Synthetic } from '../../ts/sttp/synthetic.js'

const PORT = 7165
const SIGNALS = 5
const RATE = 20
const STEP = 1000 / RATE

/** A publisher that keeps what it publishes and serves it as history, a subscriber, and a link that can be cut. */
class World {
  readonly clock = new SimulatedClock()
  readonly network = new MemoryNetwork({ clock: this.clock })
  readonly publisher = new Publisher({ clock: this.clock, network: this.network })
  readonly synthetic = new Synthetic({ signals: SIGNALS, rate: RATE })
  readonly kept: MeasurementBatch[] = []
  readonly rows: string[] = []
  readonly told: string[] = []
  readonly subscriber: Subscriber
  frame = 0

  constructor(gapRecovery: GapRecoveryOptions | false = {}, history: History | undefined = this.history) {
    const { clock, network } = this
    this.publisher.history = history
    this.subscriber = new Subscriber({
      ...{ clock, network, gapRecovery, statusMessage: false, errorMessage: false, autoRequestMetadata: false },
      reconnect: { jitter: 0, minDelay: 500, maxDelay: 500 },
      onStatus: ({ state, detail }) => {
        this.told.push(state === 'gap-kept' ? `${state}: ${detail?.['reason']}` : state)
      },
    })
  }

  static async open(t: ExecutionContext, ...args: ConstructorParameters<typeof World>): Promise<World> {
    const world = new World(...args)
    const { publisher, subscriber, rows } = world
    publisher.defineMetadata(world.synthetic.metadata())
    await publisher.start({ host: '127.0.0.1', port: PORT })
    t.teardown(() => Promise.all([subscriber.close(), publisher.close()]))
    void subscriber.subscribe('FILTER ActiveMeasurements WHERE True')
    await subscriber.connect(`localhost:${PORT}`)
    subscriber
      .consume((batch) => {
        for (const { signal, time, value } of batch) rows.push(`${signal} ${time} ${value}`)
      })
      .catch(() => {})
    await world.publish(10)
    return world
  }

  get history(): History {
    const { kept } = this
    return async function* () {
      yield* kept
    }
  }

  /** Publishes frames at their rate. */
  async publish(frames: number): Promise<void> {
    for (let n = 0; n < frames; n++) {
      const batch = this.synthetic.batch(this.frame++, 1, this.publisher.signals)
      this.kept.push(batch)
      this.publisher.publish(batch)
      await this.clock.advance(STEP)
    }
  }

  /** Breaks the link for so many frames. */
  async cut(frames: number): Promise<void> {
    this.network.isReachable = false
    this.network.cut()
    await this.publish(frames)
    this.network.isReachable = true
  }

  /** Everything that was published came once. */
  assertWhole(t: ExecutionContext): void {
    const all = this.kept.flatMap((batch) => [...batch].map(({ signal, time, value }) => `${signal} ${time} ${value}`))
    t.is(this.rows.length, new Set(this.rows).size)
    const came = new Set(this.rows)
    t.deepEqual(all.filter((row) => !came.has(row)).slice(0, 10), [], this.told.join(', '))
    t.true([...this.subscriber.ledger].every(isRecovered))
    const { stats } = this.subscriber
    t.is(imbalance({ ...stats, stored: this.rows.length }), 0)
  }
}

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
  const world: World = await World.open(t, { overlap: 0 }, () => world.history({} as never))
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
  const old = await World.open(t, { maxAge: 1000 })
  await old.cut(60)
  await old.publish(100)
  t.regex(old.told.find((state) => state.startsWith('gap-kept')) ?? '', /it is \d+ s old/)
  t.is(old.subscriber.stats.recovered, 0)

  const few = await World.open(t, { maxGaps: 1, delay: 5000 })
  for (let cut = 0; cut < 3; cut++) {
    await few.cut(10)
    await few.publish(30)
  }
  await few.publish(400)
  t.regex(few.told.find((state) => state.startsWith('gap-kept')) ?? '', /1 gaps wait already/)
  t.true([...few.subscriber.ledger].some((record) => !isRecovered(record)))

  const slow = await World.open(t, { maxRate: 100 })
  await slow.cut(80)
  await slow.publish(100)
  t.false(slow.told.includes('recovered'))
  await slow.publish(200)
  t.true(slow.told.includes('recovered'))
  slow.assertWhole(t)
})

test('switched off, nothing is asked for', async (t) => {
  const world = await World.open(t, false)
  await world.cut(30)
  await world.publish(200)
  t.false(world.told.includes('recovering'))
  t.is(world.subscriber.stats.recovered, 0)
})

test('a session that ends meanwhile keeps its books', async (t) => {
  const world = await World.open(t, { maxRate: 100 })
  await world.cut(80)
  await world.publish(130)
  t.true(world.told.includes('recovering'))
  await world.subscriber.close()
  const { stats } = world.subscriber
  t.is(imbalance({ ...stats, stored: world.rows.length }), 0)
  t.is(world.rows.length, new Set(world.rows).size)
})
