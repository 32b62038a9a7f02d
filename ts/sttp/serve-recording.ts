import { MeasurementBatch, type SignalTable, TIME_UNKNOWN } from '../batch/index.js'
import { sleep, systemClock } from '../session/index.js'
import { openRecording, type ReadOptions, type RecordingSource, sourcesOf } from '../store/reader.js'
import { sttpError } from './error-codes.js'
import type { History } from './history.js'
import type { Publisher } from './publisher.js'
import { recordedMetadata, recordedSignals } from './recorded-signals.js'
import { frameEnd, rowsOf } from './time-frames.js'

/** How fast a recording is played: so many times as fast as it was, or as fast as it goes. */
export type Speed = number | 'max'

/**
 * A recording that a publisher serves: played at its own pace to those who subscribe, and what they ask for of it to
 * those who subscribe to a history.
 */
export class ServedRecording {
  readonly #directory: string
  readonly #name: string
  readonly #signals: SignalTable
  readonly #first: RecordingSource
  #newest = TIME_UNKNOWN

  private constructor(directory: string, first: RecordingSource) {
    this.#directory = directory
    this.#name = first.name
    this.#first = first
    this.#signals = recordedSignals(first)
  }

  /** Opens a source of a recording, which may be left out where there is one alone. */
  static async open(directory: string, source?: string): Promise<ServedRecording> {
    const names = (await sourcesOf(directory)).map(({ name }) => name)
    const [only] = names
    const name = source ?? only
    if (name === undefined || (source === undefined && names.length > 1)) {
      const known = names.join(', ') || 'none'
      throw sttpError('ERR_STTP_OPTION_INVALID', `which source of ${directory}? --source NAME; there are ${known}`)
    }
    const [first] = await openRecording(directory, { sources: [name] })
    return new ServedRecording(directory, first as RecordingSource)
  }

  /** Tells a publisher the signals and gives it the history. */
  describe(publisher: Publisher): void {
    publisher.defineMetadata(recordedMetadata(this.#signals, this.#name))
    publisher.history = this.history
    publisher.historyTime = () => (this.#newest === TIME_UNKNOWN ? systemClock.now() : this.#newest)
  }

  /** What lies between two times, as it was stored. */
  readonly history: History = async function* (this: ServedRecording, request: Parameters<History>[0]) {
    const limits: ReadOptions = {
      sources: [this.#name],
      signal: request.abort,
      ...(request.start === undefined ? {} : { since: request.start }),
      ...(request.stop === undefined ? {} : { until: request.stop + 1n }),
    }
    const [source] = await openRecording(this.#directory, limits)
    if (source !== undefined) yield* this.#batches(source)
  }.bind(this) as History

  /** Plays it once; resolves behind the last row, or when the publisher is closed. */
  async play(publisher: Publisher, speed: Speed): Promise<void> {
    const ended = new AbortController()
    void publisher.closed.then(() => ended.abort())
    let anchor: { time: bigint; elapsed: number } | undefined
    for await (const batch of this.#batches(this.#first)) {
      for (let from = 0; from < batch.length; ) {
        if (ended.signal.aborted) return
        const to = speed === 'max' ? batch.length : frameEnd(batch, from)
        const time = batch.time[from] as bigint
        if (speed !== 'max' && time !== TIME_UNKNOWN) {
          anchor ??= { time, elapsed: systemClock.elapsed() }
          const due = anchor.elapsed + Number(time - anchor.time) / 1e6 / speed
          const wait = due - systemClock.elapsed()
          if (wait > 0) await sleep(systemClock, wait, ended.signal).catch(() => {})
        }
        const isReady = publisher.publish(rowsOf(batch, from, to))
        const last = batch.time[to - 1] as bigint
        if (last > this.#newest) this.#newest = last
        from = to
        if (!isReady) await publisher.ready()
        // Sockets are written and read between two turns.
        if (speed === 'max') await new Promise((resolve) => setImmediate(resolve))
      }
    }
  }

  async *#batches(source: RecordingSource): AsyncGenerator<MeasurementBatch, undefined> {
    for await (const batch of source) {
      if (batch instanceof MeasurementBatch) yield new MeasurementBatch(batch.block, this.#signals, 'f32')
    }
    return undefined
  }
}
