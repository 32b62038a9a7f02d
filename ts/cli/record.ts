import { existsSync } from 'node:fs'
import { rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type PipelineOptions,
  type PipelineResult,
  pipeline,
  SELECTION_OPTIONS,
  type SourceUrl,
} from '../ingest/index.js'
import { type Source, Spill } from '../session/index.js'
import { StoreSink } from '../store/index.js'
import type { View } from '../view/index.js'
import { CAPTURE_OPTIONS, CaptureFile } from './capture-file.js'
import type { Call, Command } from './command.js'
import { cliError } from './error-codes.js'
import { describe, sinkExitCodeOf } from './exit-code.js'
import { showProgress } from './progress.js'
import { open, pipelineOptions, SOURCE_OPTIONS, urlsOf } from './source-options.js'
import { summarize } from './summary.js'
import { parseBytes } from './values.js'
import { openView, VIEW_OPTIONS } from './view.js'

/** How long rows gather before a batch is written, ms. */
const MAX_DELAY = 250

export const command: Command = {
  usage: 'URL... --out DIR',
  line: 'records sources into files: Arrow while live, Parquet when closed',
  takesUrls: true,
  options: {
    out: { value: 'DIR', line: 'where the recording is, or is to be' },
    name: { value: 'NAME', line: 'the name of the source in the recording' },
    rotate: { value: 'SIZE|TIME', line: 'when a file is closed, as 256MiB, 10m or 256MiB|10m' },
    capture: { value: 'FILE', line: 'the raw bytes of the source go there too' },
    ...CAPTURE_OPTIONS,
    compact: { line: 'make Parquet of opaque records too' },
    view: { line: 'shows each source on a live page too' },
    ...VIEW_OPTIONS,
    ...SELECTION_OPTIONS,
    ...SOURCE_OPTIONS,
    policy: {
      value: 'POLICY',
      line: 'when rows come faster than they go: block (default), drop-oldest, disconnect, spill',
    },
    spill: { value: 'DIR', line: 'where rows wait under --policy spill; the directory of temporary files unless told' },
    'spill-limit': { value: 'SIZE', line: 'how much may wait there, as 4GiB (default); then the source waits' },
  },
  async run(call) {
    const out = call.options.get('out') as string | undefined
    if (out === undefined) throw cliError('ERR_CLI_ARGUMENT_MISSING', 'where to? --out DIR')
    return record(call, await urlsOf(call), out)
  },
}

/** Records the sources of some URLs into a directory. */
export async function record(call: Call, urls: readonly SourceUrl[], out: string): Promise<number> {
  const name = call.options.get('name') as string | undefined
  if (name !== undefined && urls.length > 1) throw cliError('ERR_CLI_OPTION_INVALID', '--name is for one source')
  const captured = call.options.get('capture') as string | undefined
  if (captured !== undefined && urls.length > 1) throw cliError('ERR_CLI_OPTION_INVALID', '--capture is for one source')
  if (captured === undefined && call.options.has('redact'))
    throw cliError('ERR_CLI_OPTION_INVALID', '--redact goes with --capture')
  const options = pipelineOptions(call, ['spill'])
  const spillOf = spills(call)
  const rotation = call.options.get('rotate') as string | undefined
  const isNew = !existsSync(out)
  let sink: StoreSink
  try {
    sink = await StoreSink.open(out, {
      compactRecords: call.options.has('compact'),
      ...(rotation === undefined ? {} : { rotation }),
    })
  } catch (error) {
    call.err.write(`measurand: ${describe(error)}\n`)
    return sinkExitCodeOf(error)
  }
  for (const { source, cut } of sink.recovered) {
    call.err.write(`${source}: its writer had died; ${cut.length} files were cut\n`)
  }
  const sources: Source[] = []
  let capture: CaptureFile | undefined
  const results: PipelineResult[] = []
  let sinkError: Error | undefined
  let hasBegun = false
  try {
    for (const url of urls) {
      if (captured !== undefined) capture = await CaptureFile.open(call, captured, url)
      const tap = capture === undefined ? {} : { network: capture.network }
      sources.push(await open(call, url, { maxDelay: MAX_DELAY, ...tap, ...(name === undefined ? {} : { name }) }))
    }
    hasBegun = true
    results.push(...(await store(call, sources, urls, sink, options, spillOf)))
  } finally {
    await Promise.all(sources.map((source) => source.close()))
    for (const file of [sink, capture]) {
      await file?.close().catch((error: Error) => {
        sinkError ??= error
      })
    }
    // Where a source did not come about, nothing was recorded, and nothing is left of it.
    if (isNew && !hasBegun) await forget(out)
  }
  return summarize(call, results, sinkError)
}

/** Removes a recording without sources. */
async function forget(out: string): Promise<void> {
  await rm(join(out, 'recording.json'), { force: true })
  await rmdir(out).catch(() => {})
}

async function store(
  call: Call,
  sources: readonly Source[],
  urls: readonly SourceUrl[],
  sink: StoreSink,
  options: PipelineOptions,
  spillOf: (source: Source) => Pick<PipelineOptions, 'policy'>,
): Promise<PipelineResult[]> {
  const endProgress = showProgress(call, sources)
  const views: View[] = []
  try {
    if (call.options.has('view')) {
      // The port that was asked for is that of the first page.
      for (const source of sources) {
        const view = await openView(call, source, views.length === 0 ? undefined : 0)
        views.push(view)
        if (!call.json) call.err.write(`${source.name}: ${view.url}\n`)
      }
    }
    return await Promise.all(
      sources.map(async (source, index) => {
        // What fails here fails again at the first row, and is told there.
        await sink.add(source, (urls[index] as SourceUrl).text).catch(() => {})
        const target = views[index]?.besides(sink) ?? sink
        const result = await pipeline(source, target, { ...options, ...spillOf(source) })
        // Where the sink could not even begin, the result says so.
        await sink.settle(source, result.books).catch(() => {})
        return result
      }),
    )
  } finally {
    endProgress()
    await Promise.all(views.map((view) => view.close()))
  }
}

/** Each source waits in a file of its own. */
function spills(call: Call): (source: Source) => Pick<PipelineOptions, 'policy'> {
  const [directory, limit] = [call.options.get('spill'), call.options.get('spill-limit')] as (string | undefined)[]
  const maxBytes = limit === undefined ? undefined : parseBytes('spill-limit', limit)
  if (call.options.get('policy') !== 'spill') {
    const unused = directory ?? limit
    if (unused !== undefined)
      throw cliError('ERR_CLI_OPTION_INVALID', '--spill and --spill-limit go with --policy spill')
    return () => ({})
  }
  return ({ name }) => ({
    policy: new Spill({
      ...(directory === undefined ? {} : { directory }),
      ...(maxBytes === undefined ? {} : { maxBytes }),
      onFault: ({ message }) => call.err.write(`${name}: rows cannot wait on disk, the source waits: ${message}\n`),
    }),
  })
}
