import { randomBytes } from 'node:crypto'
import type { MeasurementBatch } from '../batch/index.js'
import { type Clock, type MeasurandError, Outbox, type Policy, type Timer, type Transport } from '../session/index.js'
import { asSttpError, type SttpCommand, type SttpSubscription, SttpUplink, sttpWriteResponse } from './codec.js'
import { COMMAND, isTssc, versionOf } from './codes.js'
import type { Cohort } from './cohort.js'

/** What a connection needs of its publisher. */
export interface ConnectionHost {
  readonly clock: Clock
  readonly queueBytes: number
  readonly policy: Policy
  readonly stats: { bytesIn: number; bytesOut: number; messagesIn: number; messagesOut: number }
  /** Metadata for a refresh with these filters; rejects with what is wrong with them. */
  metadata(filters: string, modes: number): Promise<Uint8Array>
  /** Makes the cohort of a subscription; throws what is wrong with its filter. */
  cohort(connection: ClientConnection, subscription: SttpSubscription): Cohort
  /** A member was added to a cohort, or has caught up and needs one of its own. */
  joined(connection: ClientConnection): void
  relieved(connection: ClientConnection): void
  told(connection: ClientConnection, event: ConnectionEvent): void
  dropped(connection: ClientConnection, rows: number): void
  malformed(connection: ClientConnection, code: string, offset: number, length: number): void
}

/** What happened on a connection. */
export type ConnectionEvent =
  | { readonly kind: 'joined' | 'unsubscribed' }
  | { readonly kind: 'left'; readonly error?: MeasurandError }
  | { readonly kind: 'subscribed'; readonly signals: number }
  | { readonly kind: 'user-command'; readonly number: number; readonly payload: Uint8Array }

/** A publisher says that it is alive this often, ms. */
const NO_OP_INTERVAL = 5000
/** A client that was refused has this long to read why, ms. */
const REFUSED_DELAY = 1000

/** One subscriber of a {@link Publisher}. */
export class ClientConnection {
  /** The publisher's id of it. */
  readonly id: Uint8Array = randomBytes(16)
  readonly #host: ConnectionHost
  readonly #transport: Transport
  readonly #outbox: Outbox
  readonly #uplink = new SttpUplink()
  #noOp: Timer
  #refusal: Timer | undefined
  #modes: number | undefined
  #subscription: SttpSubscription | undefined
  #cohort: Cohort | undefined
  /** The cohort whose cache was sent and is not in force. */
  #next: Cohort | undefined
  /** What was published since the first subscription, until its cache is in force. */
  #held: MeasurementBatch[] = []
  #heldBytes = 0
  /** Called when nothing is held any more. */
  #onRelease: (() => void)[] = []
  /** Too much waits: measurements are given up until it does not, and a new cache is in force. */
  #isStalled = false
  #isClosed = false

  constructor(transport: Transport, host: ConnectionHost) {
    this.#host = host
    this.#transport = transport
    this.#outbox = new Outbox({ transport, stats: host.stats, maxBytes: host.queueBytes })
    this.#noOp = this.#sayNoOp()
    transport.start({
      onChunk: (bytes) => this.#read(bytes),
      onDrain: () => this.#outbox.onDrain(),
      onEnd: () => this.end(),
      onClose: (error) => this.#closed(error),
    })
  }

  /** Where it is, `host:port`. */
  get peer(): string {
    return this.#transport.peer
  }

  /** Its operational modes; 0 before it has said them. */
  get modes(): number {
    return this.#modes ?? 0
  }

  /** What it has asked for, while it is subscribed. */
  get subscription(): SttpSubscription | undefined {
    return this.#subscription
  }

  /** Whether measurements go to it: it has subscribed, and its cache is in force. */
  get isSubscribed(): boolean {
    return this.#cohort !== undefined
  }

  /** The cohort by which it is served. */
  get cohort(): Cohort | undefined {
    return this.#cohort
  }

  /** Whether it could become a member of another cohort now. */
  get isSteady(): boolean {
    return this.#cohort !== undefined && this.#next === undefined && !this.#isStalled
  }

