import { type Batch, countedRows } from '../batch/index.js'
import type { Ready } from '../session/delivery.js'
import { sessionError } from '../session/error-codes.js'
import {
  type CaptureItem,
  type Gap,
  type Network,
  type SourceDescription,
  type SourceOptions,
  SourceSession,
} from '../session/index.js'
import { DataReceiver } from './data-receiver.js'
import type { DataReceiverOptions } from './data-receiver-options.js'
import { describeEndpoint, describeGroup } from './endpoint-info.js'
import { hostId } from './host-id.js'
import { ReceiverSatellite } from './receiver-satellite.js'
import { MessageType, RecordBatch } from './record-batch.js'
import { Service } from './service.js'
import type { Zmq } from './zeromq.js'

/** How long who listens may take to say what it is, ms. */
const CONNECT_MS = 10_000
/** How long nothing may come behind a disconnection until its messages count as read, ms. */
const QUIET_MS = 150
/** How long a recorder stays after its last run, ms. */
const LEAVE_MS = 250

/** The options of a `cdtp://` URL. */
export const sourceOptions = {
  runs: { value: 'N', line: 'end after the end of so many runs' },
  name: { value: 'NAME', line: 'name of the satellite that records a group, Recorder.NAME (default measurand)' },
  interface: { value: 'ADDRESS', line: 'IPv4 address of the interface for discovery (default: all)' },
} as const

/** What is asked of a source; `SourceUrl` of `measurand/ingest` is one. */
export interface CdtpPlace {
  readonly host: string
  readonly port: number | undefined
  readonly path: string
  option(name: string): string | undefined
  integer(name: string, min: number, max: number): number | undefined
}

/** Which runs a source takes. */
export interface CdtpSourceOptions extends SourceOptions {
  /** Ends after the end of so many runs. */
  readonly runs?: number
}

/** Nothing on this wire authenticates. */
export const redactor = (): ((item: CaptureItem) => CaptureItem) => (item) => item

/** Opens `cdtp://HOST:PORT`, a transmitter, or `cdtp://GROUP[/NAME[,NAME]]`, a constellation. */
export async function openSource(place: CdtpPlace, options: SourceOptions): Promise<CdtpSource> {
  const runs = place.integer('runs', 1, Number.MAX_SAFE_INTEGER)
  const all = runs === undefined ? options : { ...options, runs }
  const source =
    place.port === undefined
      ? new GroupSource(place.host, place.path === '' ? [] : place.path.split(','), {
          ...all,
          satellite: place.option('name') ?? 'measurand',
          ...(place.option('interface') === undefined ? {} : { interfaces: [place.option('interface') as string] }),
        })
      : new EndpointSource(place.host, place.port, all)
  await source.connect()
  return source
}

/** What a URL stands for, without taking anything of a run away. */
export function describeSource(place: CdtpPlace, network: Network): Promise<SourceDescription> {
  if (place.port !== undefined) return describeEndpoint(network, place.host, place.port)
  const address = place.option('interface')
  return describeGroup(place.host, address === undefined ? undefined : [address])
}

/** The records of transmitters as a source of batches, run after run. */
export abstract class CdtpSource extends SourceSession<RecordBatch> {
  readonly system = 'cdtp'
  readonly #runs: number | undefined
  readonly #senders = new Set<string>()
  #ends = 0

  constructor(name: string, options: CdtpSourceOptions = {}) {
    super(name, options)
    this.#runs = options.runs
  }

  /** Connects for the first time. */
  connect(): Promise<void> {
    return this.start()
  }

  /** BOR and EOR are rows of the table and no records. A part of a message, or what waited on disk, is only a batch. */
  override countOf(batch: Batch): number {
    if (!(batch instanceof RecordBatch)) return countedRows(batch)
    return batch.kind === MessageType.DATA ? batch.length : 0
  }

  gapsOf(batch: Batch): readonly Omit<Gap, 'cause'>[] {
    const count = this.countOf(batch)
    if (count === 0) return []
    if (!(batch instanceof RecordBatch)) return [{ count }]
    const { sender: source, run } = batch
    return batch.ranges().map((range) => ({ source, run, ...range }))
  }

  protected override dropped({ batch }: Ready<RecordBatch>): void {
    for (const gap of this.gapsOf(batch)) this.lose({ cause: 'queue', ...gap })
  }

