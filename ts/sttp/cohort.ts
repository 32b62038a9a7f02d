import type { Block } from '../batch/index.js'
import { type CacheSignals, cacheFrame } from './cache-signals.js'
import { SttpEncoder } from './codec.js'
import { versionOf } from './codes.js'
import type { CohortMember } from './cohort-member.js'
import type { FrameMemory } from './frame-memory.js'

/** What subscribers must share to share frames. */
export interface CohortFormat {
  /** Operational modes. */
  readonly modes: number
  readonly includeTime: boolean
  readonly milliseconds: boolean
}

/** Bytes of the longest frame of measurements: no frame is begun where fewer are left. */
const FRAME_BYTES = 32_786

/**
 * Subscribers with equal signals, format and start: measurements are encoded once, and the same bytes go to all of them.
 * It begins when those to whom its cache was offered have confirmed it or are gone; until then each of them is served as
 * before.
 */
export class Cohort {
  /** Equal for cohorts whose members could be one. */
  readonly key: string
  readonly format: CohortFormat
  readonly signals: CacheSignals
  /** Which of a subscriber's two caches is its. */
  readonly cacheIndex: number
  readonly members = new Set<CohortMember>()
  readonly #offered = new Set<CohortMember>()
  readonly #confirmed = new Set<CohortMember>()
  readonly #encoder: SttpEncoder
  readonly #memory: FrameMemory
  readonly #result = new Uint32Array(2)

  constructor(key: string, format: CohortFormat, signals: CacheSignals, cacheIndex: number, memory: FrameMemory) {
    this.key = key
    this.format = format
    this.signals = signals
    this.cacheIndex = cacheIndex
    this.#memory = memory
    this.#encoder = new SttpEncoder(format.modes, format.includeTime, format.milliseconds)
    this.#encoder.setSignals(signals.rows, cacheIndex)
  }

  /** Whether all who are to be in it are. */
  get isSettled(): boolean {
    return this.#offered.size === 0
  }

  /** Sends its cache to subscribers, who become members when all of them have confirmed it. */
  offer(members: readonly CohortMember[]): void {
    for (const member of members) this.#offered.add(member)
    for (const member of members) {
      member.offer(this, cacheFrame(this.signals, this.cacheIndex, member.host.id, this.format.modes))
    }
    // Version 1 knows no confirmation: a cache is in force when it is sent.
    if (versionOf(this.format.modes) < 2) for (const member of members) this.confirmedBy(member)
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

  /** Encodes a block's measurements and gives the frames to every member. */
  publish(block: Block): void {
    const rows = block.count
    for (let first = 0; first < rows && this.members.size > 0; ) {
      const slab = this.#memory.reserve(FRAME_BYTES)
      const taken = this.#encoder.encode(block.bytes, first, slab.bytes.subarray(slab.end), this.#result)
      if (taken === 0) return
      first += taken
      const [bytes, measurements] = this.#result as unknown as [number, number]
      if (bytes === 0) continue
      const frames = slab.bytes.subarray(slab.end, slab.end + bytes)
      slab.end += bytes
      const release = (): void => this.#memory.release(slab)
      slab.users += this.members.size
      for (const member of this.members) member.send(frames, measurements, release)
    }
  }

  #startIfAll(): void {
    if (this.#offered.size > 0 || this.#confirmed.size === 0) return
    for (const member of this.#confirmed) this.members.add(member)
    this.#confirmed.clear()
    for (const member of [...this.members]) member.enter(this)
  }
}
