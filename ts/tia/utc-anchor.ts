/** How long the least delay is looked for before it counts, ns. */
const WINDOW = 10_000_000_000n
const WINDOWS = 512

/**
 * Where the server's time lies in UTC.
 *
 * Header times count from the server's start. The anchor is the UTC time of header time 0, as the least delayed of the
 * first packets says, and stays: times do not jump. What later packets say is the `offset` (how much too late the
 * anchor lies at most: negative once a packet was less delayed) and the `drift` of the two clocks.
 */
export class UtcAnchor {
  /** ns since 1970-01-01 UTC of header time 0. */
  readonly anchor: bigint
  /** ns of the unit of header times. */
  readonly unitNs: number
  readonly #points: { readonly at: number; readonly delay: number }[] = []
  #windowEnd: bigint
  #least: { at: number; delay: number } | undefined
  #offset = 0
  readonly #first: { readonly rx: bigint; readonly timestamp: number }
  #last: { rx: bigint; timestamp: number }

  /** @param timestamp the greatest header time among the packets that came at `rx` */
  constructor(rx: bigint, timestamp: number, unitNs: number, anchor?: bigint) {
    this.unitNs = unitNs
    this.anchor = anchor ?? rx - BigInt(timestamp) * BigInt(unitNs)
    this.#windowEnd = rx + WINDOW
    this.#first = { rx, timestamp }
    this.#last = this.#first
  }

  /** Takes the header time of a packet that came at `rx`. */
  observe(rx: bigint, timestamp: number): void {
    const delay = Number(rx - this.anchor) - timestamp * this.unitNs
    if (delay < this.#offset) this.#offset = delay
    const at = Number(rx - this.#first.rx)
    if (this.#least === undefined || delay < this.#least.delay) this.#least = { at, delay }
    this.#last = { rx, timestamp }
    if (rx < this.#windowEnd) return
    this.#points.push(this.#least)
    // Every other point goes when there are too many: the span stays.
    if (this.#points.length > WINDOWS) {
      for (let index = this.#points.length - 2; index > 0; index -= 2) this.#points.splice(index, 1)
    }
    this.#least = undefined
    this.#windowEnd = rx + WINDOW
  }

  /** Least delay seen, ns, against the packet that made the anchor; 0 or less. */
  get offset(): number {
    return this.#offset
  }

  /** How much faster UTC runs than the server's clock, parts in a million; `undefined` before 30 s. */
  get drift(): number | undefined {
    const points = this.#points
    if (points.length < 3) return undefined
    const mean = (value: (point: { at: number; delay: number }) => number): number =>
      points.reduce((sum, point) => sum + value(point), 0) / points.length
    const [at, delay] = [mean((p) => p.at), mean((p) => p.delay)]
    const covariance = mean((p) => (p.at - at) * (p.delay - delay))
    return (covariance / mean((p) => (p.at - at) ** 2)) * 1e6
  }

  /** ns of a header time's unit as the times of receipt say; `undefined` before a second of them. */
  get measuredUnit(): number | undefined {
    const elapsed = Number(this.#last.rx - this.#first.rx)
    const units = this.#last.timestamp - this.#first.timestamp
    return elapsed < 1e9 || units <= 0 ? undefined : elapsed / units
  }

  /** What the session table says of it. */
  toJSON(): Readonly<Record<string, unknown>> {
    const { anchor, unitNs, offset, drift } = this
    return { anchor: String(anchor), unitNs, offsetNs: offset, ...(drift === undefined ? {} : { driftPpm: drift }) }
  }
}
