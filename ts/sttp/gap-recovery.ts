import { Block, COLUMN, MeasurementBatch, type SignalTable, TIME_UNKNOWN } from '../batch/index.js'
import { type Clock, type Delivery, type Ready, sleep } from '../session/index.js'
import { SttpRowTimes } from './codec.js'
import { sttpError } from './error-codes.js'

/** How far gaps are fetched back. */
export interface GapRecoveryOptions {
  /** ms; gaps that began longer ago stay open. 24 hours unless told. */
  readonly maxAge?: number
  /** Measurements per second at which a gap is fetched back at most; 1,000,000 unless told. */
  readonly maxRate?: number
  /** Gaps that may wait to be fetched back; those beyond stay open. 16 unless told. */
  readonly maxGaps?: number
  /** How often one gap is tried; 3 times unless told. */
  readonly attempts?: number
  /** ms from the new connection to the request, so that the publisher has stored what it had under way; 2,000 unless told. */
  readonly delay?: number
  /** ms by which the measurements of one moment may come apart; 10,000 unless told. */
  readonly overlap?: number
}

/** A historical subscription on a connection of its own. */
export interface HistoryReader extends AsyncIterable<MeasurementBatch> {
  close(): Promise<void>
}

/** What the recovery needs of its subscriber. */
export interface RecoveryHost {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly signals: SignalTable
  readonly stats: { received: number }
  readonly delivery: Delivery<MeasurementBatch>
  /** Whether rows are still taken. */
  isOpen(): boolean
  /** Subscribes to what was between two times, ns since 1970-01-01 UTC, both inclusive. */
  read(start: bigint, stop: bigint): Promise<HistoryReader>
  /** When a gap began, ns since 1970-01-01 UTC. */
  began(gap: number): bigint
  /** Rows of a gap have come. */
  recovered(gap: number, rows: number): void
  /** All rows of a gap have come: so many. */
  closed(gap: number, rows: number): void
  tell(state: string, detail: Readonly<Record<string, unknown>>): void
}

/** A gap: what was known of each signal when the connection broke, and what came on the next one. */
interface Gap {
  /** Records of the ledger; those behind the first are of connections on which nothing came. */
  readonly ids: number[]
  /** The last time of each signal that came before. */
  readonly before: BigInt64Array
  /** What has come since. */
  readonly after: SttpRowTimes
}

const DAY = 86_400_000
const BLOCK_ROWS = 16_384
const NS_PER_MS = 1_000_000n

/**
 * Fetches back what was missed while a connection was broken, by a historical subscription on a second one. For every
 * signal the rows are taken that lie between the last that came before and the first that came behind the gap, so that
 * none comes twice.
 */
export class GapRecovery {
  readonly #host: RecoveryHost
  readonly #options: Required<GapRecoveryOptions>
  readonly #gaps: Gap[] = []
  /** Up to which time each signal is complete because a gap was fetched back. */
  #settled = new BigInt64Array(0)
  #before = new BigInt64Array(0)
  #times = new SttpRowTimes()
  /** The publisher gives no history: it is not asked again. */
  #isRefused = false
  #running: Promise<void> | undefined

  constructor(host: RecoveryHost, options: GapRecoveryOptions = {}) {
    this.#host = host
    this.#options = { maxAge: DAY, maxRate: 1e6, maxGaps: 16, attempts: 3, delay: 2000, overlap: 10_000, ...options }
  }

  /** Notes the rows of a block from `first` on, which a connection has brought. */
  observe(block: Uint8Array, first: number): void {
    this.#times.observe(block, first)
  }

  /** The connection broke. */
  lost(): void {
    this.#before = merged(this.#before, this.#times.last())
    this.#times = new SttpRowTimes()
  }