  /** Bytes that wait for it. */
  get queuedBytes(): number {
    return this.#outbox.queuedBytes + this.#heldBytes
  }

  /** Whether more waits for it than should. */
  get isFull(): boolean {
    return this.queuedBytes > this.#host.queueBytes
  }

  /** Resolves when there is room again, or it is gone. */
  async ready(): Promise<void> {
    if (this.#held.length > 0 && this.isFull) await new Promise<void>((resolve) => this.#onRelease.push(resolve))
    await this.#outbox.ready()
  }

  /** Sends frames of measurements; `done` is called when their bytes are free. */
  send(frames: Uint8Array, rows: number, done: () => void): void {
    if (this.isFull && !this.#isStalled && this.#host.policy !== 'block') this.#stall()
    if (this.#isStalled) {
      this.#host.dropped(this, rows)
      done()
      return
    }
    this.#outbox.send(frames, rows, done)
  }

  /** Keeps what is published while its first cache is not in force. */
  hold(batch: MeasurementBatch): void {
    if (this.#next === undefined || this.#cohort !== undefined) return
    if (this.isFull) {
      this.#host.dropped(this, batch.length)
      return
    }
    const copy = batch.copy()
    this.#held.push(copy)
    this.#heldBytes += copy.block.bytes.length
  }

  /** Sends the cache of a cohort; it is served as before until {@link enter}. */
  offer(cohort: Cohort, cache: Uint8Array): void {
    this.#next?.leave(this)
    this.#next = cohort
    this.#outbox.send(cache)
  }

  /** The cache of a cohort is in force: what was held goes out first. */
  enter(cohort: Cohort): void {
    this.#cohort?.leave(this)
    this.#cohort = cohort
    this.#next = undefined
    this.#isStalled = false
    for (const batch of this.#takeHeld()) cohort.publish(batch.block)
    this.#host.joined(this)
  }

  /** Sends a frame that is no measurements. */
  sendFrame(frame: Uint8Array): void {
    this.#outbox.send(frame)
  }

  /** Sends what is queued, then closes the connection; resolves when that has gone. */
  async end(): Promise<void> {
    this.#leave()
    await this.#outbox.flushed()
    this.#transport.end()
  }

  /** Closes the connection now. */
  close(): void {
    this.#transport.close()
  }

  #read(bytes: Uint8Array): void {
    this.#host.stats.bytesIn += bytes.length
    for (let left = this.#uplink.decode(bytes); left > 0 && !this.#isClosed; left--) {
      const command = this.#uplink.takeCommand()
      if (command === null) return
      this.#host.stats.messagesIn++
      this.#obey(command)
    }
  }

  #obey(command: SttpCommand): void {
    if (command.type === 'malformed' || command.type === 'lost') {
      this.#host.malformed(this, command.error ?? '', command.offset ?? 0, command.length ?? 0)
      if (command.type === 'lost') this.close()
      else this.#answer('failed', command.code ?? COMMAND.subscribe, command.message ?? '')
      return
    }
    if (this.#modes === undefined && command.type !== 'defineOperationalModes') {
      this.#answer('failed', COMMAND.defineOperationalModes, 'Operational modes have to be defined first.')
      return
    }
    switch (command.type) {
      case 'defineOperationalModes':
        this.#defineModes(command.modes ?? 0)
        break
      case 'metadataRefresh':
        void this.#refresh(command.filters ?? '')
        break
      case 'subscribe':
        this.#subscribe(command.subscription ?? {})
        break
      case 'unsubscribe':
        this.#leave()
        this.#answer('succeeded', COMMAND.unsubscribe, 'Client unsubscribed.')
        this.#host.told(this, { kind: 'unsubscribed' })
        break
      case 'confirmUpdateSignalIndexCache':
        this.#next?.confirmedBy(this)
        break
      case 'userCommand': {
        const payload = command.payload ?? new Uint8Array(0)
        this.#host.told(this, { kind: 'user-command', number: command.number ?? 0, payload })
        break
      }
      case 'updateProcessingInterval':
        this.#answer('failed', COMMAND.updateProcessingInterval, 'There is no historical subscription.')
        break
      case 'rotateCipherKeys':
        this.#answer('failed', COMMAND.rotateCipherKeys, 'There is no encrypted data channel.')
        break
      case 'confirmNotification':
      case 'confirmBufferBlock':
        break
      default: {
        const code = command.code ?? 0
        this.#answer('failed', code, `The command 0x${code.toString(16).padStart(2, '0')} is not handled.`)
      }
    }
  }

  #defineModes(modes: number): void {
    const version = versionOf(modes)
    if (version < 1 || version > 3) {
      const text = `Protocol version ${version} is not supported: 1 to 3 are.`
      this.#answer('failed', COMMAND.defineOperationalModes, text)
      this.#refusal = this.#host.clock.after(REFUSED_DELAY, () => this.close())
      return
    }
    this.#modes = modes
    // Not the words of the C++ publisher: subscribers know its defects by them.
    const text = `Operational modes of protocol version ${version} applied.`
    this.#answer('succeeded', COMMAND.defineOperationalModes, text)
    this.#host.told(this, { kind: 'joined' })
  }

  async #refresh(filters: string): Promise<void> {
    try {
      const metadata = await this.#host.metadata(filters, this.modes)
      this.sendFrame(sttpWriteResponse({ type: 'metadata', payload: Buffer.from(metadata) }, this.modes))
    } catch (error) {
      this.#answer('failed', COMMAND.metadataRefresh, asSttpError(error).message)
    }
  }

