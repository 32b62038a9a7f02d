import { type Answer, Verb } from './command-receiver.js'
import type { Configuration } from './configuration.js'
import { ROLES, type Role } from './heartbeat-sender.js'
import { isRunId } from './host-id.js'
import { COMMANDS, type UserCommand } from './satellite-options.js'
import { SatelliteState, type SatelliteStateName, type TransitionName } from './satellite-state.js'
import type { Timestamp, Value } from './value.js'

/** The satellite whose commands these are. */
export interface Commanded {
  readonly canonicalName: string
  readonly version: string
  readonly state: SatelliteStateName
  /** When it came into its state. */
  readonly changed: Timestamp
  readonly status: string
  readonly role: Role
  readonly runId: string
  readonly configuration: Configuration
  readonly canReconfigure: boolean
  /** Begins a transition; whether the state allows it. */
  begin(name: TransitionName, payload: Value | undefined): Promise<boolean>
  /** Goes to ERROR because a controller says so. */
  fail(): void
  /** Leaves the constellation, after the answer. */
  shutdown(): void
}

/** States in which a satellite may be shut down. */
const IDLE: readonly SatelliteStateName[] = ['NEW', 'INIT', 'SAFE', 'ERROR']
const HIDDEN = { _interrupt: 'Interrupts.', _failure: 'Fails.' }

/** Answers the commands of CSCP for a satellite, its own ones too. */
export class SatelliteCommands {
  readonly #satellite: Commanded
  readonly #own = new Map<string, UserCommand>()

  constructor(satellite: Commanded) {
    this.#satellite = satellite
  }

  /** Adds a command of the satellite's own. */
  add(name: string, command: UserCommand): void {
    this.#own.set(name.toLowerCase(), command)
  }

  /** Answers a command in lower case. */
  answer(command: string, payload: Value | undefined): Answer | Promise<Answer> {
    const satellite = this.#satellite
    switch (command) {
      case 'get_name':
        return { text: satellite.canonicalName }
      case 'get_version':
      case 'get_cnstln_version':
        return { text: satellite.version }
      case 'get_commands':
        return this.#list()
      case '_get_commands':
        return { text: `${Object.keys(HIDDEN).length} commands known`, payload: HIDDEN }
      case 'get_state':
        return this.#state()
      case 'get_role':
        return { text: satellite.role, payload: ROLES[satellite.role] }
      case 'get_status':
        return { text: satellite.status }
      case 'get_config':
        return { text: 'configuration', payload: satellite.configuration.toValues() }
      case 'get_run_id':
        return { text: satellite.runId }
      case 'shutdown':
        return this.#shutdown()
      case '_interrupt':
        return this.#step('interrupt', undefined)
      case '_failure':
        satellite.fail()
        return { text: 'transitioning', payload: 'failure' }
      case 'initialize':
      case 'launch':
      case 'land':
      case 'start':
      case 'stop':
      case 'reconfigure':
        return this.#step(command, payload)
      default:
        return this.#userCommand(command, payload)
    }
  }

  #list(): Answer {
    const reconfigure = 'Changes part of the configuration.\nA map.'
    const commands: Record<string, Value> = {
      ...(this.#satellite.canReconfigure ? { reconfigure } : {}),
      ...COMMANDS,
    }
    for (const [name, { description }] of this.#own) commands[name] = description
    return { text: `${Object.keys(commands).length} commands known`, payload: commands }
  }

  #state(): Answer {
    const { state, changed } = this.#satellite
    const iso = new Date(Number(changed.seconds) * 1000 + changed.nanoseconds / 1e6).toISOString()
    const tags = { last_changed: changed, last_changed_iso: iso }
    return { text: state, payload: SatelliteState[state], tags }
  }

  #shutdown(): Answer {
    const { state } = this.#satellite
    if (!IDLE.includes(state)) return { verb: Verb.INVALID, text: `Shutdown not allowed in state ${state}` }
    this.#satellite.shutdown()
    return { text: 'Shutting down' }
  }

  async #userCommand(command: string, payload: Value | undefined): Promise<Answer> {
    const known = this.#own.get(command)
    const { state } = this.#satellite
    if (known === undefined) return { verb: Verb.UNKNOWN, text: `Unknown command: ${command}` }
    if (known.states !== undefined && !known.states.includes(state)) {
      return { verb: Verb.INVALID, text: `${command} is not allowed in state ${state}` }
    }
    const args = payload === undefined ? [] : Array.isArray(payload) ? (payload as Value[]) : [payload]
    if (args.length !== (known.arguments ?? 0)) {
      return { verb: Verb.INCOMPLETE, text: `${command} takes ${known.arguments ?? 0} arguments, not ${args.length}` }
    }
    return known.run(...args)
  }

  async #step(name: TransitionName, payload: Value | undefined): Promise<Answer> {
    const isMap = typeof payload === 'object' && payload !== null && Object.getPrototypeOf(payload) === Object.prototype
    const needsMap = name === 'initialize' || name === 'reconfigure'
    if (name === 'reconfigure' && !this.#satellite.canReconfigure) {
      return { verb: Verb.UNKNOWN, text: 'Unknown command: reconfigure' }
    }
    if (needsMap && !isMap) return { verb: Verb.INCOMPLETE, text: `${name} takes a map` }
    if (name === 'start' && !(typeof payload === 'string' && isRunId(payload))) {
      return { verb: Verb.INCOMPLETE, text: 'start takes a run identifier of letters, digits, _ and -' }
    }
    if (!needsMap && name !== 'start' && payload) {
      return { verb: Verb.INCOMPLETE, text: `${name} takes no arguments` }
    }
    const isBegun = await this.#satellite.begin(name, payload)
    if (isBegun) return { text: 'transitioning', payload: name }
    return { verb: Verb.INVALID, text: `${name} not allowed from ${this.#satellite.state} state` }
  }
}