  describe(): SourceDescription {
    const clock = { time: 'timestamp tags, else time of receipt' }
    return { peer: this.peer, quirks: [], clock, meta: { senders: [...this.#senders], runs: this.#ends } }
  }

  /** Where the records come from. */
  protected abstract get peer(): string

  /** How a receiver gives its batches to this source. */
  protected receiverOptions(): DataReceiverOptions {
    const { delivery, stats, ledger, status, clock } = this
    const observe = this.network.observe?.bind(this.network)
    const base = {
      delivery,
      stats,
      ledger,
      status,
      clock,
      name: this.name,
      onBatch: (batch: RecordBatch) => this.#saw(batch),
    }
    return observe === undefined ? base : { ...base, observe }
  }

  /** A run ended; the source ends where that was the last that is wanted. */
  protected runEnded(): void {
    if (++this.#ends === this.#runs) this.finished()
  }

  #saw(batch: RecordBatch): void {
    if (batch.kind === MessageType.BOR) this.#senders.add(batch.sender)
    if (batch.kind === MessageType.EOR) this.onEor(batch)
  }

  /** An EOR, of the wire or a substitute, was given out. */
  protected abstract onEor(batch: RecordBatch): void
}

/**
 * The runs of one transmitter whose address is known.
 *
 * ```ts
 * const source = new EndpointSource('127.0.0.1', 50101, { runs: 1 })
 * await source.connect()
 * for await (const batch of source) records += batch.length
 * ```
 */
export class EndpointSource extends CdtpSource {
  readonly #host: string
  readonly #port: number
  readonly #receiver: DataReceiver
  #socket: Zmq.Pull | undefined

  constructor(host: string, port: number, options: CdtpSourceOptions = {}) {
    super(options.name ?? `cdtp-${host}-${port}`, options)
    this.#host = host
    this.#port = port
    this.#receiver = new DataReceiver({ ...this.receiverOptions(), manyRuns: true })
    this.#receiver.startReceiving()
  }

  protected get peer(): string {
    return `cdtp://${this.#host}:${this.#port}`
  }

  protected onEor(): void {
    this.runEnded()
  }

  protected async open(): Promise<void> {
    const socket = await this.#receiver.newSocket()
    this.#socket = socket
    await new Promise<void>((resolve, reject) => {
      const settle = (end: () => void): void => {
        timer.cancel()
        this.signal.removeEventListener('abort', abort)
        end()
      }
      const text = `no transmitter answers at ${this.#host}:${this.#port}`
      const refuse = (): void => settle(() => reject(sessionError('ERR_SESSION_CONNECT_REFUSED', text)))
      const abort = (): void => settle(() => reject(this.signal.reason))
      const timer = this.clock.after(CONNECT_MS, refuse)
      socket.events.on('handshake', () => settle(resolve))
      // ZeroMQ would try again by itself, and say so only here.
      socket.events.on('connect:retry', refuse)
      socket.events.on('disconnect', () => this.#awaitQuiet(socket))
      this.signal.addEventListener('abort', abort, { once: true })
      socket.connect(`tcp://${this.#host}:${this.#port}`)
    })
    const hostUuid = hostId(this.peer)
    this.#receiver.addSocket({ hostUuid, serviceId: Service.DATA, address: this.#host, port: this.#port }, socket)
  }

  /**
   * ZeroMQ connects again by itself, and what came before the disconnection is still to be read: only a run that has
   * not ended when nothing is left was cut.
   */
  #awaitQuiet(socket: Zmq.Pull): void {
    const look = (): void => {
      if (this.#socket !== socket || !this.#receiver.isInRun) return
      if (this.#receiver.quietFor >= QUIET_MS) this.connectionLost()
      else this.#awaitQuiet(socket)
    }
    // A process that stalled reads what has come behind its timers: only then is it known to be quiet.
    this.clock.after(QUIET_MS, () => setImmediate(look))
  }

  protected hangUp(): void {
    const socket = this.#socket
    this.#socket = undefined
    const service = { hostUuid: hostId(this.peer), serviceId: Service.DATA, address: this.#host, port: this.#port }
    this.#receiver.removeSender(service)
    socket?.close()
  }

  protected override async deliverRest(): Promise<void> {
    this.hangUp()
    await this.#receiver.endOpenRuns()
    await super.deliverRest()
  }
}

/** What a {@link GroupSource} can be given. */
export interface GroupSourceOptions extends CdtpSourceOptions {
  /** The second half of its canonical name, `Recorder.NAME`. */
  readonly satellite?: string
  readonly interfaces?: readonly string[]
}

/** The runs of a constellation, recorded by a satellite that its controller drives. */
export class GroupSource extends CdtpSource {
  readonly satellite: ReceiverSatellite
  readonly #group: string

  /** @param transmitters canonical names; all where there is none */
  constructor(group: string, transmitters: readonly string[], options: GroupSourceOptions = {}) {
    super(options.name ?? `cdtp-${group}`, options)
    this.#group = group
    // A controller waits until it sees all of them in their new state: who leaves at once is missed.
    const ended = (): void => void this.clock.after(LEAVE_MS, () => this.runEnded())
    this.satellite = new (class extends ReceiverSatellite {
      protected override async doStopping(): Promise<string> {
        ended()
        return 'Stopped'
      }

      protected override async doInterrupting(): Promise<string> {
        ended()
        return 'Interrupted'
      }
    })({
      type: 'Recorder',
      name: options.satellite ?? 'measurand',
      group,
      clock: this.clock,
      receiver: this.receiverOptions(),
      ...(transmitters.length === 0 ? {} : { receiveFrom: transmitters }),
      ...(options.interfaces === undefined ? {} : { interfaces: options.interfaces }),
    })
    // A controller may shut it down.
    void this.satellite.closed.then(() => this.finished())
  }

  protected get peer(): string {
    return `cdtp://${this.#group}`
  }

  protected onEor(): void {}

  protected open(): Promise<void> {
    return this.satellite.open()
  }

  protected hangUp(): void {
    void this.satellite.close()
  }
}
