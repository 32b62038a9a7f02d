import { pipeline } from '../ingest/index.js'
import { CAPTURE_OPTIONS, CaptureFile } from './capture-file.js'
import type { Command } from './command.js'
import { cliError } from './error-codes.js'
import { showProgress } from './progress.js'
import { open, pipelineOptions, SOURCE_OPTIONS, urlsOf } from './source-options.js'
import { summarize } from './summary.js'

export const command: Command = {
  usage: 'URL -o FILE',
  line: 'writes the raw bytes of a source with time and direction, as they are read and sent',
  takesUrls: true,
  options: {
    out: { value: 'FILE', short: 'o', line: 'the capture' },
    ...CAPTURE_OPTIONS,
    ...SOURCE_OPTIONS,
  },
  async run(call) {
    const out = call.options.get('out') as string | undefined
    if (out === undefined) throw cliError('ERR_CLI_ARGUMENT_MISSING', 'where to? -o FILE')
    const [url, ...more] = await urlsOf(call)
    if (url === undefined || more.length > 0) throw cliError('ERR_CLI_ARGUMENT_UNEXPECTED', 'one source at a time')
    const capture = await CaptureFile.open(call, out, url)
    try {
      await using source = await open(call, url, { network: capture.network })
      const endProgress = showProgress(call, [source])
      const result = await pipeline(source, capture, pipelineOptions(call)).finally(endProgress)
      const sinkError = await capture.close().then(
        () => undefined,
        (error: Error) => error,
      )
      return summarize(call, [result], result.endedBy === 'sink' ? undefined : sinkError)
    } finally {
      await capture.close().catch(() => {})
    }
  },
}
