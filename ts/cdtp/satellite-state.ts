/** The states of a satellite by their numbers; in small letters those that it passes through by itself. */
export const SatelliteState = {
  NEW: 0x10,
  initializing: 0x12,
  INIT: 0x20,
  launching: 0x23,
  ORBIT: 0x30,
  landing: 0x32,
  reconfiguring: 0x33,
  starting: 0x34,
  RUN: 0x40,
  stopping: 0x43,
  interrupting: 0x0e,
  SAFE: 0xe0,
  ERROR: 0xf0,
  DEAD: 0xff,
} as const

export type SatelliteStateName = keyof typeof SatelliteState

const NAMES = new Map<number, SatelliteStateName>(
  Object.entries(SatelliteState).map(([name, state]) => [state, name as SatelliteStateName]),
)

/** The name of a state's number; a number that is none is written in hex. */
export function stateName(state: number): SatelliteStateName | string {
  return NAMES.get(state) ?? `0x${state.toString(16)}`
}

/** A step that a controller can ask for: where it is allowed, through what it goes, where it ends. */
export interface Transition {
  readonly from: readonly SatelliteStateName[]
  readonly through: SatelliteStateName
  readonly to: SatelliteStateName
}

/** The steps by their commands. */
export const TRANSITIONS = {
  initialize: { from: ['NEW', 'INIT', 'SAFE', 'ERROR'], through: 'initializing', to: 'INIT' },
  launch: { from: ['INIT'], through: 'launching', to: 'ORBIT' },
  land: { from: ['ORBIT'], through: 'landing', to: 'INIT' },
  reconfigure: { from: ['ORBIT'], through: 'reconfiguring', to: 'ORBIT' },
  start: { from: ['ORBIT'], through: 'starting', to: 'RUN' },
  stop: { from: ['RUN'], through: 'stopping', to: 'ORBIT' },
  interrupt: { from: ['ORBIT', 'RUN'], through: 'interrupting', to: 'SAFE' },
} as const satisfies Record<string, Transition>

export type TransitionName = keyof typeof TRANSITIONS

/** The step of a command where it is allowed in a state. */
export function transitionFrom(state: SatelliteStateName, name: TransitionName): Transition | undefined {
  const transition: Transition = TRANSITIONS[name]
  return transition.from.includes(state) ? transition : undefined
}
