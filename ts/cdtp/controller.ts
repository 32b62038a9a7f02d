import { type Clock, sleep, systemClock } from '../session/clock.js'
import { Chirp } from './chirp.js'
import { decodeCscp, encodeCscp } from './codec.js'
import { type Answer, Verb } from './command-receiver.js'
import { cdtpError } from './error-codes.js'
import { HeartbeatReceiver, type Remote } from './heartbeat-receiver.js'
import { hostId } from './host-id.js'
import { type MonitoringMessage, MonitoringReceiver } from './monitoring-receiver.js'
import { type SatelliteStateName, TRANSITIONS, type TransitionName } from './satellite-state.js'
import { type DiscoveredService, Service } from './service.js'
import { timestampNow, type Value, type Values } from './value.js'
import { isTimeout, type Zmq, zeromq } from './zeromq.js'

/** What a controller is made of. */
export interface ControllerOptions {
  readonly group: string
  /** Its name in the messages; `measurand` unless told. */
  readonly name?: string
  readonly interfaces?: readonly string[]
  /** How long a satellite may take to answer, ms; 10,000 unless told. */
  readonly commandTimeout?: number
  /** How long a satellite may take for a transition, ms; 60,000 unless told. */
  readonly transitionTimeout?: number
  /** A satellite changed its state, or was lost (`DEAD`). */
  readonly onState?: (remote: Remote) => void
  /** What is listened to, as `LOG/WARNING` or `STAT/`; nothing unless told. */
  readonly topics?: readonly string[]
  /** A log message or a metric of those topics. */
  readonly onMonitoring?: (message: MonitoringMessage) => void
  readonly clock?: Clock
}

/** A run from a script. */
export interface RunOptions {
  readonly runId: string
  /** Configurations by canonical name; those not named get an empty one. */
  readonly configurations?: Readonly<Record<string, Values>>
  /** Called when all satellites are in RUN; the run ends when what it gives resolves. */
  readonly until: () => Promise<unknown>
}

/**
 * Drives the satellites of a constellation.
 *
 * ```ts
 * await using controller = new Controller({ group: 'lab' })
 * await controller.open()
 * await controller.discover(['Camera.front', 'Recorder.one'])
 * await controller.run({ runId: 'run_1', until: () => sleep(systemClock, 10_000) })
 * ```
 *
 * Receivers are started before transmitters and stopped after them.
 */
export class Controller implements AsyncDisposable {
  readonly #options: ControllerOptions
  readonly #name: string
  readonly #clock: Clock
  readonly #chirp: Chirp
  readonly #heartbeats: HeartbeatReceiver
  readonly #monitoring: MonitoringReceiver | undefined
  /** Canonical names by host. */
  readonly #names = new Map<string, string>()
  readonly #sockets = new Map<string, { socket: Zmq.Request; last: Promise<unknown> }>()

