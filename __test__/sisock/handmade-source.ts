import { type Batch, Block, MeasurementBatch } from '../../ts/batch/index.js'
import { SourceSession } from '../../ts/session/index.js'
import type { SourceDescription } from '../../ts/session/source.js'

/** A source whose rows a test gives by hand. */
export class HandmadeSource extends SourceSession<Batch> {
  readonly system = 'tia'

  connect(): Promise<void> {
    return this.start()
  }

  describe(): SourceDescription {
    return { peer: 'a test', quirks: [], clock: {}, meta: {} }
  }

  /** Gives rows `[time ns, signal, value]`. */
  rows(...rows: readonly (readonly [bigint, number, number])[]): void {
    const block = new Block(rows.length)
    rows.forEach(([time, signal, value], row) => {
      block.time[row] = time
      block.signal[row] = signal
      block.value[row] = value
      block.flags[row] = 0
    })
    block.count = rows.length
    this.give(new MeasurementBatch(block, this.signals))
  }

  give(batch: Batch): void {
    this.stats.received += batch.length
    this.delivery.push({ batch, rows: batch.length, bytes: 0, release: () => {} })
  }

  /** Loses rows. */
  miss(from: bigint, to: bigint, count: number): void {
    this.lose({ cause: 'wire', from, to, count })
  }

  protected open(): Promise<void> {
    return Promise.resolve()
  }

  protected hangUp(): void {}
}
