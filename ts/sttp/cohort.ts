import type { Block, MeasurementBatch } from '../batch/index.js'
import type { Clock } from '../session/index.js'
import { type CacheSignals, cacheFrame } from './cache-signals.js'
import { SttpEncoder, type SttpLatestMeasurements } from './codec.js'
import { versionOf } from './codes.js'
import type { CohortFormat } from './cohort-format.js'
import type { CohortMember } from './cohort-member.js'
import type { FrameMemory } from './frame-memory.js'
import { Throttle } from './throttle.js'
import { Ticks } from './ticks.js'

/** What a cohort is made of. */
export interface CohortOptions {
  /** Equal for cohorts whose members could be one. */
  readonly key: string
  readonly format: CohortFormat
  readonly signals: CacheSignals
  /** Which of a subscriber's two caches is its. */
  readonly cacheIndex: number
  readonly memory: FrameMemory
  readonly clock: Clock
  /** What is published, signal by signal; only for throttled subscriptions. */
  readonly latest: SttpLatestMeasurements | undefined
}

/** Bytes of the longest frame of measurements: no frame is begun where fewer are left. */
export const FRAME_BYTES = 32_786

/**
 * Subscribers with equal signals, format and start: measurements are encoded once, and the same bytes go to all of them.
 * It begins when those to whom its cache was offered have confirmed it or are gone; until then each of them is served as
 * before.
 */
export class Cohort {
  readonly options: CohortOptions
  readonly members = new Set<CohortMember>()
  readonly #offered = new Set<CohortMember>()
  readonly #confirmed = new Set<CohortMember>()
  readonly #encoder: SttpEncoder
  readonly #result = new Uint32Array(3)
  #throttle: Throttle | undefined
  #rows: ReadonlySet<number> | undefined

  constructor(options: CohortOptions) {
    this.options = options
    const { modes, includeTime, milliseconds, filterNaN, baseTimes, frameBytes } = options.format
    this.#encoder = new SttpEncoder(modes, includeTime, milliseconds, filterNaN, baseTimes === 1)
    if (frameBytes !== null) this.#encoder.limitFrames(frameBytes)
    // Version 1 knows one cache.
    this.#encoder.setSignals(options.signals.rows, versionOf(modes) < 2 ? 0 : options.cacheIndex)
  }

  get signals(): CacheSignals {
    return this.options.signals
  }

  get cacheIndex(): number {
    return this.options.cacheIndex
  }

  /** Whether its members get the latest measurements every interval, not all of them. */
  get isThrottled(): boolean {
    return this.options.format.throttle !== null
  }

  /** Whether all who are to be in it are. */
  get isSettled(): boolean {
    return this.#offered.size === 0
  }

  /** How many rows of a batch are of its signals. */
  rowsIn(batch: MeasurementBatch): number {
    this.#rows ??= new Set(this.signals.rows)
    let count = 0
    for (const row of batch.signal) if (this.#rows.has(row)) count++
    return count
  }

  /** Sends its cache to subscribers, who become members when all of them have confirmed it. */
  offer(members: readonly CohortMember[]): void {
    const { signals, cacheIndex, format } = this.options
    for (const member of members) this.#offered.add(member)
    for (const member of members) {
      member.offer(this, cacheFrame(signals, cacheIndex, member.host.id, format.modes))
    }
    // Version 1 knows no confirmation: a cache is in force when it is sent.
    if (versionOf(format.modes) < 2) for (const member of members) this.confirmedBy(member)
  }

  /** A subscriber has confirmed the cache. */
  confirmedBy(member: CohortMember): void {
    if (!this.#offered.delete(member)) return
    this.#confirmed.add(member)
    this.#startIfAll()
  }

  /** A subscriber is gone, or subscribes to something else. */
  leave(member: CohortMember): void {
    this.members.delete(member)
    this.#confirmed.delete(member)
    if (this.#offered.delete(member)) this.#startIfAll()
  }

  /** Serves nobody any more. */
  close(): void {
    this.#throttle?.stop()
  }

  /** Sends a block's measurements to every member, unless they get only the latest. */
  publish(block: Block): void {
    if (!this.isThrottled) this.#send(block)
  }

  #send(block: Block): void {
    if (this.members.size === 0) return
    const { format, memory } = this.options
    if (format.baseTimes > 0) this.#rotateBaseTimes(block)
    const rows = block.count
    for (let first = 0; first < rows && this.members.size > 0; ) {
      const slab = memory.reserve(FRAME_BYTES)
      const taken = this.#encoder.encode(block.bytes, first, slab.bytes, slab.end, this.#result)
      if (taken === 0) return
      first += taken
      const { 0: bytes = 0, 1: measurements = 0, 2: filtered = 0 } = this.#result
      if (filtered > 0) for (const member of this.members) member.host.filtered(filtered)
      if (bytes === 0) continue
      const frames = slab.bytes.subarray(slab.end, slab.end + bytes)
      slab.end += bytes
      slab.users += this.members.size
      for (const member of this.members) member.send(frames, measurements, slab.release)
    }
  }

  #rotateBaseTimes(block: Block): void {
    const { format, clock } = this.options
    const now = format.localClock ? Ticks.fromNs(clock.now()) : null
    const frame = this.#encoder.rotateBaseTimes(block.bytes, now)
    if (frame !== null) for (const member of this.members) member.host.commandOutbox.send(frame)
  }

  #startIfAll(): void {
    if (this.#offered.size > 0 || this.#confirmed.size === 0) return
    for (const member of this.#confirmed) this.members.add(member)
    this.#confirmed.clear()
    for (const member of [...this.members]) member.enter(this)
    const { format, clock, latest, signals } = this.options
    const { throttle } = format
    if (throttle === null || latest === undefined || this.#throttle !== undefined) return
    this.#throttle = new Throttle(clock, latest, { ...format, throttle }, signals.rows, (block) => this.#send(block))
  }
}
