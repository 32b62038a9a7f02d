import type { Batch } from '../batch/index.js'
import { pipeline } from '../ingest/index.js'
import type { Sink, Source } from '../session/index.js'
import type { Command } from './command.js'
import type { Output } from './output.js'
import { showProgress } from './progress.js'
import { FORMATS, type RowFormat } from './row-format.js'
import { open, pipelineOptions, SOURCE_OPTIONS, urlsOf } from './source-options.js'
import { summarize } from './summary.js'
import { parseChoice } from './values.js'

export const command: Command = {
  usage: 'URL...',
  line: 'prints the rows of sources',
  takesUrls: true,
  options: { format: { value: 'FORMAT', line: 'text (default), json, csv or influx' }, ...SOURCE_OPTIONS },
  async run(call) {
    const urls = await urlsOf(call)
    const options = pipelineOptions(call)
    const named = parseChoice('format', (call.options.get('format') as string | undefined) ?? 'text', [
      'text',
      'json',
      'csv',
      'influx',
    ])
    const sources: Source[] = []
    try {
      for (const url of urls) sources.push(await open(call, url))
      const sink = new RowSink(call.out, FORMATS[call.json ? 'json' : named])
      const endProgress = call.out.isTerminal ? () => {} : showProgress(call, sources)
      try {
        return summarize(call, await Promise.all(sources.map((source) => pipeline(source, sink, options))))
      } finally {
        endProgress()
      }
    } finally {
      await Promise.all(sources.map((source) => source.close()))
    }
  },
}

/** Prints rows. */
class RowSink implements Sink {
  stored = 0
  readonly #out: Output
  readonly #format: RowFormat
  readonly #headed = new Set<string>()

  constructor(out: Output, format: RowFormat) {
    this.#out = out
    this.#format = format
  }

  async write(batch: Batch, source: Source): Promise<void> {
    if (!this.#headed.has(batch.table)) {
      this.#headed.add(batch.table)
      const head = this.#format.head?.(batch)
      if (head !== undefined) await this.#out.line(head)
    }
    for (const line of this.#format.lines(batch, source)) await this.#out.line(line)
    this.stored += source.countOf(batch)
    // Nobody reads on: what was printed was all that was wanted.
    if (this.#out.isOver) void source.close()
  }

  async close(): Promise<void> {
    await this.#out.flush()
  }
}
