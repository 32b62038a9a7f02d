import type { Source, SourceOptions } from '../session/index.js'
import { openRecording, sourcesOf } from '../store/reader.js'
import { ingestError } from './error-codes.js'
import type { OptionTable } from './option-table.js'
import { parseTime } from './time-text.js'
import { SourceUrl } from './url.js'

export const sourceOptions: OptionTable = {
  source: { value: 'NAME', line: 'the source in the recording; all unless told' },
  since: { value: 'TIME', line: 'rows from this time on, as 2024-01-01T12:00:00Z or ns since 1970' },
  until: { value: 'TIME', line: 'rows before this time' },
  signal: { value: 'NAME[,NAME]', line: 'signals by name or native id; * stands for anything' },
}

/** A URL for each source of the recording. */
export async function expand(url: SourceUrl): Promise<readonly SourceUrl[]> {
  if (url.option('source') !== undefined) return [url]
  const sources = await sourcesOf(url.path)
  return sources.map(({ name }) => new SourceUrl(url.text, [...url.options, ['source', name]]))
}

/** Opens a source of a recording. */
export async function openSource(url: SourceUrl, options: SourceOptions): Promise<Source> {
  const [source, since, until, signals] = ['source', 'since', 'until', 'signal'].map((name) => url.option(name))
  const sources = await openRecording(url.path, {
    ...(source === undefined ? {} : { sources: [source] }),
    ...(since === undefined ? {} : { since: parseTime('since', since) }),
    ...(until === undefined ? {} : { until: parseTime('until', until) }),
    ...(signals === undefined ? {} : { signals: signals.split(',') }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  })
  if (sources.length === 1) return sources[0] as Source
  const names = sources.map(({ name }) => name).join(', ') || 'none'
  throw ingestError('ERR_INGEST_OPTION_INVALID', `which source of ${url.path}? source=NAME; there are ${names}`)
}
