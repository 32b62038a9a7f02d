import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { MemoryNetwork, SimulatedClock } from '../../ts/session/index.js'
import { DataSet } from '../../ts/sttp/data-set.js'
import { Publisher } from '../../ts/sttp/publisher.js'
import type { PublisherOptions } from '../../ts/sttp/publisher-options.js'
import { Subscriber } from '../../ts/sttp/subscriber.js'
import type { SubscriberOptions } from '../../ts/sttp/subscriber-options.js'
import type { SubscriptionSettings } from '../../ts/sttp/subscription.js'

const xml = readFileSync(join(import.meta.dirname, '..', 'vectors', 'sttp', 'metadata6.xml'))

/** Our own two sides, in memory and on simulated time. */
export class SessionPair {
  readonly clock = new SimulatedClock()
  readonly network = new MemoryNetwork({ clock: this.clock })
  readonly publisher: Publisher
  readonly subscriber: Subscriber

  constructor(t: ExecutionContext, forPublisher: PublisherOptions = {}, forSubscriber: SubscriberOptions = {}) {
    const { clock, network } = this
    this.publisher = new Publisher({ clock, network, ...forPublisher })
    const quiet = { statusMessage: false, errorMessage: false, reconnect: { jitter: 0 } } as const
    this.subscriber = new Subscriber({ clock, network, ...quiet, ...forSubscriber })
    const [set, error] = DataSet.fromXml(xml)
    if (set === null) throw error
    this.publisher.defineMetadata(set)
    t.teardown(async () => {
      await this.subscriber.close()
      await this.publisher.close()
    })
  }

  async connect(filter = 'FILTER ActiveMeasurements WHERE True', settings: SubscriptionSettings = {}): Promise<void> {
    await this.publisher.start({ host: '127.0.0.1', port: 7165 })
    void this.subscriber.subscribe(filter, settings)
    await this.subscriber.connect('127.0.0.1:7165')
    await this.turns()
  }

  /** So many turns of the event loop: what was written in memory has been read behind them. */
  async turns(count = 12): Promise<void> {
    for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
  }

  /** Turns until something holds: compression works in other threads. */
  async until(holds: () => boolean): Promise<void> {
    for (let wait = 0; wait < 1000 && !holds(); wait++) await this.turns(2)
    if (!holds()) throw new Error('it did not come about')
  }
}