  constructor(options: ControllerOptions) {
    this.#options = options
    this.#name = options.name ?? 'measurand'
    this.#clock = options.clock ?? systemClock
    this.#chirp = new Chirp({
      group: options.group,
      host: `Controller.${this.#name}${process.pid}`,
      ...(options.interfaces === undefined ? {} : { interfaces: options.interfaces }),
      onOffer: (service) => {
        if (service.serviceId === Service.HEARTBEAT) void this.#heartbeats.add(service)
        if (service.serviceId === Service.MONITORING) void this.#monitoring?.add(service)
        // It listens at another place now.
        if (service.serviceId === Service.CONTROL) this.#disconnect(service.hostUuid)
      },
      onDepart: (service) => {
        if (service.serviceId === Service.HEARTBEAT) this.#heartbeats.remove(service.hostUuid)
        if (service.serviceId === Service.MONITORING) this.#monitoring?.remove(service.hostUuid)
        if (service.serviceId !== Service.CONTROL) return
        this.#names.delete(service.hostUuid)
        this.#disconnect(service.hostUuid)
      },
    })
    const { onState, onMonitoring } = options
    if (onMonitoring !== undefined) this.#monitoring = new MonitoringReceiver(options.topics ?? [], onMonitoring)
    this.#heartbeats = new HeartbeatReceiver(
      this.#clock,
      onState === undefined ? {} : { onState: (remote) => onState(remote), onDead: (remote) => onState(remote) },
    )
  }

  async open(): Promise<void> {
    await this.#chirp.open()
    this.#request()
  }

  async close(): Promise<void> {
    await this.#chirp.leave()
    this.#heartbeats.close()
    this.#monitoring?.close()
    for (const hostUuid of [...this.#sockets.keys()]) this.#disconnect(hostUuid)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Canonical names of the satellites that have answered. */
  get satellites(): string[] {
    return [...this.#names.values()].sort()
  }

  /** What the heartbeats say. */
  get remotes(): Remote[] {
    return this.#heartbeats.remotes
  }

  /** The services found so far. */
  get services(): DiscoveredService[] {
    return this.#chirp.services()
  }

  /** A service of a satellite by its canonical name. */
  find(name: string, service: Service): DiscoveredService | undefined {
    return this.#chirp.find(name, service)
  }

  /**
   * Asks who is there.
   *
   * @param wanted canonical names that have to be found; otherwise all that answer within `wait`
   * @param wait ms
   */
  async discover(wanted: readonly string[] = [], wait = wanted.length > 0 ? 10_000 : 1000): Promise<string[]> {
    const end = this.#clock.elapsed() + wait
    let asked = Number.NEGATIVE_INFINITY
    for (;;) {
      if (this.#clock.elapsed() - asked > 500) {
        asked = this.#clock.elapsed()
        this.#request()
      }
      for (const { hostUuid } of this.#chirp.services(Service.CONTROL)) {
        if (!this.#names.has(hostUuid)) this.#names.set(hostUuid, (await this.#ask(hostUuid, 'get_name')).text)
      }
      const missing = wanted.filter((name) => !this.#names.has(hostId(name)))
      if (wanted.length > 0 && missing.length === 0) return this.satellites
      if (this.#clock.elapsed() > end) {
        if (missing.length === 0) return this.satellites
        throw cdtpError('ERR_CDTP_SATELLITE_MISSING', `${missing.join(', ')} not found in ${this.#options.group}`)
      }
      await sleep(this.#clock, 20)
    }
  }

  /** Sends a command; rejects where it is refused. */
  async command(satellite: string, command: string, payload?: Value): Promise<Answer> {
    const answer = await this.#ask(hostId(satellite), command, payload)
    if (answer.verb === Verb.SUCCESS) return answer
    const names = Object.keys(Verb) as (keyof typeof Verb)[]
    const verb = names.find((name) => Verb[name] === answer.verb)
    throw cdtpError('ERR_CDTP_COMMAND_REFUSED', `${satellite} refused ${command}: ${verb} ${answer.text}`)
  }

  /** The state of a satellite. */
  async state(satellite: string): Promise<string> {
    return (await this.command(satellite, 'get_state')).text
  }

  /** Sends satellites through a transition, and waits until all have arrived. */
  async transition(
    satellites: readonly string[],
    name: TransitionName,
    payload?: (name: string) => Value,
  ): Promise<void> {
    const command = name === 'interrupt' ? '_interrupt' : name
    await Promise.all(satellites.map((satellite) => this.command(satellite, command, payload?.(satellite))))
    await Promise.all(satellites.map((satellite) => this.#arrived(satellite, TRANSITIONS[name].to)))
  }

  /** A whole run of the satellites found, from wherever they are between runs to ORBIT. */
  async run({ runId, configurations = {}, until }: RunOptions): Promise<void> {
    const { satellites } = this
    const config = (satellite: string): Values => {
      const name = Object.keys(configurations).find((key) => key.toLowerCase() === satellite.toLowerCase())
      return name === undefined ? {} : (configurations[name] as Values)
    }
    const states = await Promise.all(satellites.map((satellite) => this.state(satellite)))
    // What was launched for a run before has to land: it may get another configuration.
    await this.transition(
      satellites.filter((_, at) => states[at] === 'ORBIT'),
      'land',
    )
    await this.transition(satellites, 'initialize', config)
    await this.transition(satellites, 'launch')
    const transmits = (name: string): boolean => this.#chirp.find(name, Service.DATA) !== undefined
    const others = satellites.filter((name) => !transmits(name))
    const transmitters = satellites.filter(transmits)
    await this.transition(others, 'start', () => runId)
    await this.transition(transmitters, 'start', () => runId)
    await until()
    await this.transition(transmitters, 'stop')
    await this.transition(others, 'stop')
  }

  async #arrived(satellite: string, wanted: SatelliteStateName): Promise<void> {
    const end = this.#clock.elapsed() + (this.#options.transitionTimeout ?? 60_000)
    for (;;) {
      const state = await this.state(satellite)
      if (state === wanted) return
      if (state === 'ERROR' || (state === 'SAFE' && wanted !== 'SAFE') || this.#clock.elapsed() > end) {
        const { text } = await this.command(satellite, 'get_status')
        throw cdtpError('ERR_CDTP_TRANSITION_FAILED', `${satellite} is in ${state} instead of ${wanted}: ${text}`)
      }
      await sleep(this.#clock, 20)
    }
  }

  #request(): void {
    for (const service of Object.values(Service)) this.#chirp.request(service)
  }

  /** One command at a time for each satellite: REQ and REP take turns. */
  async #ask(hostUuid: string, command: string, payload?: Value): Promise<Answer> {
    const known = this.#sockets.get(hostUuid) ?? (await this.#connect(hostUuid))
    const answer = known.last.then(async () => {
      try {
        await known.socket.send(encodeCscp(this.#name, timestampNow(this.#clock), {}, Verb.REQUEST, command, payload))
        const { verb, text, payload: back, tags } = decodeCscp(await known.socket.receive())
        return { verb: verb as Verb, text, payload: back as Value | undefined, tags: tags as Values }
      } catch (error) {
        this.#disconnect(hostUuid)
        if (!isTimeout(error)) throw error
        const name = this.#names.get(hostUuid) ?? hostUuid
        throw cdtpError('ERR_CDTP_COMMAND_TIMEOUT', `${name} did not answer ${command}`, { cause: error })
      }
    })
    known.last = answer.catch(() => {})
    return answer
  }

  async #connect(hostUuid: string): Promise<{ socket: Zmq.Request; last: Promise<unknown> }> {
    const service = this.#chirp.services(Service.CONTROL).find((found) => found.hostUuid === hostUuid)
    if (service === undefined) throw cdtpError('ERR_CDTP_SATELLITE_MISSING', `${hostUuid} offers no control`)
    const { Request } = await zeromq()
    const timeout = this.#options.commandTimeout ?? 10_000
    const socket = new Request({ linger: 0, sendTimeout: timeout, receiveTimeout: timeout })
    socket.connect(`tcp://${service.address}:${service.port}`)
    const known = { socket, last: Promise.resolve() }
    this.#sockets.set(hostUuid, known)
    return known
  }

  #disconnect(hostUuid: string): void {
    this.#sockets.get(hostUuid)?.socket.close()
    this.#sockets.delete(hostUuid)
  }
}
