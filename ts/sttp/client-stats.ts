import { Stats } from '../session/index.js'

/**
 * The counters of one subscriber; what they count is counted by its publisher too. `received` is what was published of
 * its subscription: sent, or else `filtered` (NaN) or `dropped`.
 */
export class ClientStats extends Stats {
  readonly #total: Stats

  constructor(total: Stats) {
    super()
    this.#total = total
  }

  /** Measurements that were sent, or wait in the queue. */
  get sent(): number {
    return this.received - this.filtered - this.dropped
  }

  countIn(bytes: number, messages: number): void {
    this.bytesIn += bytes
    this.messagesIn += messages
    this.#total.bytesIn += bytes
    this.#total.messagesIn += messages
  }

  countFiltered(rows: number): void {
    this.received += rows
    this.filtered += rows
    this.#total.filtered += rows
  }

  override countOut(bytes: number, messages: number): void {
    super.countOut(bytes, messages)
    this.#total.countOut(bytes, messages)
  }
}
