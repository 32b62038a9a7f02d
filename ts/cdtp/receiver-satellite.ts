import { sleep } from '../session/clock.js'
import type { Configuration } from './configuration.js'
import { DataReceiver } from './data-receiver.js'
import type { DataReceiverOptions } from './data-receiver-options.js'
import type { DataRecord } from './data-record.js'
import { cdtpError } from './error-codes.js'
import { RecvTimeoutError } from './errors.js'
import { Satellite } from './satellite.js'
import type { SatelliteOptions } from './satellite-options.js'
import { type DiscoveredService, Service } from './service.js'
import type { Values } from './value.js'

/** What a receiver satellite is made of. */
export interface ReceiverSatelliteOptions extends SatelliteOptions {
  /** How it receives; callbacks take the place of the three methods. */
  readonly receiver?: DataReceiverOptions
  /** Canonical names of the transmitters unless the configuration's `receive_from` says it; all unless told. */
  readonly receiveFrom?: readonly string[]
}

const LAUNCH_WAIT_MS = 3000

/**
 * A satellite that receives the records of others' runs.
 *
 * ```ts
 * class Counter extends ReceiverSatellite {
 *   records = 0
 *   protected override receiveData() {
 *     this.records++
 *   }
 * }
 * await new Counter({ type: 'Counter', name: 'one', group: 'lab' }).open()
 * ```
 */
export class ReceiverSatellite extends Satellite {
  readonly receiver: DataReceiver
  readonly #options: ReceiverSatelliteOptions

  constructor(options: ReceiverSatelliteOptions) {
    super(options)
    this.#options = options
    const logger = { log: this.log.bind(this) }
    this.receiver = new DataReceiver({
      name: this.canonicalName,
      clock: this.clock,
      logger,
      ...(options.receiver?.delivery !== undefined
        ? {}
        : {
            receiveBorCb: (sender, userTags, configuration) => this.receiveBor(sender, userTags, configuration),
            receiveDataCb: (sender, record) => this.receiveData(sender, record),
            receiveEorCb: (sender, userTags, metadata) => this.receiveEor(sender, userTags, metadata),
          }),
      ...options.receiver,
    })
    this.receiver.status.on(({ state, detail: { message } = {} }) => {
      if (state === 'failed') this.failWith(String(message))
    })
  }

  /** A run of a sender begins. */
  protected receiveBor(_sender: string, _userTags: Values, _configuration: Values): void | Promise<void> {}

  /** A record came. */
  protected receiveData(_sender: string, _record: DataRecord): void | Promise<void> {}

  /** A run of a sender ended. */
  protected receiveEor(_sender: string, _userTags: Values, _runMetadata: Values): void | Promise<void> {}

  protected override openServices(): Promise<void> {
    this.monitoring.registerMetric('RX_BYTES', 'Bytes received in the run')
    return Promise.resolve()
  }

  protected override async closeServices(): Promise<void> {
    await this.receiver.close()
  }

  protected override offered(service: DiscoveredService): void {
    super.offered(service)
    if (service.serviceId === Service.DATA && this.receiver.running) void this.receiver.addSender(service)
  }

  protected override departed(service: DiscoveredService): void {
    super.departed(service)
    if (service.serviceId === Service.DATA) this.receiver.removeSender(service)
  }

  protected override degraded(): void {
    this.receiver.markDegraded()
  }

  protected override async aroundInitializing(configuration: Configuration): Promise<string | undefined> {
    const data = configuration.section('_data')
    this.receiver.eorTimeout = data.number('eor_timeout', 10)
    const { receiveFrom } = this.#options
    const names = data.has('receive_from') ? data.texts('receive_from') : receiveFrom
    this.receiver.dataTransmitters = names === undefined ? null : new Set(names)
    return this.doInitializing(configuration)
  }

  protected override async aroundLaunching(): Promise<string | undefined> {
    this.chirp.request(Service.DATA)
    const wanted = [...(this.receiver.dataTransmitters ?? [])]
    const end = this.clock.elapsed() + LAUNCH_WAIT_MS
    for (;;) {
      const missing = wanted.filter((name) => this.chirp.find(name, Service.DATA) === undefined)
      if (missing.length === 0) return this.doLaunching()
      if (this.clock.elapsed() > end) {
        throw cdtpError('ERR_CDTP_SATELLITE_MISSING', `no transmitter ${missing.join(', ')} in ${this.group}`)
      }
      await sleep(this.clock, 20)
    }
  }

  protected override async aroundStarting(runId: string): Promise<string | undefined> {
    const status = await this.doStarting(runId)
    this.receiver.run = runId
    this.receiver.startReceiving()
    this.chirp.request(Service.DATA)
    for (const service of this.chirp.services(Service.DATA)) await this.receiver.addSender(service)
    return status
  }

  protected override async aroundStopping(): Promise<string | undefined> {
    await this.receiver.stopReceiving()
    return this.doStopping()
  }

  protected override async aroundInterrupting(): Promise<string | undefined> {
    try {
      await this.receiver.stopReceiving(true)
    } catch (error) {
      if (!(error instanceof RecvTimeoutError)) this.log('WARNING', (error as Error).message)
    }
    return this.doInterrupting()
  }

  protected override async aroundFailure(): Promise<string | undefined> {
    await this.receiver.abortReceiving()
    return this.failGracefully()
  }

  protected override tellMetrics(): void {
    this.monitoring.metric('RX_BYTES', this.receiver.bytesReceived, 'B')
  }
}
