import { parseArgs } from 'node:util'
import { loadSystem, type OptionTable, SCHEMES } from '../ingest/index.js'
import { type Command, EXIT, type Streams } from './command.js'
import { cliError } from './error-codes.js'
import { describe, exitCodeOf } from './exit-code.js'
import { commandHelp, overview } from './help.js'
import { Output } from './output.js'
import { version } from './version.js'

/** The commands; one that is not built is not here. Nothing is loaded before it is asked for. */
const COMMANDS: Readonly<Record<string, () => Promise<{ readonly command: Command }>>> = {
  record: () => import('./record.js'),
  tail: () => import('./tail.js'),
  info: () => import('./info.js'),
  audit: () => import('./audit.js'),
  export: () => import('./export.js'),
  capture: () => import('./capture.js'),
  decode: () => import('./decode.js'),
  constellation: () => import('./constellation.js'),
  demo: () => import('./demo.js'),
  publish: () => import('./publish.js'),
  replay: () => import('./replay.js'),
  serve: () => import('./serve.js'),
  'stream-sea': () => import('./stream-sea.js'),
  sisock: () => import('./sisock.js'),
  view: () => import('./view.js'),
}

/** Options of every command. */
const COMMON: OptionTable = {
  json: { line: 'one JSON object a line on stdout' },
  help: { line: 'this help' },
  version: { line: 'the version' },
}

/**
 * Runs the command line; gives the exit code.
 *
 * @param signal aborts at the first Ctrl-C: commands drain then
 */
export async function run(argv: readonly string[], streams: Streams, signal: AbortSignal): Promise<number> {
  const out = new Output(streams.stdout)
  let code: number
  try {
    code = await dispatch(argv, streams, out, signal)
    await out.flush()
  } catch (error) {
    await out.flush().catch(() => {})
    if (signal.aborted && (error as { code?: unknown }).code === 'ERR_SESSION_ABORTED') return EXIT.interrupted
    streams.stderr.write(`measurand: ${describe(error)}\n`)
    return exitCodeOf(error)
  }
  return code
}

async function dispatch(argv: readonly string[], streams: Streams, out: Output, signal: AbortSignal): Promise<number> {
  const [name, ...rest] = argv
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    await out.line(overview(await commandLines()))
    return EXIT.done
  }
  if (name === '--version' || name === '-v') {
    await out.line(await version())
    return EXIT.done
  }
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (load === undefined) {
    throw cliError(
      'ERR_CLI_COMMAND_UNKNOWN',
      `there is no command ${name}; there are ${Object.keys(COMMANDS).join(', ')}`,
    )
  }
  const { command } = await load()
  const table = { ...COMMON, ...command.options, ...(await optionsOf(command, rest)) }
  const { args, options } = parse(name, rest, table)
  if (options.has('help')) {
    await out.line(commandHelp(name, command, table))
    return EXIT.done
  }
  if (options.has('version')) {
    await out.line(await version())
    return EXIT.done
  }
  const json = options.has('json') || options.get('format') === 'json'
  return command.run({ args, options, json, out, err: streams.stderr, stdin: streams.stdin, signal })
}

/** The options that the systems of the URLs on the command line bring. */
async function optionsOf(command: Command, argv: readonly string[]): Promise<OptionTable> {
  let table: OptionTable = (await command.optionsOf?.(argv)) ?? {}
  if (!command.takesUrls) return table
  for (const argument of argv) {
    const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(argument)?.[1]?.toLowerCase()
    if (scheme !== undefined && SCHEMES.includes(scheme)) {
      table = { ...table, ...(await loadSystem(scheme)).sourceOptions }
    }
  }
  return table
}

function parse(name: string, argv: readonly string[], table: OptionTable) {
  const options = Object.fromEntries(
    Object.entries(table).map(([option, { value, short }]) => [
      option,
      {
        type: value === undefined ? ('boolean' as const) : ('string' as const),
        ...(short === undefined ? {} : { short }),
      },
    ]),
  )
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options,
      allowPositionals: true,
      strict: true,
    })
    return { args: positionals, options: new Map(Object.entries(values) as [string, string | true][]) }
  } catch (error) {
    const { code, message } = error as Error & { code?: string }
    const isUnknown = code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION'
    const [text] = message.split(/\.\s/)
    const hint = `measurand ${name} --help lists the options`
    if (isUnknown) throw cliError('ERR_CLI_OPTION_UNKNOWN', `${text}; ${hint}`, { cause: error })
    throw cliError('ERR_CLI_OPTION_INVALID', `${text}; ${hint}`, { cause: error })
  }
}

/** What every command does; one that cannot be loaded here does not take the list with it. */
async function commandLines(): Promise<[name: string, line: string][]> {
  return Promise.all(
    Object.entries(COMMANDS).map(async ([name, load]): Promise<[string, string]> => {
      try {
        return [name, (await load()).command.line]
      } catch (error) {
        return [name, `cannot be loaded here: ${(error as Error).message.split('\n')[0]}`]
      }
    }),
  )
}
