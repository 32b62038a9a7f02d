import type { Batch } from '../batch/index.js'
import type { Sink, Source } from '../session/index.js'
import type { Output } from './output.js'
import type { RowFormat } from './row-format.js'

/** Prints rows. */
export class RowSink implements Sink {
  stored = 0
  readonly #out: Output
  readonly #format: RowFormat
  readonly #headed = new Set<string>()

  constructor(out: Output, format: RowFormat) {
    this.#out = out
    this.#format = format
  }

  async write(given: Batch, source: Source): Promise<void> {
    const batch = (this.#format.ofMeasurements ? source.derive?.(given) : undefined) ?? given
    if (!this.#headed.has(batch.table)) {
      this.#headed.add(batch.table)
      const head = this.#format.head?.(batch)
      if (head !== undefined) await this.#out.line(head)
    }
    for (const line of this.#format.lines(batch, source)) await this.#out.line(line)
    this.stored += source.countOf(given)
    // Nobody reads on: what was printed was all that was wanted.
    if (this.#out.isOver) void source.close()
  }

  async close(): Promise<void> {
    await this.#out.flush()
  }
}
