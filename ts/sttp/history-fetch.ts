import { Block, COLUMN, MeasurementBatch, type SignalTable, TIME_UNKNOWN } from '../batch/index.js'
import { type Clock, type Delivery, type Ready, sleep } from '../session/index.js'
import { sttpError } from './error-codes.js'
import { type MissingRange, merged } from './missing-rows.js'

/** A historical subscription on a connection of its own. */
export interface HistoryReader extends AsyncIterable<MeasurementBatch> {
  close(): Promise<void>
}

/** What a fetch needs of its subscriber. */
export interface FetchHost {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly signals: SignalTable
  readonly stats: { received: number }
  readonly delivery: Delivery<MeasurementBatch>
  /** Whether rows are still taken. */
  isOpen(): boolean
  /** Subscribes to what was between two times, ns since 1970-01-01 UTC, both inclusive. */
  read(start: bigint, stop: bigint): Promise<HistoryReader>
  /** So many rows have come to the consumer. */
  recovered(rows: number): void
}

const BLOCK_ROWS = 16_384

/** The tries to fetch missing rows back: a later one goes on where the one before ended. */
export class HistoryFetch {
  rows = 0
  readonly #host: FetchHost
  readonly #range: MissingRange
  readonly #maxRate: number
  #before: BigInt64Array
  #got = new BigInt64Array(0)

  constructor(host: FetchHost, range: MissingRange, maxRate: number) {
    this.#host = host
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

  async #take(batch: MeasurementBatch): Promise<void> {
    const { signals, stats, delivery, isOpen } = this.#host
    const rows = Uint32Array.from(batch.signals, (signal) => signals.rowOf(signal.nativeId) ?? signals.add(signal))
    for (let from = 0; from < batch.length; ) {
      const block = new Block(Math.min(BLOCK_ROWS, batch.length - from), batch.block.present)
      from = this.#fill(block, batch, from, rows)
      if (block.count === 0) continue
      if (!isOpen()) throw sttpError('ERR_STTP_CONNECTION_CLOSED', 'the session ends')
      stats.received += block.count
      this.rows += block.count
      await new Promise<void>((resolve) => {
        const ready = new MeasurementBatch(block, signals, 'f32')
        delivery.push(
          new Recovered(ready, () => {
            // What a closing session throws away was not received.
            if (!this.#host.signal.aborted) this.#host.recovered(ready.length)
            resolve()
          }),
        )
      })
    }
  }

  /** Copies rows that are missing into a block until it is full; gives the row behind the last that was looked at. */
  #fill(block: Block, batch: MeasurementBatch, from: number, rows: Uint32Array): number {
    const { start, stop, isListed } = this.#range
    const { time, value, signal, flags, rawTime } = batch
    let count = 0
    let row = from
    for (; row < batch.length && count < block.capacity; row++) {
      const at = time[row] as bigint
      if (at < start - TICK || at > stop + TICK) {
        throw sttpError('ERR_STTP_HISTORY_IGNORED', 'the publisher sends what lies outside the limits of the history')
      }
      const known = rows[signal[row] as number] as number
      const before = this.#before[known] ?? (isListed ? stop : TIME_UNKNOWN)
      const after = this.#range.after[known] ?? TIME_UNKNOWN
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

/** Rows that were fetched back, on their way to the consumer. */
export class Recovered implements Ready<MeasurementBatch> {
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

function grown(times: BigInt64Array, row: number, time: bigint): BigInt64Array<ArrayBuffer> {
  let result = times as BigInt64Array<ArrayBuffer>
  if (row >= times.length) {
    result = new BigInt64Array(row + 1).fill(TIME_UNKNOWN)
    result.set(times)
  }
  result[row] = time
  return result
}
