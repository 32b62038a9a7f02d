import { decodeCmdp } from './codec.js'
import type { DiscoveredService } from './service.js'
import { type Timestamp, timestampNs, type Value, type Values } from './value.js'
import { isClosed, type Zmq, zeromq } from './zeromq.js'

/** A log message, a metric, or the topics that a satellite has. */
export interface MonitoringMessage {
  readonly kind: 'log' | 'metric' | 'log-topics' | 'metric-topics'
  readonly sender: string
  /** ns since 1970-01-01 UTC. */
  readonly time: bigint
  readonly tags: Values
  /** A log's level. */
  readonly level?: string
  /** A log's topic or a metric's name. */
  readonly topic: string
  /** A log's text, a metric's value, the topics with their descriptions. */
  readonly value: Value
  /** A metric's unit. */
  readonly unit?: string
}

/** Listens to the logs and metrics of satellites. */
export class MonitoringReceiver {
  readonly #topics: readonly string[]
  readonly #onMessage: (message: MonitoringMessage) => void
  readonly #sockets = new Map<string, Zmq.Subscriber>()
  #isClosed = false

  /** @param topics such as `LOG/WARNING`, `STAT/`, `STAT/RX_BYTES`, `LOG?` */
  constructor(topics: readonly string[], onMessage: (message: MonitoringMessage) => void) {
    this.#topics = topics
    this.#onMessage = onMessage
  }

  async add(service: DiscoveredService): Promise<void> {
    const { Subscriber } = await zeromq()
    if (this.#isClosed) return
    this.remove(service.hostUuid)
    const socket = new Subscriber({ linger: 0 })
    socket.connect(`tcp://${service.address}:${service.port}`)
    for (const topic of this.#topics) socket.subscribe(topic)
    this.#sockets.set(service.hostUuid, socket)
    void this.#listen(socket)
  }

  remove(hostUuid: string): void {
    this.#sockets.get(hostUuid)?.close()
    this.#sockets.delete(hostUuid)
  }

  close(): void {
    this.#isClosed = true
    for (const hostUuid of [...this.#sockets.keys()]) this.remove(hostUuid)
  }

  async #listen(socket: Zmq.Subscriber): Promise<void> {
    try {
      for await (const frames of socket) this.#take(frames)
    } catch (error) {
      if (!isClosed(error)) throw error
    }
  }

  #take(frames: Uint8Array[]): void {
    let message: ReturnType<typeof decodeCmdp>
    try {
      message = decodeCmdp(frames)
    } catch {
      // A log that cannot be read is told to nobody: it is no measurement.
      return
    }
    const { kind, sender, time, tags, level, topic, value, unit } = message
    this.#onMessage({
      kind: kind as MonitoringMessage['kind'],
      sender,
      time: timestampNs(time as Timestamp),
      tags: tags as Values,
      topic,
      value: value as Value,
      ...(level === undefined ? {} : { level }),
      ...(unit === undefined ? {} : { unit }),
    })
  }
}
