import type { BlockRing, MeasurementBatch, SignalTable } from '../batch/index.js'
import {
  BlockIntake,
  type Clock,
  type Delivery,
  type Gap,
  type MeasurandError,
  type SourcePolicy,
  type Stats,
  type Transport,
} from '../session/index.js'
import { call, type DecoderOptions, type Fault, MeasurementDecoder, type Notice, PacketDecoder } from './codec.js'
import { tiaError } from './error-codes.js'
import { type MetaInfo, type SignalInfo, shapesOf, unknownSignal } from './meta-info.js'
import type { PacketBatch } from './packet-batch.js'
import { PacketIntake } from './packet-intake.js'
import { nameOfBit } from './signal-type.js'
import { UtcAnchor } from './utc-anchor.js'

/** How a data connection is read. */
export interface DataOptions {
  /** Bytes of a packet taken at most; 8 MiB unless told. */
  readonly packetLimit?: number
  /** `sample` for eegdev, whose blocks are sample after sample; `channel` unless told. */
  readonly sampleOrder?: 'channel' | 'sample'
  /** Unit of header times: `us` (pytia), `10us` (libtia), or `auto`: as the times of receipt say. `us` unless told. */
  readonly timestampUnit?: 'us' | '10us' | 'auto'
  /** ns since 1970-01-01 UTC of header time 0, where it is known; by default it is estimated. */
  readonly anchor?: bigint
}

/** What a data connection tells its session. */
export interface DataHooks {
  readonly clock: Clock
  readonly stats: Stats
  readonly signals: SignalTable
  readonly delivery: Delivery<MeasurementBatch>
  readonly ring: () => BlockRing
  readonly policy: () => SourcePolicy
  lose(gap: Gap): number
  recover(id: number, rows: number): boolean
  malformed(code: string, offset: number, length: number): void
  quirk(name: string): void
  /** The server began anew: this is what was known of its clock. */
  clockEnded(clock: Readonly<Record<string, unknown>>): void
  /** The stream cannot be read on: the connection has to be made anew. */
  lost(error: MeasurandError): void
  /** The queue is full under `disconnect`. */
  overflow(): void
}

interface OpenGap {
  readonly id: number
  readonly first: bigint
  readonly last: bigint
}

/** Missing packets that may still come. */
const GAPS = 1024
/** ms between two looks at the server's clock. */
const LOOK = 10

/** A client's data connection: packets become measurements, or packet batches. */
export class DataConnection {
  readonly transport: Transport
  readonly packets: PacketIntake | undefined
  #anchor: UtcAnchor | undefined
  readonly #intake: BlockIntake | PacketIntake
  readonly #measurements: MeasurementDecoder | undefined
  readonly #decoder: MeasurementDecoder | PacketDecoder
  readonly #hooks: DataHooks
  readonly #options: DataOptions
  readonly #metaInfo: MetaInfo
  readonly #source: string
  readonly #idsMaySkip: boolean
  readonly #gaps: OpenGap[] = []
  #unitNs: number
  #nextLook = 0
  #hasJudgedUnit = false

