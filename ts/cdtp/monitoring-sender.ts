import type { Clock } from '../session/clock.js'
import { encodeCmdpLog, encodeCmdpMetric, encodeCmdpTopics } from './codec.js'
import type { Logger, LogLevel } from './logger.js'
import { SerialSender } from './serial-sender.js'
import { timestampNow, type Value } from './value.js'
import { boundPublisher, isClosed, portOf, type Zmq } from './zeromq.js'

/** Publishes logs and metrics to those that have subscribed to them, and nothing else. */
export class MonitoringSender implements Logger {
  readonly #name: string
  readonly #clock: Clock
  readonly #subscriptions = new Map<string, number>()
  readonly #metrics = new Map<string, string>()
  readonly #logTopics = new Map<string, string>()
  #socket: Zmq.XPublisher | undefined
  #sender: SerialSender | undefined

  constructor(name: string, clock: Clock) {
    this.#name = name
    this.#clock = clock
  }

  /** Listens; gives the port. */
  async open(endpoint: string): Promise<number> {
    const socket = await boundPublisher(endpoint)
    this.#socket = socket
    this.#sender = new SerialSender(socket)
    void this.#listen(socket)
    return portOf(socket)
  }

  log(level: LogLevel, text: string, topic = ''): void {
    if (topic !== '' && !this.#logTopics.has(topic)) {
      this.#logTopics.set(topic, '')
      this.#tellTopics(true)
    }
    const name = topic === '' ? `LOG/${level}` : `LOG/${level}/${topic}`
    if (!this.#isSubscribed(name)) return
    void this.#sender?.send(encodeCmdpLog(this.#name, timestampNow(this.#clock), level, topic, text))
  }

  /** Declares a metric, so that listeners see that there is one. */
  registerMetric(name: string, description: string): void {
    this.#metrics.set(name, description)
    this.#tellTopics(false)
  }

  metric(name: string, value: Value, unit: string): void {
    if (!this.#isSubscribed(`STAT/${name}`)) return
    void this.#sender?.send(encodeCmdpMetric(this.#name, timestampNow(this.#clock), name, value, unit))
  }

  close(): void {
    this.#socket?.close()
    this.#socket = undefined
  }

  #isSubscribed(topic: string): boolean {
    if (this.#socket === undefined) return false
    for (const prefix of this.#subscriptions.keys()) if (topic.startsWith(prefix)) return true
    return false
  }

  #tellTopics(logs: boolean): void {
    if (!this.#isSubscribed(logs ? 'LOG?' : 'STAT?')) return
    const topics = Object.fromEntries(logs ? this.#logTopics : this.#metrics)
    void this.#sender?.send(encodeCmdpTopics(this.#name, timestampNow(this.#clock), logs, topics))
  }

  async #listen(socket: Zmq.XPublisher): Promise<void> {
    try {
      for await (const [frame] of socket) {
        const [kind, ...rest] = frame as Uint8Array
        const topic = Buffer.from(rest).toString('latin1')
        const count = (this.#subscriptions.get(topic) ?? 0) + (kind === 1 ? 1 : -1)
        if (count > 0) this.#subscriptions.set(topic, count)
        else this.#subscriptions.delete(topic)
        if (kind !== 1) continue
        if (topic === 'LOG?') this.#tellTopics(true)
        if (topic === 'STAT?') this.#tellTopics(false)
      }
    } catch (error) {
      if (!isClosed(error)) throw error
    }
  }
}
