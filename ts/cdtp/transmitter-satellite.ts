import type { Configuration } from './configuration.js'
import type { NewDataRecord } from './data-record.js'
import { DataTransmitter, type NewRecordOptions } from './data-transmitter.js'
import { cdtpError } from './error-codes.js'
import { conditionName, RunCondition } from './run-condition.js'
import { Satellite } from './satellite.js'
import type { SatelliteOptions } from './satellite-options.js'
import { Service } from './service.js'
import { TransmitterState } from './transmitter-state.js'
import { type EncodedTags, timestampNow, type Values } from './value.js'

/** What a transmitter satellite is made of. */
export interface TransmitterSatelliteOptions extends SatelliteOptions {
  /** TCP port; 0, chosen by the system, unless told. */
  readonly dataPort?: number
}

/**
 * A satellite that sends records in its runs.
 *
 * ```ts
 * class Camera extends TransmitterSatellite {
 *   protected override async doRun(signal: AbortSignal) {
 *     while (!signal.aborted) {
 *       const record = this.newDataRecord()
 *       record.addBlock(await takeImage())
 *       await this.sendDataRecord(record)
 *     }
 *     return 'Finished'
 *   }
 * }
 * await new Camera({ type: 'Camera', name: 'front', group: 'lab' }).open()
 * ```
 */
export class TransmitterSatellite extends Satellite {
  /** User tags of the next begin of a run. */
  bor: Values = {}
  /** User tags of the next end of a run. */
  eor: Values = {}
  readonly #dataPort: number
  readonly #version: string
  #transmitter: DataTransmitter | undefined
  #started: ReturnType<typeof timestampNow>
  #isTainted = false
  #license = ''

  constructor(options: TransmitterSatelliteOptions) {
    super(options)
    this.#dataPort = options.dataPort ?? 0
    this.#version = options.version ?? '0.1.0'
    this.#started = timestampNow(this.clock)
  }

  /** Its transmitter, once it is open. */
  get transmitter(): DataTransmitter {
    if (this.#transmitter === undefined) throw cdtpError('ERR_CDTP_STATE_WRONG', `${this.canonicalName} is not open`)
    return this.#transmitter
  }

  newDataRecord(tags?: Values | EncodedTags, options?: NewRecordOptions): NewDataRecord {
    return this.transmitter.newDataRecord(tags, options)
  }

  canSendRecord(): boolean {
    return this.transmitter.canSendRecord()
  }

  sendDataRecord(record: NewDataRecord): Promise<void> | undefined {
    return this.transmitter.sendDataRecord(record)
  }

  /** The run's data are doubtful: its condition will say so. */
  markRunTainted(): void {
    this.#isTainted = true
  }

  protected override async openServices(): Promise<void> {
    this.#transmitter = await DataTransmitter.bind({
      name: this.canonicalName,
      endpoint: `tcp://${this.host}:${this.#dataPort || '*'}`,
      clock: this.clock,
      logger: { log: (level, text) => this.log(level, text, 'DATA') },
      failureCb: (reason) => this.failWith(reason),
    })
    this.monitoring.registerMetric('TX_BYTES', 'Bytes transmitted in the run')
    this.monitoring.registerMetric('TX_RECORDS', 'Records transmitted in the run')
  }

  protected override offerServices(): void {
    this.chirp.offer(Service.DATA, this.transmitter.port)
  }

  protected override async closeServices(): Promise<void> {
    await this.#transmitter?.close()
  }

  protected override async aroundInitializing(configuration: Configuration): Promise<string | undefined> {
    const data = configuration.section('_data')
    const transmitter = this.transmitter
    transmitter.borTimeout = data.number('bor_timeout', 10)
    transmitter.dataTimeout = data.number('data_timeout', 10)
    transmitter.eorTimeout = data.number('eor_timeout', 10)
    transmitter.payloadThreshold = data.number('payload_threshold', 128)
    transmitter.queueSize = data.number('queue_size', 32_768)
    transmitter.transmissionDisabled = data.boolean('disable_transmission', false)
    this.#license = data.text('license', 'ODC-By-1.0')
    if (transmitter.transmissionDisabled) this.chirp.depart(Service.DATA)
    else this.chirp.offer(Service.DATA, transmitter.port)
    return this.doInitializing(configuration)
  }

  protected override async aroundStarting(runId: string): Promise<string | undefined> {
    this.bor = {}
    this.eor = {}
    this.#isTainted = false
    const status = await this.doStarting(runId)
    this.#started = timestampNow(this.clock)
    await this.transmitter.sendBor(this.bor, this.configuration.toValues())
    this.transmitter.startSending()
    return status
  }

  protected override async aroundStopping(): Promise<string | undefined> {
    const status = await this.doStopping()
    await this.#end(RunCondition.GOOD)
    return status
  }

  protected override async aroundInterrupting(): Promise<string | undefined> {
    const status = await this.doInterrupting()
    await this.#end(RunCondition.INTERRUPTED)
    return status
  }

  protected override async aroundFailure(): Promise<string | undefined> {
    const status = await this.failGracefully()
    await this.#end(RunCondition.ABORTED | RunCondition.TAINTED)
    return status
  }

  protected override tellMetrics(): void {
    this.monitoring.metric('TX_BYTES', this.transmitter.bytesTransmitted, 'B')
    this.monitoring.metric('TX_RECORDS', this.transmitter.recordsTransmitted, '')
  }

  /** Sends what waits and, where a BOR went out, the EOR. */
  async #end(base: RunCondition): Promise<void> {
    const transmitter = this.transmitter
    await transmitter.stopSending()
    if (transmitter.state !== TransmitterState.BOR_RECEIVED) return
    const tainted = this.#isTainted ? RunCondition.TAINTED : 0
    const condition = base | tainted | (this.isDegraded ? RunCondition.DEGRADED : 0)
    await transmitter.sendEor(this.eor, {
      version: this.#version,
      run_id: this.runId,
      time_start: this.#started,
      time_end: timestampNow(this.clock),
      license: this.#license,
      condition_code: condition,
      condition: conditionName(condition),
      data_records: transmitter.sequenceNumber,
    })
  }
}
