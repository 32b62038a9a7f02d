import { type Clock, sleep, systemClock, type Timer } from '../session/clock.js'
import { Chirp } from './chirp.js'
import { CommandReceiver } from './command-receiver.js'
import { Configuration } from './configuration.js'
import { cdtpError } from './error-codes.js'
import { HeartbeatReceiver, type Remote } from './heartbeat-receiver.js'
import { HeartbeatFlag, HeartbeatSender, ROLES, type Role } from './heartbeat-sender.js'
import { canonicalName } from './host-id.js'
import type { LogLevel } from './logger.js'
import { MonitoringSender } from './monitoring-sender.js'
import { type Commanded, SatelliteCommands } from './satellite-commands.js'
import type { SatelliteOptions, UserCommand } from './satellite-options.js'
import { type SatelliteStateName, type Transition, type TransitionName, transitionFrom } from './satellite-state.js'
import { type DiscoveredService, Service } from './service.js'
import { timestampNow, type Value, type Values } from './value.js'

/** The version that `get_version` answers unless told. */
const VERSION = '0.1.0'
const LOOPBACK = '127.0.0.1'

/**
 * A member of a constellation: a state machine that a controller drives, heartbeats, logs and metrics.
 *
 * ```ts
 * class Lamp extends Satellite {
 *   protected override async doStarting(runId: string) {
 *     return `shining for ${runId}`
 *   }
 * }
 * const lamp = new Lamp({ type: 'Lamp', name: 'red', group: 'lab' })
 * await lamp.open()
 * await lamp.closed
 * ```
 *
 * What a `do...` method throws puts the satellite into ERROR; what it gives is the status text. In RUN `doRun` runs
 * until its signal aborts.
 */
export class Satellite {
  readonly canonicalName: string
  readonly group: string
  /** Resolves when it was shut down. */
  readonly closed: Promise<void>
  readonly monitoring: MonitoringSender
  protected readonly clock: Clock
  protected readonly chirp: Chirp
  /** @internal */
  protected readonly heartbeats: HeartbeatReceiver
  protected configuration = new Configuration()
  readonly #options: SatelliteOptions
  readonly #commands: SatelliteCommands
  readonly #control: CommandReceiver
  readonly #pulse: HeartbeatSender
  #state: SatelliteStateName = 'NEW'
  #status = 'Waiting to be initialized'
  #changed: ReturnType<typeof timestampNow>
  #runId = ''
  #isDegraded = false
  #run: { readonly ending: AbortController; readonly done: Promise<void> } | undefined
  #transition: Promise<void> = Promise.resolve()
  #metricTimer: Timer | undefined
  #resolveClosed: () => void = () => {}
  #isClosed = false