  /**
   * @param form what the consumer reads
   * @param idsMaySkip whether missing ids are no loss: a custom signal info leaves empty packets out
   */
  constructor(
    transport: Transport,
    form: 'measurements' | 'packets',
    metaInfo: MetaInfo,
    source: { name: string; isDatagram: boolean; idsMaySkip: boolean },
    options: DataOptions,
    hooks: DataHooks,
  ) {
    this.transport = transport
    this.#metaInfo = metaInfo
    this.#options = options
    this.#hooks = hooks
    this.#source = source.name
    this.#idsMaySkip = source.idsMaySkip
    this.#unitNs = options.timestampUnit === '10us' ? 10_000 : 1000
    const native: DecoderOptions = {
      datagrams: source.isDatagram,
      limit: options.packetLimit ?? 8 << 20,
      sampleMajor: options.sampleOrder === 'sample',
      version: 3,
      document: shapesOf(metaInfo),
    }
    const handler = {
      onControl: () => this.#notice(this.#decoder.takeControl() as Notice),
      onMalformed: () => this.#malformed(this.#decoder.takeError() as Fault),
      onLost: (error: MeasurandError | undefined) => this.#lost(error),
    }
    if (form === 'packets') {
      const decoder = call(() => new PacketDecoder(native))
      this.#decoder = decoder
      this.packets = new PacketIntake({
        decoder,
        transport,
        handler,
        stats: hooks.stats,
        policy: hooks.policy(),
        queueBytes: hooks.delivery.queueBytes,
        onDrop: (batch) => this.#dropped(batch),
        onOverflow: () => hooks.overflow(),
      })
      this.#intake = this.packets
      return
    }
    const decoder = call(() => new MeasurementDecoder(native))
    this.#decoder = decoder
    this.#measurements = decoder
    for (const signal of metaInfo.signals) if (signal.bit >= 0) this.#setRows(signal)
    this.#intake = new BlockIntake({
      system: 'tia',
      delivery: hooks.delivery,
      ring: hooks.ring(),
      decoder,
      transport,
      handler,
      stats: hooks.stats,
      signals: hooks.signals,
      wire: 'f32',
    })
  }

  /** Begins reading; tells when the transport is closed. */
  start(onClose: (error?: MeasurandError) => void): void {
    this.transport.start({
      onChunk: (bytes) => {
        this.#intake.feed(bytes)
        if (this.#anchor !== undefined) this.#look(this.#anchor)
      },
      onEnd: () => this.transport.close(),
      onClose: (error) => {
        this.#intake.finish()
        onClose(error)
      },
    })
  }

  /** Whether bytes wait for room. */
  get isHolding(): boolean {
    return this.#intake.isHolding
  }

  /** Tells what came of a packet that the end of the connection has cut. */
  tellCut(): void {
    const { pending } = this.#decoder
    if (pending === 0 || this.isHolding) return
    this.#hooks.malformed('ERR_TIA_PACKET_TRUNCATED', this.#hooks.stats.bytesIn - pending, pending)
  }

  /** What is known of the server's clock. */
  get clock(): Readonly<Record<string, unknown>> {
    return this.#anchor?.toJSON() ?? {}
  }

  close(): void {
    this.transport.close()
  }

  #setRows(signal: SignalInfo): void {
    const rows = addSignal(this.#hooks.signals, this.#source, signal)
    this.#measurements?.setSignal(signal.bit, rows, signal.sampleRate)
  }

  #notice(notice: Notice): void {
    const { stats } = this.#hooks
    switch (notice.kind) {
      case 'anchor':
        this.#setAnchor(Number(notice.last))
        break
      case 'signal': {
        const [bit, channels, blocksize] = [notice.bit ?? 0, notice.channels ?? 0, notice.blocksize ?? 0]
        const known = this.#metaInfo.signals.find((signal) => signal.bit === bit)
        const added = unknownSignal(bit, channels, blocksize)
        const labels = added.labels.map((label, index) => known?.labels[index] ?? label)
        this.#setRows({ ...added, ...known, channels, labels })
        this.#hooks.quirk('meta-info-incomplete')
        break
      }
      case 'gap':
        this.#gap(notice.first as bigint, notice.last as bigint)
        break
      case 'late':
        this.#late(notice.id as bigint, notice.samples ?? 0)
        break
      case 'duplicate':
        stats.received += notice.samples ?? 0
        stats.duplicate += notice.samples ?? 0
        break
      case 'restart':
        this.#gaps.length = 0
        this.#hooks.quirk('packet-ids-restarted')
        break
      case 'order-corrected':
        this.#hooks.quirk('block-order-corrected')
        break
      case 'order-ambiguous':
        this.#hooks.quirk('block-order-ambiguous')
        break
    }
  }

  #gap(first: bigint, last: bigint): void {
    if (this.#idsMaySkip) return
    const samples = samplesPerPacket(this.#metaInfo)
    const count = samples === undefined ? {} : { count: samples * Number(last - first + 1n) }
    const id = this.#hooks.lose({ cause: 'wire', firstSeq: first, lastSeq: last, ...count })
    this.#gaps.push({ id, first, last })
    if (this.#gaps.length > GAPS) this.#gaps.shift()
  }

  #late(packet: bigint, samples: number): void {
    const gap = this.#gaps.find(({ first, last }) => packet >= first && packet <= last)
    if (gap !== undefined) this.#hooks.recover(gap.id, samples)
  }

  #setAnchor(timestamp: number): void {
    if (this.#anchor !== undefined) this.#hooks.clockEnded(this.clock)
    this.#anchor = new UtcAnchor(this.#hooks.clock.now(), timestamp, this.#unitNs, this.#options.anchor)
    this.#measurements?.setAnchor(this.#anchor.anchor, this.#unitNs)
  }

  /** Compares the clocks, now and then. */
  #look(anchor: UtcAnchor): void {
    const now = this.#hooks.clock.elapsed()
    if (now < this.#nextLook) return
    this.#nextLook = now + LOOK
    const timestamp = this.#measurements?.lastTimestamp ?? 0
    anchor.observe(this.#hooks.clock.now(), timestamp)
    const unit = anchor.measuredUnit
    if (unit === undefined || this.#hasJudgedUnit) return
    this.#hasJudgedUnit = true
    const isTen = unit > 5000 && unit < 20_000
    if (!isTen || this.#unitNs === 10_000) return
    if (this.#options.timestampUnit !== 'auto') {
      this.#hooks.quirk('timestamp-unit-suspected-10us')
      return
    }
    this.#unitNs = 10_000
    this.#hooks.quirk('timestamp-unit-10us')
    this.#setAnchor(timestamp)
  }

  #malformed(fault: Fault): void {
    this.#hooks.malformed(fault.code, this.#hooks.stats.bytesIn - fault.length, fault.length)
  }

  #lost(error: MeasurandError | undefined): void {
    if (error !== undefined) {
      this.#hooks.lost(error)
      return
    }
    const fault = this.#decoder.takeError() as Fault
    const offset = this.#hooks.stats.bytesIn - fault.length
    this.#hooks.malformed(fault.code, offset, fault.length)
    this.#hooks.lost(tiaError(fault.code as 'ERR_TIA_PACKET_LAYOUT', fault.message, { offset }))
  }

  #dropped(batch: PacketBatch): void {
    const [first, last] = [batch.packetId[0] as bigint, batch.packetId[batch.length - 1] as bigint]
    this.#hooks.lose({ cause: 'queue', firstSeq: first, lastSeq: last, count: batch.samples.length })
  }
}

/** Samples of every packet, where every packet has the same blocks. */
function samplesPerPacket({ signals }: MetaInfo): number | undefined {
  const [first] = signals
  if (first === undefined) return undefined
  const isEven = signals.every(
    ({ sampleRate, blocksize }) =>
      sampleRate > 0 && blocksize > 0 && sampleRate * first.blocksize === first.sampleRate * blocksize,
  )
  return isEven ? signals.reduce((sum, { channels, blocksize }) => sum + channels * blocksize, 0) : undefined
}

/** Adds the channels of a signal to the signal table; gives their rows. */
export function addSignal(
  signals: SignalTable,
  source: string,
  { type, bit, sampleRate, blocksize, labels }: SignalInfo,
): number[] {
  const name = nameOfBit(bit)
  return labels.map((label, channel) =>
    signals.add({
      source,
      nativeId: Buffer.from(`${name}/${channel + 1}`),
      name: label,
      kind: name,
      type: 'float32',
      rateHz: sampleRate > 0 ? sampleRate : null,
      timeline: name,
      meta: { channel: channel + 1, blocksize, ...(type === name ? {} : { type }) },
    }),
  )
}
