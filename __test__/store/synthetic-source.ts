import { type Batch, Block, COLUMN, MeasurementBatch, SignalTable, TIME_UNKNOWN } from '../../ts/batch/index.js'
import {
  Ledger,
  type Policy,
  type Source,
  type SourceDescription,
  Stats,
  StatusStream,
  systemClock,
} from '../../ts/session/index.js'

export const T0 = 1_704_067_200_000_000_000n

/** A source whose rows obey the formula of the command line's synthetic sources. */
export class SyntheticSource implements Source<MeasurementBatch> {
  readonly name: string
  readonly system: string
  readonly signals = new SignalTable()
  readonly stats = new Stats()
  readonly ledger: Ledger
  readonly status: StatusStream
  policy: Policy = 'block'
  readonly closed = Promise.resolve(undefined)
  readonly #optional: number
  readonly #block: Block
  #row = 0

  constructor(options: { name?: string; system?: string; signals?: number; rows?: number; optional?: number } = {}) {
    const { name = 'synthetic', system = 'sttp', signals = 100, rows = 65_536, optional = 0 } = options
    this.name = name
    this.system = system
    this.ledger = new Ledger(name, systemClock)
    this.status = new StatusStream(name, systemClock)
    this.#optional = optional
    this.#block = new Block(rows, optional)
    for (let k = 0; k < signals; k++) {
      const nativeId = Buffer.alloc(16)
      nativeId.writeUInt32BE(k, 12)
      this.signals.add({ nativeId, name: `SYN:T${k}`, kind: 'FREQ', rateHz: 30 })
    }
  }

  /** The next rows; they are valid until the next call. */
  next(rows = this.#block.capacity, options: { unknownEvery?: number } = {}): MeasurementBatch {
    const block = this.#block
    const signals = this.signals.length
    block.clear()
    for (let at = 0; at < rows; at++, this.#row++) {
      const [k, n] = [this.#row % signals, Math.floor(this.#row / signals)]
      block.time[at] = T0 + BigInt(Math.floor((n * 1e9) / 30))
      block.value[at] = 1000 * (k % 4000) + 0.25 * (n % 4000)
      block.signal[at] = k
      block.flags[at] = 0
      if (this.#optional & COLUMN.seq) block.seq[at] = BigInt(n)
      if (this.#optional & COLUMN.idx) block.idx[at] = k
      if (options.unknownEvery !== undefined && this.#row % options.unknownEvery === 0) {
        block.time[at] = TIME_UNKNOWN
        block.nulls = COLUMN.time
      }
    }
    block.count = rows
    block.present = this.#optional
    this.stats.received += rows
    return new MeasurementBatch(block, this.signals, 'f32')
  }

  describe(): SourceDescription {
    return { peer: `${this.system}://user:pass@127.0.0.1:7165?secret=x`, quirks: ['none'], clock: {}, meta: {} }
  }

  /** Of records only data counts. */
  countOf(batch: Batch): number {
    if (batch.table !== 'record') return batch.length
    const kinds = batch.columns().find(({ field }) => field.name === 'kind')?.buffers[1] ?? []
    return Array.from(kinds).filter((kind) => kind === 0).length
  }

  async consume(): Promise<void> {}
  async close(): Promise<void> {}
  async drain(): Promise<void> {}
  async [Symbol.asyncDispose](): Promise<void> {}
  [Symbol.asyncIterator](): AsyncIterator<MeasurementBatch, undefined> {
    return { next: () => Promise.resolve({ done: true, value: undefined }) }
  }
}
