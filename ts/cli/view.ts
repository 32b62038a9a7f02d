import { loadSystem, pipeline, SELECTION_OPTIONS, type SourceUrl } from '../ingest/index.js'
import type { Source } from '../session/index.js'
import { Playback, View } from '../view/index.js'
import type { Call, Command } from './command.js'
import { EXIT } from './command.js'
import { cliError } from './error-codes.js'
import { open, pipelineOptions, SOURCE_OPTIONS, urlsOf } from './source-options.js'
import { summarize } from './summary.js'
import { parseChoice, parseCount } from './values.js'

const IS_URL = /^[a-z][a-z0-9+.-]*:/i
const SPEEDS = ['1', '10', 'max'] as const

/** The options of the live page, for every command that has one. */
export const VIEW_OPTIONS = {
  'view-port': { value: 'PORT', line: 'the port of the live page; a free one unless told' },
} as const

export const command: Command = {
  usage: 'URL|DIR',
  line: 'shows a source, or a recording, on a live page on 127.0.0.1',
  takesUrls: true,
  options: {
    ...VIEW_OPTIONS,
    speed: { value: '1|10|max', line: 'how fast a recording is shown, from when the page is open; 1 unless told' },
    ...SELECTION_OPTIONS,
    ...SOURCE_OPTIONS,
  },
  /** A folder is a recording, with the options of one. */
  async optionsOf(args) {
    const isFolder = args.some((argument) => !argument.startsWith('-') && !IS_URL.test(argument))
    return isFolder ? (await loadSystem('file')).sourceOptions : {}
  },
  async run(call) {
    const url = await oneUrl(call)
    const isRecording = url.scheme === 'file'
    const speed = parseChoice('speed', (call.options.get('speed') as string | undefined) ?? '1', SPEEDS)
    if (call.options.has('speed') && !isRecording) {
      throw cliError('ERR_CLI_OPTION_INVALID', '--speed is for recordings: a live source has its own')
    }
    const source = await open(call, url)
    try {
      const view = await openView(call, source)
      if (!call.json) await call.out.line(view.url)
      await call.out.flush()
      const rate = speed === 'max' ? Number.POSITIVE_INFINITY : Number(speed)
      const sink = isRecording ? new Playback(view, rate, call.signal) : view
      const result = await pipeline(source, sink, pipelineOptions(call))
      // Whoever looks at a recording looks at it when it is over.
      if (isRecording && result.endedBy === 'source' && result.error === undefined) await interrupted(call)
      await view.close()
      const code = summarize(call, [result])
      return result.endedBy === 'signal' ? EXIT.interrupted : code
    } finally {
      await source.close()
    }
  },
}

/** Opens the page of a source; under `--json` says where it is. */
export async function openView(call: Call, source: Source, port?: number): Promise<View> {
  const asked = call.options.get('view-port') as string | undefined
  const at = port ?? (asked === undefined ? 0 : parseCount('view-port', asked))
  const view = await View.open(source, { port: at })
  if (call.json) await call.out.json({ event: 'view', source: source.name, url: view.url })
  return view
}

async function oneUrl(call: Call): Promise<SourceUrl> {
  const args = call.args.map((argument) => (IS_URL.test(argument) ? argument : `file:${argument}`))
  const urls = await urlsOf({ ...call, args })
  const [url] = urls
  if (url !== undefined && urls.length === 1) return url
  const names = urls.map((one) => one.option('source') ?? one.text).join(', ')
  throw cliError('ERR_CLI_ARGUMENT_UNEXPECTED', `one source at a time: --source NAME; there are ${names}`)
}

function interrupted({ signal }: Call): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