  #subscribe(subscription: SttpSubscription): void {
    const { flags = 0, startTimeConstraint, stopTimeConstraint } = subscription
    if ((flags & 1) !== 0) {
      this.#answer('failed', COMMAND.subscribe, 'Synchronized subscriptions are not supported.')
      return
    }
    if (startTimeConstraint || stopTimeConstraint) {
      this.#answer('failed', COMMAND.subscribe, 'This publisher serves no historical subscriptions.')
      return
    }
    let cohort: Cohort
    try {
      cohort = this.#host.cohort(this, subscription)
    } catch (error) {
      this.#answer('failed', COMMAND.subscribe, asSttpError(error).message)
      return
    }
    this.#subscription = subscription
    const signals = cohort.signals.rows.length
    cohort.offer([this])
    const form = isTssc(this.modes) ? 'TSSC' : 'compact'
    this.#answer('succeeded', COMMAND.subscribe, `Client subscribed as ${form} with ${signals} signals.`)
    this.#host.told(this, { kind: 'subscribed', signals })
  }

  /** Is served by nothing any more. */
  #leave(): void {
    this.#cohort?.leave(this)
    this.#next?.leave(this)
    this.#cohort = undefined
    this.#next = undefined
    this.#subscription = undefined
    for (const batch of this.#takeHeld()) this.#host.dropped(this, batch.length)
    this.#isStalled = false
  }

  #takeHeld(): MeasurementBatch[] {
    this.#heldBytes = 0
    for (const resolve of this.#onRelease.splice(0)) resolve()
    return this.#held.splice(0)
  }

  #stall(): void {
    if (this.#host.policy === 'disconnect') {
      this.close()
      return
    }
    this.#isStalled = true
    void this.#outbox.flushed().then(() => {
      if (this.#isStalled && !this.#isClosed) this.#host.relieved(this)
    })
  }

  #answer(type: 'succeeded' | 'failed', command: number, text: string): void {
    this.sendFrame(sttpWriteResponse({ type, command, text }, this.modes))
  }

  #sayNoOp(): Timer {
    return this.#host.clock.after(NO_OP_INTERVAL, () => {
      this.sendFrame(sttpWriteResponse({ type: 'noOp' }, this.modes))
      this.#noOp = this.#sayNoOp()
    })
  }

  #closed(error: MeasurandError | undefined): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#noOp.cancel()
    this.#refusal?.cancel()
    this.#leave()
    const rows = this.#outbox.close()
    if (rows > 0) this.#host.dropped(this, rows)
    this.#host.told(this, error === undefined ? { kind: 'left' } : { kind: 'left', error })
  }
}
