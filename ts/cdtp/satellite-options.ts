import type { Clock } from '../session/clock.js'
import type { Answer } from './command-receiver.js'
import type { Logger } from './logger.js'
import type { SatelliteStateName } from './satellite-state.js'
import type { Value } from './value.js'

/** What every satellite is made of. */
export interface SatelliteOptions {
  /** The first half of the canonical name. */
  readonly type: string
  /** The second half. */
  readonly name: string
  /** The constellation. */
  readonly group: string
  /** IPv4 addresses of the interfaces; all, and the loopback, unless told. */
  readonly interfaces?: readonly string[]
  readonly version?: string
  /** TCP ports; 0, chosen by the system, unless told. */
  readonly commandPort?: number
  readonly heartbeatPort?: number
  readonly monitoringPort?: number
  /** Told what goes into the log beside the listeners of the constellation. */
  readonly logger?: Logger
  readonly clock?: Clock
}

/** A command of a satellite's own. */
export interface UserCommand {
  /** Told by `get_commands`. */
  readonly description: string
  /** How many arguments it takes; 0 unless told. */
  readonly arguments?: number
  /** In which states it is allowed; in all unless told. */
  readonly states?: readonly SatelliteStateName[]
  run(...args: Value[]): Answer | Promise<Answer>
}

/** The commands of every satellite and what they take, as `get_commands` tells them. */
export const COMMANDS: Readonly<Record<string, string>> = {
  initialize: 'Configures the satellite.\nA map.',
  launch: 'Prepares for runs.\nNo arguments.',
  land: 'Back from launch.\nNo arguments.',
  start: 'Begins a run.\nThe run identifier.',
  stop: 'Ends the run.\nNo arguments.',
  shutdown: 'Ends the satellite.\nNo arguments.',
  get_name: 'The canonical name.\nNo arguments.',
  get_version: 'The version.\nNo arguments.',
  get_commands: 'The commands.\nNo arguments.',
  get_state: 'The state.\nNo arguments.',
  get_role: 'The role.\nNo arguments.',
  get_status: 'The status text.\nNo arguments.',
  get_config: 'The configuration.\nNo arguments.',
  get_run_id: 'The run identifier.\nNo arguments.',
}
