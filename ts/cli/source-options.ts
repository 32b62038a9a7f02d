import {
  expandUrl,
  loadSystem,
  type OptionTable,
  openSource,
  type PipelineOptions,
  SourceUrl,
} from '../ingest/index.js'
import { type Policy, type Source, type SourceOptions, type StatusEvent, statusJson } from '../session/index.js'
import type { Call } from './command.js'
import { cliError } from './error-codes.js'
import { parseChoice, parseCount, parseDuration } from './values.js'

/** Options of every command that reads from sources. */
export const SOURCE_OPTIONS = {
  limit: { value: 'N', line: 'end after N rows of each source (measurements, records or events)' },
  duration: { value: 'TIME', line: 'end after a time, as 30s or 10m' },
  wait: { value: 'TIME', line: 'how long the first connection is tried; once unless told' },
  'no-reconnect': { line: 'end when the connection breaks' },
  policy: { value: 'POLICY', line: 'when rows come faster than they go: block (default), drop-oldest, disconnect' },
} as const satisfies OptionTable

const POLICIES: readonly Policy[] = ['block', 'drop-oldest', 'disconnect']

/**
 * When the pipelines of a call end.
 *
 * @param own policies that the command itself carries out
 */
export function pipelineOptions(call: Call, own: readonly string[] = []): PipelineOptions {
  const text = (name: string): string | undefined => call.options.get(name) as string | undefined
  const [limit, duration, policy] = [text('limit'), text('duration'), text('policy')]
  return {
    signal: call.signal,
    ...(limit === undefined ? {} : { limit: parseCount('limit', limit) }),
    ...(duration === undefined ? {} : { duration: parseDuration('duration', duration) }),
    ...(policy === undefined || own.includes(policy) ? {} : { policy: parseChoice('policy', policy, POLICIES) }),
  }
}

/** The URLs of a call, each with the options of its system from the command line. */
export async function urlsOf(call: Call): Promise<SourceUrl[]> {
  if (call.args.length === 0)
    throw cliError('ERR_CLI_ARGUMENT_MISSING', 'which source? give a URL as sttp://127.0.0.1:7165')
  const urls = await Promise.all(
    call.args.map(async (text) => {
      const { sourceOptions } = await loadSystem(new SourceUrl(text).scheme)
      const more = Object.keys(sourceOptions).flatMap((name): [string, string][] => {
        const value = call.options.get(name)
        return value === undefined ? [] : [[name, value === true ? '1' : value]]
      })
      return expandUrl(new SourceUrl(text, more))
    }),
  )
  if (urls.flat().length === 0) throw cliError('ERR_CLI_ARGUMENT_MISSING', `${call.args.join(', ')} has no sources`)
  return urls.flat()
}

/** Opens a source as the options of the call say; its status events go to stderr, under `--json` to stdout. */
export async function open(call: Call, url: SourceUrl, more: SourceOptions = {}): Promise<Source> {
  // Ctrl-C ends the attempts to connect; a source that stands is drained instead.
  const opening = new AbortController()
  const abort = (): void => opening.abort()
  if (call.signal.aborted) abort()
  call.signal.addEventListener('abort', abort, { once: true })
  const wait = call.options.get('wait') as string | undefined
  return openSource(url, {
    signal: opening.signal,
    onStatus: (event) => tellStatus(call, event),
    ...(wait === undefined ? {} : { wait: parseDuration('wait', wait) }),
    ...(call.options.has('no-reconnect') ? { reconnect: false as const } : {}),
    ...more,
  }).finally(() => call.signal.removeEventListener('abort', abort))
}

function tellStatus(call: Call, event: StatusEvent): void {
  if (call.json) void call.out.json(statusJson(event))
  else if (!QUIET.has(event.state) && (event.state !== 'attempt-failed' || call.options.has('wait'))) {
    // The line of progress, where there is one, makes way.
    call.err.write(`${call.err.isTTY ? '\r\x1b[K' : ''}${event.source}: ${event.state}${detailText(event)}\n`)
  }
}

/** What a status event tells beside its state, as text: numbers by their names, what went wrong with its code. */
function detailText({ detail = {} }: StatusEvent): string {
  const { code, message, ...rest } = detail
  const parts = Object.entries(rest).map(([name, value]) => `${name} ${value}`)
  if (message !== undefined) parts.push(code ? `${message} (${code})` : String(message))
  else if (code !== undefined) parts.push(String(code))
  return parts.length === 0 ? '' : `: ${parts.join(', ')}`
}

/** What goes without saying. */
const QUIET = new Set(['connecting', 'draining', 'closed', 'lost'])