  /** Another connection stands: the gap is in the ledger. */
  reconnected(gap: number): void {
    if (this.#isRefused) return
    if (this.#gaps.length >= this.#options.maxGaps) {
      this.#host.tell('gap-kept', { gap, reason: `${this.#gaps.length} gaps wait already` })
      return
    }
    this.#gaps.push({ ids: [gap], before: this.#before, after: this.#times })
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
  }

  /** Resolves when no gap waits to be fetched back. */
  async idle(): Promise<void> {
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock, signal } = this.#host
    try {
      while (this.#gaps.length > 0) {
        await this.#hasRows()
        await sleep(clock, this.#options.delay, signal)
        await this.#recover(this.#gaps[0] as Gap)
        this.#gaps.shift()
      }
    } catch {
      // The session ends: what waits stays open in the ledger.
    }
  }

  /** Resolves when rows have come behind the first gap; where its connection breaks before, the next gap takes it in. */
  async #hasRows(): Promise<void> {
    for (;;) {
      const [gap, next] = this.#gaps as [Gap, Gap?]
      if (gap.after.last().length > 0) return
      if (next === undefined) await sleep(this.#host.clock, this.#options.delay, this.#host.signal)
      else {
        next.ids.unshift(...gap.ids)
        this.#gaps.shift()
      }
    }
  }

  async #recover(gap: Gap): Promise<void> {
    const { attempts, maxAge } = this.#options
    const [id] = gap.ids as [number, ...number[]]
    const age = Number((this.#host.clock.now() - this.#host.began(id)) / NS_PER_MS)
    if (age > maxAge) {
      this.#host.tell('gap-kept', { gap: id, reason: `it is ${Math.round(age / 1000)} s old` })
      return
    }
    const range = this.#rangeOf(gap)
    if (range === undefined) {
      this.#host.tell('gap-kept', { gap: id, reason: 'the times behind it lie before it' })
      return
    }
    const fetch = new Fetch(this.#host, gap, range, this.#options.maxRate)
    for (let attempt = 1; attempt <= attempts && !this.#isRefused; attempt++) {
      this.#host.tell('recovering', { gap: id, attempt, from: String(range.start), to: String(range.stop) })
      try {
        await fetch.run()
        this.#settled = merged(this.#settled, fetch.settled())
        this.#host.closed(id, fetch.rows)
        for (const other of gap.ids.slice(1)) this.#host.closed(other, 0)
        this.#host.tell('recovered', { gap: id, measurements: fetch.rows })
        return
      } catch (error) {
        const { code, message } = error as Error & { code?: string }
        this.#host.signal.throwIfAborted()
        this.#isRefused = code === 'ERR_STTP_SUBSCRIPTION_REFUSED' || code === 'ERR_STTP_HISTORY_IGNORED'
        this.#host.tell('recovery-failed', { gap: id, attempt, code: code ?? '', message })
        if (!this.#isRefused && attempt < attempts) {
          await sleep(this.#host.clock, this.#options.delay * 2 ** attempt, this.#host.signal)
        }
      }
    }
  }

  #rangeOf(gap: Gap): Range | undefined {
    const before = merged(gap.before, this.#settled)
    const first = gap.after.first()
    const newest = greatest(before)
    const stop = greatest(first)
    const oldest = before.reduce((least, time) => (time !== TIME_UNKNOWN && time < least ? time : least), newest)
    const apart = newest - BigInt(Math.round(this.#options.overlap)) * NS_PER_MS
    const start = oldest > apart ? oldest : apart
    return newest === TIME_UNKNOWN || stop < start ? undefined : { start, stop, before }
  }
}

interface Range {
  readonly start: bigint
  readonly stop: bigint
  readonly before: BigInt64Array
}

/** The tries to fetch one gap back: a later one goes on where the one before ended. */
class Fetch {
  rows = 0
  readonly #host: RecoveryHost
  readonly #gap: Gap
  readonly #range: Range
  readonly #maxRate: number
  #before: BigInt64Array
  #got = new BigInt64Array(0)

  constructor(host: RecoveryHost, gap: Gap, range: Range, maxRate: number) {
    this.#host = host
    this.#gap = gap
    this.#range = range
    this.#maxRate = maxRate
    this.#before = range.before
  }

  async run(): Promise<void> {
    this.#before = merged(this.#before, this.#got)
    this.#got = new BigInt64Array(this.#before.length).fill(TIME_UNKNOWN)
    const { clock, signal } = this.#host
    const reader = await this.#host.read(this.#range.start, this.#range.stop)
    const started = clock.elapsed()
    let read = 0
    try {
      for await (const batch of reader) {
        await this.#take(batch)
        read += batch.length
        const ahead = started + (read * 1000) / this.#maxRate - clock.elapsed()
        if (ahead > 1) await sleep(clock, ahead, signal)
      }
    } finally {
      await reader.close()
    }
  }

  /** Up to which time each signal is complete now. */
  settled(): BigInt64Array {
    const first = this.#gap.after.first()
    return BigInt64Array.from({ length: Math.max(first.length, this.#before.length) }, (_, row) => {
      const time = first[row] ?? TIME_UNKNOWN
      return time === TIME_UNKNOWN ? this.#range.stop : time - 1n
    })
  }

  async #take(batch: MeasurementBatch): Promise<void> {
    const { signals, stats, delivery, isOpen } = this.#host
    const first = this.#gap.after.first()
    const rows = Uint32Array.from(batch.signals, (signal) => signals.rowOf(signal.nativeId) ?? signals.add(signal))
    for (let from = 0; from < batch.length; ) {
      const block = new Block(Math.min(BLOCK_ROWS, batch.length - from), batch.block.present)
      from = this.#fill(block, batch, from, rows, first)
      if (block.count === 0) continue
      if (!isOpen()) throw sttpError('ERR_STTP_CONNECTION_CLOSED', 'the session ends')
      stats.received += block.count
      this.rows += block.count
      await new Promise<void>((resolve) => {
        const ready = new MeasurementBatch(block, signals, 'f32')
        delivery.push(
          new Recovered(ready, () => {
            // What a closing session throws away was not received.
            if (!this.#host.signal.aborted) this.#host.recovered(this.#gap.ids[0] as number, ready.length)
            resolve()
          }),
        )
      })
    }
  }

  /** Copies rows that are missing into a block until it is full; gives the row behind the last that was looked at. */
  #fill(block: Block, batch: MeasurementBatch, from: number, rows: Uint32Array, first: BigInt64Array): number {
    const { start, stop } = this.#range
    const { time, value, signal, flags, rawTime } = batch
    let count = 0
    let row = from
    for (; row < batch.length && count < block.capacity; row++) {
      const at = time[row] as bigint
      if (at < start - TICK || at > stop + TICK) {
        throw sttpError('ERR_STTP_HISTORY_IGNORED', 'the publisher sends what lies outside the limits of the history')
      }
      const known = rows[signal[row] as number] as number
      const before = this.#before[known] ?? TIME_UNKNOWN
      const after = first[known] ?? TIME_UNKNOWN
      if (at <= before || (after !== TIME_UNKNOWN && at >= after)) continue
      if (at > (this.#got[known] ?? TIME_UNKNOWN)) this.#got = grown(this.#got, known, at)
      block.time[count] = at
      block.value[count] = value[row] as number
      block.signal[count] = known
      block.flags[count] = flags[row] as number
      if (rawTime !== undefined) block.rawTime[count] = rawTime[row] as bigint
      count++
    }
    block.count = count
    if (rawTime !== undefined) block.present = COLUMN.rawTime
    return row
  }
}

/** Limits are sent as ticks of 100 ns. */
const TICK = 100n

class Recovered implements Ready<MeasurementBatch> {
  readonly batch: MeasurementBatch
  readonly rows: number
  readonly bytes: number
  readonly release: () => void

  constructor(batch: MeasurementBatch, release: () => void) {
    this.batch = batch
    this.rows = batch.length
    this.bytes = batch.block.bytes.length
    this.release = release
  }
}

/** The later time of each signal. */
function merged(a: BigInt64Array, b: BigInt64Array): BigInt64Array<ArrayBuffer> {
  const [longer, shorter] = a.length >= b.length ? [a, b] : [b, a]
  const result = BigInt64Array.from(longer)
  for (let row = 0; row < shorter.length; row++) {
    const time = shorter[row] as bigint
    if (time > (result[row] as bigint)) result[row] = time
  }
  return result
}

function grown(times: BigInt64Array, row: number, time: bigint): BigInt64Array<ArrayBuffer> {
  let result = times as BigInt64Array<ArrayBuffer>
  if (row >= times.length) {
    result = new BigInt64Array(row + 1).fill(TIME_UNKNOWN)
    result.set(times)
  }
  result[row] = time
  return result
}

function greatest(times: BigInt64Array): bigint {
  return times.reduce((most, time) => (time > most ? time : most), TIME_UNKNOWN)
}
