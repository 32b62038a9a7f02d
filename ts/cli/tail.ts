import { pipeline, SELECTION_OPTIONS } from '../ingest/index.js'
import type { Source } from '../session/index.js'
import type { Command } from './command.js'
import { showProgress } from './progress.js'
import { FORMATS } from './row-format.js'
import { RowSink } from './row-sink.js'
import { open, pipelineOptions, SOURCE_OPTIONS, urlsOf } from './source-options.js'
import { summarize } from './summary.js'
import { parseChoice } from './values.js'

export const command: Command = {
  usage: 'URL...',
  line: 'prints the rows of sources',
  takesUrls: true,
  options: {
    format: { value: 'FORMAT', line: 'text (default), json, csv or influx' },
    ...SELECTION_OPTIONS,
    ...SOURCE_OPTIONS,
  },
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
