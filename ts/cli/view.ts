import { pipeline } from '../ingest/index.js'
import { View } from '../view/index.js'
import type { Command } from './command.js'
import { EXIT } from './command.js'
import { cliError } from './error-codes.js'
import { open, pipelineOptions, SOURCE_OPTIONS, urlsOf } from './source-options.js'
import { summarize } from './summary.js'
import { parseCount } from './values.js'

export const command: Command = {
  usage: 'URL|DIR',
  line: 'shows a source on a live page on 127.0.0.1',
  takesUrls: true,
  options: {
    'view-port': { value: 'PORT', line: 'the port of the page; a free one unless told' },
    ...SOURCE_OPTIONS,
  },
  async run(call) {
    const args = call.args.map((argument) => (/^[a-z][a-z0-9+.-]*:/i.test(argument) ? argument : `file:${argument}`))
    const urls = await urlsOf({ ...call, args })
    const [url] = urls
    if (url === undefined || urls.length > 1) throw cliError('ERR_CLI_ARGUMENT_UNEXPECTED', 'one source at a time')
    const port = call.options.get('view-port') as string | undefined
    const source = await open(call, url)
    try {
      const view = await View.open(source, port === undefined ? {} : { port: parseCount('view-port', port) })
      if (call.json) await call.out.json({ event: 'view', url: view.url })
      else await call.out.line(view.url)
      await call.out.flush()
      const result = await pipeline(source, view, pipelineOptions(call))
      await view.close()
      return call.signal.aborted ? EXIT.interrupted : summarize(call, [result])
    } finally {
      await source.close()
    }
  },
}
