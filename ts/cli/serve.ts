import { type OptionTable, openSource } from '../ingest/index.js'
import { type SessionOptions, type Source, type StatusEvent, statusJson } from '../session/index.js'
import { type Call, type Command, EXIT } from './command.js'
import { cliError } from './error-codes.js'

/** Something that serves. */
export interface Served {
  /** The port that it listens on. */
  readonly port: number
  /** Where its page is, if it has one. */
  readonly page?: string
  /** Resolves when it is over: with the error that ended it, or nothing. */
  readonly closed: Promise<Error | undefined>
  /** Ends it when what is under way was delivered. */
  drain(): Promise<void>
}

/** What `serve.ts` of a system exports. */
export interface ServeModule {
  /** The options of `measurand serve SYSTEM`. */
  readonly serveOptions: OptionTable
  /** Whether it serves what the arguments behind its name say. */
  readonly takesPlaces?: boolean
  /** Begins to serve. */
  serve(options: ReadonlyMap<string, string | true>, session: SessionOptions, inputs: ServeInputs): Promise<Served>
}

/** What can be served again. */
export interface ServeInputs {
  /** Recordings, folders and URLs. */
  readonly places: readonly string[]
  /** Opens the source of a URL. */
  open(url: string): Promise<Source>
}

/** Systems that are served: a system adds its line. */
const SYSTEMS: Readonly<Record<string, () => Promise<ServeModule>>> = {
  cdtp: () => import('../cdtp/serve.js'),
  grafana: () => import('../sisock/serve-grafana.js'),
  'stream-sea': () => import('../stream-sea/serve.js'),
  sisock: () => import('../sisock/serve.js'),
  'sisock-hub': () => import('../sisock/serve-hub.js'),
  sttp: () => import('../sttp/serve.js'),
  tia: () => import('../tia/serve.js'),
}

/** The systems that are served. */
const SERVABLE: readonly string[] = Object.keys(SYSTEMS)

export const command: Command = {
  usage: `${SERVABLE.join('|')} [DIR|URL...]`,
  line: 'is the other end of a system: a synthetic source that any receiver can check',
  options: {},
  async optionsOf(args) {
    const system = args.find((argument) => Object.hasOwn(SYSTEMS, argument))
    return system === undefined ? {} : (await load(system)).serveOptions
  },
  async run(call) {
    const [system, ...rest] = call.args
    if (system === undefined) throw cliError('ERR_CLI_ARGUMENT_MISSING', `which system? ${SERVABLE.join(', ')}`)
    const { serve, takesPlaces = false } = await load(system)
    if (rest.length > 0 && !takesPlaces)
      throw cliError('ERR_CLI_ARGUMENT_UNEXPECTED', `one system at a time, not ${rest.join(' ')} too`)
    const session = { onStatus: (event: StatusEvent) => tell(call, event) }
    const open = (url: string): Promise<Source> => openSource(url, session)
    const served = await serve(call.options, session, { places: rest, open })
    // Timers of sessions keep no process alive.
    const alive = setInterval(() => {}, 60_000)
    const onAbort = (): void => void served.drain()
    if (call.signal.aborted) onAbort()
    else call.signal.addEventListener('abort', onAbort, { once: true })
    const { page } = served
    if (call.json)
      await call.out.json({ event: 'serving', system, port: served.port, ...(page === undefined ? {} : { page }) })
    else
      call.err.write(
        `serving ${system}${served.port > 0 ? ` on port ${served.port}` : ''}${page === undefined ? '' : `, page at ${page}`}\n`,
      )
    const error = await served.closed
    clearInterval(alive)
    call.signal.removeEventListener('abort', onAbort)
    if (error !== undefined) throw error
    return call.signal.aborted ? EXIT.interrupted : EXIT.done
  },
}

async function load(system: string): Promise<ServeModule> {
  const module = Object.hasOwn(SYSTEMS, system) ? SYSTEMS[system] : undefined
  if (module !== undefined) return module()
  throw cliError('ERR_CLI_SYSTEM_UNKNOWN', `serve does not know ${system}; it knows ${SERVABLE.join(', ')}`)
}

function tell(call: Call, event: StatusEvent): void {
  if (call.json) void call.out.json(statusJson(event))
  else if (event.state.startsWith('peer-') || event.state === 'second-receiver') {
    call.err.write(
      `${event.source}: ${event.state} ${Object.values(event.detail ?? {})
        .map(String)
        .join(' ')}\n`,
    )
  }
}
