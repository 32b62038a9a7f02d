import type { ExecutionContext } from 'ava'
import type { MeasurementBatch } from '../../ts/batch/index.js'
import { imbalance, MemoryNetwork, SimulatedClock } from '../../ts/session/index.js'
import type { GapRecoveryOptions } from '../../ts/sttp/gap-recovery.js'
import type { History } from '../../ts/sttp/history.js'
import { Publisher } from '../../ts/sttp/publisher.js'
import { Subscriber } from '../../ts/sttp/subscriber.js'
import type { SubscriberOptions } from '../../ts/sttp/subscriber-options.js'
import type { SubscriptionSettings } from '../../ts/sttp/subscription.js'
import { Synthetic } from '../../ts/sttp/synthetic.js'
import { TamperedNetwork } from './tampered-network.js'

const PORT = 7165
export const SIGNALS = 5
const RATE = 20
const STEP = 1000 / RATE

export interface WorldOptions {
  readonly gapRecovery?: GapRecoveryOptions | false
  readonly settings?: SubscriptionSettings
  readonly subscriber?: SubscriberOptions
}

/** A publisher that keeps what it publishes and serves it as history, a subscriber, and a link that can be cut. */
export class World {
  readonly clock = new SimulatedClock()
  readonly network = new MemoryNetwork({ clock: this.clock })
  /** The subscriber's way to the publisher, on which frames get lost. */
  readonly link = new TamperedNetwork(this.network)
  readonly publisher = new Publisher({ clock: this.clock, network: this.network })
  readonly synthetic = new Synthetic({ signals: SIGNALS, rate: RATE })
  readonly kept: MeasurementBatch[] = []
  readonly rows: string[] = []
  readonly told: string[] = []
  readonly subscriber: Subscriber
  frame = 0

  /** Whether the consumer takes batches. */
  isReading = true
  #read: (() => void) | undefined

  constructor({ gapRecovery = {}, subscriber = {} }: WorldOptions) {
    const { clock, link } = this
    this.publisher.history = this.history
    this.subscriber = new Subscriber({
      ...{ clock, network: link, gapRecovery, statusMessage: false, errorMessage: false, autoRequestMetadata: false },
      reconnect: { jitter: 0, minDelay: 500, maxDelay: 500 },
      ...subscriber,
      onStatus: ({ state, detail }) => {
        this.told.push(state === 'gap-kept' ? `${state}: ${detail?.['reason']}` : state)
      },
    })
  }

  static async open(t: ExecutionContext, options: WorldOptions = {}): Promise<World> {
    const world = new World(options)
    const { publisher, subscriber, rows } = world
    publisher.defineMetadata(world.synthetic.metadata())
    await publisher.start({ host: '127.0.0.1', port: PORT })
    t.teardown(() => Promise.all([subscriber.close(), publisher.close()]))
    void subscriber.subscribe('FILTER ActiveMeasurements WHERE True', options.settings)
    await subscriber.connect(`localhost:${PORT}`)
    subscriber
      .consume(async (batch) => {
        for (const { signal, time, value } of batch) rows.push(`${signal} ${time} ${value}`)
        if (!world.isReading) await new Promise<void>((resolve) => world.#resume(resolve))
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

  /** The consumer takes batches again. */
  read(): void {
    this.isReading = true
    this.#read?.()
  }

  #resume(resolve: () => void): void {
    this.#read = resolve
  }

  /** Breaks the link for so many frames. */
  async cut(frames: number): Promise<void> {
    this.network.isReachable = false
    this.network.cut()
    await this.publish(frames)
    this.network.isReachable = true
  }

  /** Everything that was published came once, and the books balance. */
  assertWhole(t: ExecutionContext): void {
    this.assertOnce(t)
    const all = this.kept.flatMap((batch) => [...batch].map(({ signal, time, value }) => `${signal} ${time} ${value}`))
    const came = new Set(this.rows)
    t.deepEqual(all.filter((row) => !came.has(row)).slice(0, 10), [], this.told.join(', '))
    t.deepEqual(
      this.subscriber.ledger.toJSON().filter(({ count, recovered }) => count === null || recovered < count),
      [],
    )
  }

  /** Nothing came twice, and the books balance. */
  assertOnce(t: ExecutionContext): void {
    t.is(this.rows.length, new Set(this.rows).size)
    const { stats } = this.subscriber
    t.is(imbalance({ ...stats, stored: this.rows.length }), 0)
  }
}
