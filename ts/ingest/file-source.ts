import type { Source, SourceOptions } from '../session/index.js'
import { openRecording, sourcesOf } from '../store/reader.js'
import { ingestError } from './error-codes.js'
import type { OptionTable } from './option-table.js'
import { SELECTION_OPTIONS, selectionOf } from './selection.js'
import { SourceUrl } from './url.js'

export const sourceOptions: OptionTable = {
  source: { value: 'NAME', line: 'the source in the recording; all unless told' },
  ...SELECTION_OPTIONS,
}

/** A URL for each source of the recording. */
export async function expand(url: SourceUrl): Promise<readonly SourceUrl[]> {
  if (url.option('source') !== undefined) return [url]
  const sources = await sourcesOf(url.path)
  return sources.map(({ name }) => new SourceUrl(url.text, [...url.options, ['source', name]]))
}

/** Opens a source of a recording. */
export async function openSource(url: SourceUrl, options: SourceOptions): Promise<Source> {
  const source = url.option('source')
  const sources = await openRecording(url.path, {
    ...selectionOf(url, {}),
    ...(source === undefined ? {} : { sources: [source] }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  })
  if (sources.length === 1) return sources[0] as Source
  const names = sources.map(({ name }) => name).join(', ') || 'none'
  throw ingestError('ERR_INGEST_OPTION_INVALID', `which source of ${url.path}? source=NAME; there are ${names}`)
}