  constructor(options: SatelliteOptions) {
    this.#options = options
    this.canonicalName = canonicalName(options.type, options.name)
    this.group = options.group
    this.clock = options.clock ?? systemClock
    this.#changed = timestampNow(this.clock)
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
    this.chirp = new Chirp({
      group: options.group,
      host: this.canonicalName,
      ...(options.interfaces === undefined ? {} : { interfaces: options.interfaces }),
      onOffer: (service) => this.offered(service),
      onDepart: (service) => this.departed(service),
    })
    this.heartbeats = new HeartbeatReceiver(this.clock, {
      onState: (remote) => this.#heard(remote),
      onDead: (remote) => this.#lost(remote),
    })
    this.#commands = new SatelliteCommands(this.#commanded())
    this.#control = new CommandReceiver(this.canonicalName, this.clock, (command, payload) =>
      this.#commands.answer(command, payload),
    )
    this.#pulse = new HeartbeatSender(this.canonicalName, this.clock, () => ({
      state: this.#state,
      status: this.#status,
    }))
    this.monitoring = new MonitoringSender(this.canonicalName, this.clock)
  }

  get state(): SatelliteStateName {
    return this.#state
  }

  get status(): string {
    return this.#status
  }

  get runId(): string {
    return this.#runId
  }

  /** What the heartbeats of the others say. */
  get remotes(): Remote[] {
    return this.heartbeats.remotes
  }

  /** Joins the constellation. */
  async open(): Promise<void> {
    const endpoint = (port: number | undefined): string => `tcp://${this.host}:${port || '*'}`
    const control = await this.#control.open(endpoint(this.#options.commandPort))
    const heartbeat = await this.#pulse.open(endpoint(this.#options.heartbeatPort))
    const monitoring = await this.monitoring.open(endpoint(this.#options.monitoringPort))
    this.monitoring.registerMetric('STATE', 'Current state')
    this.monitoring.registerMetric('RUN_ID', 'Current run identifier')
    await this.openServices()
    await this.chirp.open()
    this.chirp.offer(Service.CONTROL, control)
    this.chirp.offer(Service.HEARTBEAT, heartbeat)
    this.chirp.offer(Service.MONITORING, monitoring)
    this.offerServices()
    this.chirp.request(Service.HEARTBEAT)
  }

  /** Leaves the constellation: the others are told. A run is interrupted first. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#run !== undefined) {
      await this.#begin('interrupt', '')
      await this.#transition
    }
    this.#metricTimer?.cancel()
    await this.chirp.leave()
    this.heartbeats.close()
    this.#pulse.close()
    this.monitoring.close()
    this.#control.close()
    await this.closeServices()
    this.#resolveClosed()
  }

  /** Adds a command of one's own. */
  addCommand(name: string, command: UserCommand): void {
    this.#commands.add(name, command)
  }

  /** Writes into the log of the constellation. */
  log(level: LogLevel, text: string, topic = ''): void {
    this.monitoring.log(level, text, topic)
    this.#options.logger?.log(level, text)
  }

  /** Ends a run and goes to SAFE, where the state allows it. */
  interrupt(reason: string): void {
    if (transitionFrom(this.#state, 'interrupt') === undefined) return
    this.log('WARNING', `Interrupting: ${reason}`)
    void this.#begin('interrupt', reason)
  }

  /** Goes to ERROR. */
  protected failWith(reason: string): void {
    void this.#fail(cdtpError('ERR_CDTP_TRANSITION_FAILED', reason))
  }

  /** Where its ports listen. */
  protected get host(): string {
    const { interfaces } = this.#options
    return interfaces?.length === 1 && interfaces[0] === LOOPBACK ? LOOPBACK : '*'
  }

  /** Whether a member was lost during the run. */
  protected get isDegraded(): boolean {
    return this.#isDegraded
  }

  /** What the configuration says is taken over. */
  protected doInitializing(_configuration: Configuration): Promise<string | undefined> {
    return Promise.resolve('Initialized')
  }

  protected doLaunching(): Promise<string | undefined> {
    return Promise.resolve('Launched')
  }

  protected doLanding(): Promise<string | undefined> {
    return Promise.resolve('Landed')
  }

  /** Part of the configuration changed. A satellite that has none answers `reconfigure` with UNKNOWN. */
  protected doReconfiguring?(_configuration: Configuration): Promise<string | undefined>

  protected doStarting(_runId: string): Promise<string | undefined> {
    return Promise.resolve('Started')
  }

  /** Works until the signal aborts; what it throws puts the satellite into ERROR. */
  protected doRun(_signal: AbortSignal): Promise<string | undefined> {
    return Promise.resolve(undefined)
  }

  protected doStopping(): Promise<string | undefined> {
    return Promise.resolve('Stopped')
  }

  protected doInterrupting(): Promise<string | undefined> {
    return Promise.resolve('Interrupted')
  }

  /** Cleans up after an error; the state is ERROR already. */
  protected failGracefully(): Promise<string | undefined> {
    return Promise.resolve(undefined)
  }

  /** Opens what a kind of satellite needs beside the three services of all. */
  protected openServices(): Promise<void> {
    return Promise.resolve()
  }

  /** Offers it. */
  protected offerServices(): void {}

  protected closeServices(): Promise<void> {
    return Promise.resolve()
  }

  /** What a kind of satellite does around the methods above. */
  protected aroundStarting(runId: string): Promise<string | undefined> {
    return this.doStarting(runId)
  }

  protected aroundStopping(): Promise<string | undefined> {
    return this.doStopping()
  }

  protected aroundInterrupting(): Promise<string | undefined> {
    return this.doInterrupting()
  }

  protected aroundInitializing(configuration: Configuration): Promise<string | undefined> {
    return this.doInitializing(configuration)
  }

  protected aroundLaunching(): Promise<string | undefined> {
    return this.doLaunching()
  }

  protected aroundFailure(): Promise<string | undefined> {
    return this.failGracefully()
  }

  /** Metrics of a kind of satellite, every 5 s in a run. */
  protected tellMetrics(): void {}

  /** A member was lost during a run. */
  protected degraded(_reason: string): void {}

  /** A service was offered. */
  protected offered(service: DiscoveredService): void {
    if (service.serviceId === Service.HEARTBEAT) void this.heartbeats.add(service)
  }

  /** A service departed. */
  protected departed(service: DiscoveredService): void {
    if (service.serviceId !== Service.HEARTBEAT) return
    const remote = this.heartbeats.remove(service.hostUuid)
    if (remote === undefined) return
    const reason = `${remote.name} departed`
    if (remote.flags & HeartbeatFlag.MARK_DEGRADED) this.#degrade(reason)
    if (remote.flags & HeartbeatFlag.DENY_DEPARTURE) this.interrupt(reason)
  }

  #heard(remote: Remote): void {
    const isDown = remote.state === 'ERROR' || remote.state === 'SAFE'
    if (!isDown) return
    if (remote.flags & HeartbeatFlag.TRIGGER_INTERRUPT) this.interrupt(`${remote.name} is in ${remote.state}`)
  }

  #lost(remote: Remote): void {
    const reason = `no heartbeat from ${remote.name}`
    this.chirp.forget(remote.hostUuid)
    this.log('WARNING', reason)
    if (remote.flags & HeartbeatFlag.MARK_DEGRADED) this.#degrade(reason)
    if (remote.flags & HeartbeatFlag.TRIGGER_INTERRUPT) this.interrupt(reason)
  }

  #degrade(reason: string): void {
    if (this.#state !== 'RUN' && this.#state !== 'starting') return
    this.#isDegraded = true
    this.degraded(reason)
  }

  #setState(state: SatelliteStateName, status: string): void {
    this.#state = state
    this.#status = status
    this.#changed = timestampNow(this.clock)
    this.#pulse.extrasystole()
    this.monitoring.metric('STATE', state, '')
    this.log('STATUS', `New state: ${state}`)
  }

  /** What its commands see of it and do to it. */
  #commanded(): Commanded {
    const satellite = this
    return {
      canonicalName: this.canonicalName,
      version: this.#options.version ?? VERSION,
      get state() {
        return satellite.#state
      },
      get changed() {
        return satellite.#changed
      },
      get status() {
        return satellite.#status
      },
      get role() {
        return satellite.#pulse.role
      },
      get runId() {
        return satellite.#runId
      },
      get configuration() {
        return satellite.configuration
      },
      canReconfigure: this.doReconfiguring !== undefined,
      begin: (name, payload) => this.#begin(name, payload),
      fail: () => void this.#fail(cdtpError('ERR_CDTP_STATE_WRONG', 'a controller asked for it')),
      // The answer goes out first.
      shutdown: () => void this.clock.after(50, () => void this.close()),
    }
  }

  /** Begins a transition, which goes on by itself; whether the state allows it. */
  async #begin(name: TransitionName, payload: Value | undefined): Promise<boolean> {
    const transition = transitionFrom(this.#state, name)
    if (transition === undefined) return false
    this.#setState(transition.through, `${transition.through}`)
    this.#transition = this.#pass(name, transition, payload)
    return true
  }

  async #pass(name: TransitionName, transition: Transition, payload: Value | undefined): Promise<void> {
    try {
      await this.#waitForOthers(transition)
      const status = await this.#work(name, payload)
      if (this.#state !== transition.through) return
      this.#setState(transition.to, status ?? transition.to)
      if (name === 'start') this.#startRun()
    } catch (error) {
      await this.#fail(error as Error)
    }
  }

  async #work(name: TransitionName, payload: Value | undefined): Promise<string | undefined> {
    switch (name) {
      case 'initialize':
        this.configuration = new Configuration(payload as Values)
        this.#readAutonomy()
        return this.aroundInitializing(this.configuration)
      case 'launch':
        return this.aroundLaunching()
      case 'land':
        return this.doLanding()
      case 'reconfigure':
        this.configuration.update(payload as Values)
        return this.doReconfiguring?.(this.configuration)
      case 'start':
        this.#runId = payload as string
        this.#isDegraded = false
        this.monitoring.metric('RUN_ID', this.#runId, '')
        return this.aroundStarting(this.#runId)
      case 'stop':
        await this.#endRun()
        return this.#lastMetrics(this.aroundStopping())
      case 'interrupt':
        await this.#endRun()
        return this.#lastMetrics(this.aroundInterrupting())
    }
  }

  #readAutonomy(): void {
    const autonomy = this.configuration.section('_autonomy')
    const role = autonomy.text('role', 'DYNAMIC').toUpperCase()
    if (!(role in ROLES)) throw cdtpError('ERR_CDTP_STATE_WRONG', `no such role: ${role}`)
    this.#pulse.role = role as Role
    this.#pulse.maxInterval = autonomy.number('max_heartbeat_interval', 30) * 1000
  }

  /** `_conditions.require_<transition>_after`: others have to be there first. */
  async #waitForOthers(transition: Transition): Promise<void> {
    if (transition.through === 'initializing') return
    const conditions = this.configuration.section('_conditions')
    const key = `require_${transition.through}_after`
    if (!conditions.has(key)) return
    const end = this.clock.elapsed() + conditions.number('transition_timeout', 30) * 1000
    for (const name of conditions.texts(key)) {
      while (this.heartbeats.remote(name)?.state !== transition.to) {
        const state = this.heartbeats.remote(name)?.state ?? 'unknown'
        if (['ERROR', 'SAFE', 'DEAD'].includes(state) || this.clock.elapsed() > end) {
          throw cdtpError('ERR_CDTP_TRANSITION_FAILED', `${name} is in state ${state}, ${transition.to} is required`)
        }
        await sleep(this.clock, 20)
      }
    }
  }

  #startRun(): void {
    const ending = new AbortController()
    const done = this.doRun(ending.signal).then(
      () => {},
      (error: Error) => {
        if (!ending.signal.aborted) void this.#fail(error)
      },
    )
    this.#run = { ending, done }
    this.#tickMetrics()
  }

  #tickMetrics(): void {
    this.tellMetrics()
    this.#metricTimer = this.clock.after(5000, () => this.#tickMetrics())
  }

  async #endRun(): Promise<void> {
    const run = this.#run
    this.#run = undefined
    this.#metricTimer?.cancel()
    run?.ending.abort()
    await run?.done
  }

  /** The metrics of a run are told once more when all of it has gone out or come in. */
  async #lastMetrics(work: Promise<string | undefined>): Promise<string | undefined> {
    const status = await work
    this.tellMetrics()
    return status
  }

  async #fail(error: Error): Promise<void> {
    if (this.#state === 'ERROR' || this.#isClosed) return
    this.#setState('ERROR', error.message)
    this.log('CRITICAL', error.message)
    try {
      await this.#endRun()
      await this.aroundFailure()
    } catch (second) {
      this.log('CRITICAL', (second as Error).message)
    }
  }
}
