import type { Clock, Timer } from '../session/clock.js'
import { encodeChp } from './codec.js'
import { SatelliteState, type SatelliteStateName } from './satellite-state.js'
import { SerialSender } from './serial-sender.js'
import { timestampNow } from './value.js'
import { boundPublisher, isClosed, portOf, type Zmq } from './zeromq.js'

/** What the loss of a satellite means to the others. */
export const HeartbeatFlag = {
  DENY_DEPARTURE: 0x01,
  TRIGGER_INTERRUPT: 0x02,
  MARK_DEGRADED: 0x04,
  IS_EXTRASYSTOLE: 0x80,
} as const

/** The roles and their flags. */
export const ROLES = {
  NONE: 0,
  TRANSIENT: HeartbeatFlag.MARK_DEGRADED,
  DYNAMIC: HeartbeatFlag.MARK_DEGRADED | HeartbeatFlag.TRIGGER_INTERRUPT,
  ESSENTIAL: HeartbeatFlag.MARK_DEGRADED | HeartbeatFlag.TRIGGER_INTERRUPT | HeartbeatFlag.DENY_DEPARTURE,
} as const

export type Role = keyof typeof ROLES

const SHORTEST_MS = 500
const LOAD_FACTOR = 3
/** The part of the interval after which the next one is sent. */
const MARGIN = 0.8
const LONGEST_MS = 65_535

/** What is told with every heartbeat. */
export interface Pulse {
  readonly state: SatelliteStateName
  readonly status: string
}

/** Tells the others, at times and at each change, in which state a satellite is. */
export class HeartbeatSender {
  /** Milliseconds between heartbeats at most. */
  maxInterval = 30_000
  role: Role = 'DYNAMIC'
  readonly #name: string
  readonly #clock: Clock
  readonly #pulse: () => Pulse
  #socket: Zmq.XPublisher | undefined
  #sender: SerialSender | undefined
  #subscribers = 0
  #timer: Timer | undefined

  constructor(name: string, clock: Clock, pulse: () => Pulse) {
    this.#name = name
    this.#clock = clock
    this.#pulse = pulse
  }

  /** Listens; gives the port. */
  async open(endpoint: string): Promise<number> {
    const socket = await boundPublisher(endpoint)
    this.#socket = socket
    this.#sender = new SerialSender(socket)
    void this.#countSubscribers(socket)
    this.#beat()
    return portOf(socket)
  }

  /** Milliseconds between heartbeats: more subscribers, fewer heartbeats. */
  get interval(): number {
    const loaded = SHORTEST_MS * LOAD_FACTOR * Math.sqrt(Math.max(0, this.#subscribers - 1))
    return Math.round(Math.min(this.maxInterval, LONGEST_MS, Math.max(SHORTEST_MS, loaded)))
  }

  /** Tells a change of state at once. */
  extrasystole(): void {
    this.#send(HeartbeatFlag.IS_EXTRASYSTOLE)
  }

  close(): void {
    this.#timer?.cancel()
    this.#socket?.close()
    this.#socket = undefined
  }

  #beat(): void {
    this.#send(0)
    this.#timer = this.#clock.after(this.interval * MARGIN, () => {
      if (this.#socket !== undefined) this.#beat()
    })
  }

  #send(flag: number): void {
    if (this.#socket === undefined) return
    const { state, status } = this.#pulse()
    const flags = ROLES[this.role] | flag
    const time = timestampNow(this.#clock)
    const frames = encodeChp(this.#name, time, SatelliteState[state], flags, this.interval, status)
    void this.#sender?.send(frames)
  }

  async #countSubscribers(socket: Zmq.XPublisher): Promise<void> {
    try {
      for await (const [frame] of socket) this.#subscribers += (frame as Uint8Array)[0] === 1 ? 1 : -1
    } catch (error) {
      if (!isClosed(error)) throw error
    }
  }
}
