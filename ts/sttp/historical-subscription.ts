import { type MeasurementBatch, TIME_UNKNOWN } from '../batch/index.js'
import type { Clock, Timer } from '../session/index.js'
import { type CacheSignals, cacheFrame } from './cache-signals.js'
import { SttpEncoder, type SttpSubscription, sttpWriteResponse } from './codec.js'
import { COMMAND, versionOf } from './codes.js'
import { FRAME_BYTES } from './cohort.js'
import type { CohortFormat } from './cohort-format.js'
import type { MemberHost } from './cohort-member.js'
import { FrameMemory } from './frame-memory.js'
import { constraintTime, type History, type HistoryRequest } from './history.js'
import type { ServedSubscription } from './served-subscription.js'
import { Ticks } from './ticks.js'
import { frameEnd, rowsOf, selectRows } from './time-frames.js'

/** What a historical subscription is made of. */
export interface HistoricalOptions {
  readonly host: MemberHost & { readonly peer: string; readonly modes: number }
  readonly subscription: SttpSubscription
  readonly format: Pick<CohortFormat, 'includeTime' | 'milliseconds' | 'filterNaN'>
  readonly signals: CacheSignals
  /** Which of the client's two caches is its. */
  readonly cacheIndex: number
  readonly history: History
  /** What `*` stands for, ns since 1970-01-01 UTC. */
  readonly now: bigint
  readonly clock: Clock
  /** A batch with rows of the publisher's signal table. */
  readonly own: (batch: MeasurementBatch) => MeasurementBatch
  /** It is over: with what went wrong, or nothing. */
  readonly ended: (measurements: number, error: Error | undefined) => void
}

/**
 * A historical subscription that is being served: what a history gives, to one client, as fast as the client has asked
 * for. It never loses a row: where the client does not keep up, the history waits.
 */
export class HistoricalSubscription implements ServedSubscription {
  readonly heldBytes = 0
  readonly #options: HistoricalOptions
  readonly #request: HistoryRequest
  readonly #encoder: SttpEncoder
  readonly #memory = new FrameMemory()
  readonly #abort = new AbortController()
  readonly #result = new Uint32Array(3)
  #isConfirmed = false
  #hasStarted = false
  #sent = 0
  /** ms between frames; 0 as fast as possible, -1 as the times of the measurements say. */
  #interval: number
  /** The time of a frame and when it went, from which the others are paced by their times. */
  #anchor: { time: bigint; elapsed: number } | undefined
  /** When the last frame went. */
  #frameAt = Number.NEGATIVE_INFINITY
  #wake: () => void = () => {}

