import { readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import { Controller, type ControllerOptions, Service, type Values } from '../cdtp/index.js'
import { sleep, systemClock } from '../session/index.js'
import { type Call, type Command, EXIT } from './command.js'
import { cliError } from './error-codes.js'
import { formatTime, parseDuration } from './values.js'

const ACTIONS = ['list', 'run', 'watch'] as const

export const command: Command = {
  usage: 'list|run|watch GROUP',
  line: 'lists the satellites of a Constellation group, drives them through a run, or prints what they do',
  options: {
    interface: { value: 'ADDRESS', line: 'IPv4 address of the interface for discovery (default: all)' },
    wait: { value: 'TIME', line: 'how long satellites are looked for (default 1s)' },
    satellites: { value: 'NAME,...', line: 'run: canonical names that have to be there' },
    config: { value: 'FILE', line: 'run: configurations by canonical name, as YAML or JSON' },
    'run-id': { value: 'ID', line: 'run: its identifier (default run_1)' },
    duration: { value: 'TIME', line: 'run, watch: how long (default: until Ctrl-C)' },
    level: { value: 'LEVEL', line: 'watch: log messages from this level on (default INFO)' },
  },
  async run(call) {
    const [action, group, ...more] = call.args
    if (action === undefined || group === undefined) {
      throw cliError('ERR_CLI_ARGUMENT_MISSING', `measurand constellation ${ACTIONS.join('|')} GROUP`)
    }
    if (more.length > 0) throw cliError('ERR_CLI_ARGUMENT_UNEXPECTED', `what is ${more[0]}?`)
    if (action === 'list') return list(call, group)
    if (action === 'run') return run(call, group)
    if (action === 'watch') return watch(call, group)
    throw cliError('ERR_CLI_OPTION_INVALID', `constellation does ${ACTIONS.join(', ')}, not ${action}`)
  },
}

function text(call: Call, name: string): string | undefined {
  return call.options.get(name) as string | undefined
}

function duration(call: Call, name: string): number | undefined {
  const value = text(call, name)
  return value === undefined ? undefined : parseDuration(name, value)
}

async function open(call: Call, group: string, options: Partial<ControllerOptions> = {}): Promise<Controller> {
  const address = text(call, 'interface')
  const interfaces = address === undefined ? {} : { interfaces: [address] }
  const controller = new Controller({ group, ...interfaces, ...options })
  await controller.open()
  return controller
}

/** Resolves at the end of `--duration` or at Ctrl-C. */
async function over(call: Call): Promise<void> {
  const ms = duration(call, 'duration') ?? 2 ** 31 - 1
  await sleep(systemClock, ms, call.signal).catch(() => {})
}

async function list(call: Call, group: string): Promise<number> {
  await using controller = await open(call, group)
  const names = await controller.discover([], duration(call, 'wait'))
  const services = Object.entries(Service)
  for (const name of names) {
    const state = await controller.state(name)
    const { text: role } = await controller.command(name, 'get_role')
    const { text: status } = await controller.command(name, 'get_status')
    const offered = services.filter(([, id]) => controller.find(name, id) !== undefined).map(([service]) => service)
    const line = { event: 'satellite', group, name, state, role, status, services: offered }
    if (call.json) await call.out.json(line)
    else await call.out.line(`${name.padEnd(30)} ${state.padEnd(14)} ${role.padEnd(10)} ${status}`)
  }
  if (names.length === 0) call.err.write(`nobody answers in ${group}\n`)
  return names.length === 0 ? EXIT.source : EXIT.done
}

async function run(call: Call, group: string): Promise<number> {
  const configurations = await configurationsOf(text(call, 'config'))
  const wanted = text(call, 'satellites')?.split(',') ?? Object.keys(configurations)
  await using controller = await open(call, group, { onState: ({ name, state }) => tell(call, name, state) })
  await controller.discover(wanted, duration(call, 'wait'))
  if (controller.satellites.length === 0) throw cliError('ERR_CLI_OPTION_INVALID', `nobody answers in ${group}`)
  await controller.run({ runId: text(call, 'run-id') ?? 'run_1', configurations, until: () => over(call) })
  return call.signal.aborted ? EXIT.interrupted : EXIT.done
}

async function watch(call: Call, group: string): Promise<number> {
  const levels = ['TRACE', 'DEBUG', 'INFO', 'WARNING', 'STATUS', 'CRITICAL']
  const from = levels.indexOf((text(call, 'level') ?? 'INFO').toUpperCase())
  if (from < 0) throw cliError('ERR_CLI_OPTION_INVALID', `--level takes ${levels.join(', ')}`)
  await using _controller = await open(call, group, {
    topics: [...levels.slice(from).map((level) => `LOG/${level}`), 'STAT/'],
    onState: ({ name, state }) => tell(call, name, state),
    onMonitoring: ({ kind, sender, time, level, topic, value, unit }) => {
      if (call.json) {
        void call.out.json({ event: kind, sender, time, level, topic, value, unit })
        return
      }
      // The heartbeats have told it already.
      if (kind === 'metric' && topic === 'STATE') return
      const what = kind === 'log' ? `${level} ${topic} ${value}` : `${topic} = ${value} ${unit ?? ''}`
      void call.out.line(`${formatTime(time)} ${sender} ${what}`)
    },
  })
  await over(call)
  return call.signal.aborted ? EXIT.interrupted : EXIT.done
}

function tell(call: Call, name: string, state: string): void {
  const at = systemClock.now()
  if (call.json) void call.out.json({ event: 'status', source: name, state, at })
  else void call.out.line(`${formatTime(at)} ${name} ${state}`)
}

async function configurationsOf(file: string | undefined): Promise<Record<string, Values>> {
  if (file === undefined) return {}
  try {
    const content = await readFile(file, 'utf8')
    const parsed: unknown = extname(file) === '.json' ? JSON.parse(content) : (await import('yaml')).parse(content)
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new Error('not a map')
    return parsed as Record<string, Values>
  } catch (cause) {
    throw cliError('ERR_CLI_FILE_UNREADABLE', `${file}: ${(cause as Error).message}`, { cause })
  }
}
