import type { ConsumerMessages, JsMsg } from '@nats-io/jetstream'
import type { Nats } from './nats-connection.js'

/** ms between signs of life of a consumer; without two of them it is made anew. */
const HEARTBEAT = 1000
/** ms between two tries to make one. */
const AGAIN_AFTER = 250

/** Which messages of a JetStream stream are followed. */
export interface Followed {
  readonly stream: string
  /** The subjects; all unless told. */
  readonly subjects?: string[]
  /** The sequence of the first message; the last of each subject unless told. */
  readonly from?: number
}

/**
 * Follows a stream: every message once, in order, also when the nats-server that its consumer was at is gone. Consumers
 * are in the memory of one server of a cluster.
 */
export class NatsFollower {
  readonly #nats: Nats
  readonly #followed: Followed
  readonly #take: (message: JsMsg) => void
  /** Sequence of the next message, when there was one. */
  #next: number | undefined
  #messages: ConsumerMessages | undefined
  #closed = false

  private constructor(nats: Nats, followed: Followed, take: (message: JsMsg) => void) {
    this.#nats = nats
    this.#followed = followed
    this.#take = take
    this.#next = followed.from
  }

  /** Begins; gives with the follower how many messages there are by now. */
  static async start(
    nats: Nats,
    followed: Followed,
    take: (message: JsMsg) => void,
  ): Promise<[follower: NatsFollower, pending: number]> {
    const follower = new NatsFollower(nats, followed, take)
    return [follower, await follower.#begin()]
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#messages?.close()
  }

  async #begin(): Promise<number> {
    const { js, api } = this.#nats
    const { stream, subjects } = this.#followed
    const consumer = await js.consumers.get(stream, {
      ...(subjects === undefined ? {} : { filter_subjects: subjects }),
      ...(this.#next === undefined
        ? { deliver_policy: api.DeliverPolicy.LastPerSubject }
        : { deliver_policy: api.DeliverPolicy.StartSequence, opt_start_seq: this.#next }),
    })
    const { num_pending } = await consumer.info()
    const messages = await consumer.consume({
      idle_heartbeat: HEARTBEAT,
      callback: (message) => {
        if (this.#next !== undefined && message.seq < this.#next) return
        this.#next = message.seq + 1
        this.#take(message)
      },
    })
    this.#messages = messages
    if (this.#closed) messages.stop()
    void this.#watch(messages)
    return num_pending
  }

  async #watch(messages: ConsumerMessages): Promise<void> {
    for await (const { type } of messages.status()) if (type === 'heartbeats_missed') break
    if (this.#closed) return
    messages.stop()
    while (!this.#closed) {
      try {
        await this.#begin()
        return
      } catch {
        // Nobody leads the stream yet, or NATS is away.
        await new Promise((resolve) => setTimeout(resolve, AGAIN_AFTER))
      }
    }
  }
}