  constructor(options: HistoricalOptions) {
    const { host, subscription, signals, now } = options
    const { startTimeConstraint: start, stopTimeConstraint: stop } = subscription
    const { includeTime, milliseconds, filterNaN } = options.format
    this.#options = options
    this.#request = {
      start: start ? constraintTime(start, now) : undefined,
      stop: stop ? constraintTime(stop, now) : undefined,
      rows: signals.rows,
      signalIds: signals.ids,
      parameters: subscription.timeConstraintParameters,
      peer: host.peer,
      abort: this.#abort.signal,
    }
    this.#interval = subscription.processingInterval ?? -1
    this.#encoder = new SttpEncoder(host.modes, includeTime, milliseconds, filterNaN, false)
    this.#encoder.setSignals(signals.rows, options.cacheIndex)
  }

  get signals(): number {
    return this.#request.rows.length
  }

  start(answer: () => void): void {
    const { host, signals, cacheIndex } = this.#options
    host.commandOutbox.send(cacheFrame(signals, cacheIndex, host.id, host.modes))
    answer()
    // Version 1 knows no confirmation: a cache is in force when it is sent.
    if (versionOf(host.modes) < 2) this.confirm()
  }

  confirm(): void {
    if (this.#isConfirmed) return
    this.#isConfirmed = true
    void this.#run()
  }

  changeInterval(interval: number): boolean {
    this.#interval = interval
    this.#anchor = undefined
    this.#wake()
    return true
  }

  stop(): void {
    this.#abort.abort()
    this.#wake()
  }

  get #isStopped(): boolean {
    return this.#abort.signal.aborted
  }

  async #run(): Promise<void> {
    const { history, ended } = this.#options
    try {
      for await (const batch of history(this.#request)) {
        if (!this.#isStopped) await this.#publish(this.#wanted(batch))
        if (this.#isStopped) break
      }
      if (this.#isStopped) return
      this.#say({ type: 'processingComplete', text: `Processing is complete: ${this.#sent} measurements.` })
      ended(this.#sent, undefined)
    } catch (error) {
      if (this.#isStopped) return
      const text = `The history broke off: ${(error as Error).message}`
      this.#say({ type: 'failed', command: COMMAND.subscribe, text })
      ended(this.#sent, error as Error)
    }
  }

  #say(response: Parameters<typeof sttpWriteResponse>[0]): void {
    const { host } = this.#options
    host.commandOutbox.send(sttpWriteResponse(response, host.modes))
  }

  /** The rows within the limits. */
  #wanted(batch: MeasurementBatch): MeasurementBatch {
    const { start, stop } = this.#request
    const { time } = batch
    return selectRows(batch, (row) => {
      const at = time[row] as bigint
      return (start === undefined || (at >= start && at !== TIME_UNKNOWN)) && (stop === undefined || at <= stop)
    })
  }

  /** Sends rows: all at once, or frame by frame, which are rows of one time behind one another. */
  async #publish(batch: MeasurementBatch): Promise<void> {
    const { time, length } = batch
    for (let from = 0; from < length && !this.#isStopped; ) {
      let to = length
      if (this.#interval !== 0) {
        const at = time[from] as bigint
        to = frameEnd(batch, from)
        await this.#until(at)
        if (this.#isStopped) return
      }
      this.#sayStart(time[from] as bigint)
      this.#send(rowsOf(batch, from, to))
      from = to
      if (this.#interval !== 0) continue
      // Sockets are written and read between two turns.
      await new Promise((resolve) => setImmediate(resolve))
      await this.#options.host.dataOutbox.ready()
    }
  }

  #sayStart(time: bigint): void {
    if (this.#hasStarted) return
    this.#hasStarted = true
    this.#say({ type: 'dataStartTime', ticks: time === TIME_UNKNOWN ? 0n : Ticks.fromNs(time) })
  }

  /** Resolves when a frame of this time is due, also where the speed is changed meanwhile, or it is stopped. */
  async #until(time: bigint): Promise<void> {
    const { clock, host } = this.#options
    await host.dataOutbox.ready()
    while (!this.#isStopped) {
      const wait = this.#dueAt(time) - clock.elapsed()
      if (wait <= 0) break
      let timer: Timer | undefined
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        timer = clock.after(wait, resolve)
      })
      timer?.cancel()
    }
    this.#frameAt = clock.elapsed()
  }

  #dueAt(time: bigint): number {
    if (this.#interval > 0) return this.#frameAt + this.#interval
    if (this.#interval === 0 || time === TIME_UNKNOWN) return Number.NEGATIVE_INFINITY
    this.#anchor ??= { time, elapsed: this.#options.clock.elapsed() }
    return this.#anchor.elapsed + Number(time - this.#anchor.time) / 1e6
  }

  #send(batch: MeasurementBatch): void {
    const { host, own } = this.#options
    const { block } = own(batch)
    for (let first = 0; first < block.count; ) {
      const slab = this.#memory.reserve(FRAME_BYTES)
      const taken = this.#encoder.encode(block.bytes, first, slab.bytes, slab.end, this.#result)
      if (taken === 0) return
      first += taken
      const { 0: bytes = 0, 1: measurements = 0, 2: filtered = 0 } = this.#result
      if (filtered > 0) host.filtered(filtered)
      if (bytes === 0) continue
      const frames = slab.bytes.subarray(slab.end, slab.end + bytes)
      slab.end += bytes
      slab.users++
      this.#sent += measurements
      host.dataOutbox.send(frames, measurements, slab.release)
    }
  }
}
