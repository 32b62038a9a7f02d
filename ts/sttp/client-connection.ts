import { randomBytes } from 'node:crypto'
import { type MeasurandError, Outbox, type Policy, type Timer, type Transport } from '../session/index.js'
import { BufferBlockSender, bufferBlockForm } from './buffer-block-sender.js'
import { ClientStats } from './client-stats.js'
import { asSttpError, type SttpCommand, type SttpSubscription, SttpUplink, sttpWriteResponse } from './codec.js'
import { COMMAND, datagramModes, isTssc, STTPAPI, versionOf } from './codes.js'
import type { Cohort } from './cohort.js'
import { CohortMember } from './cohort-member.js'
import type { ClientDescription, ConnectionHost } from './connection-host.js'
import type { DataChannel } from './data-channel.js'
import { guidText } from './measurement.js'
import { Notifications, textNotification } from './notifications.js'
import type { ServedSubscription } from './served-subscription.js'
import { subscriberQuirks } from './subscriber-quirks.js'

/** A publisher says that it is alive this often, ms. */
const NO_OP_INTERVAL = 5000
/** A client that was refused has this long to read why, ms. */
const REFUSED_DELAY = 1000
/** A client has this long to confirm a cache when the publisher stops, ms. */
const CONFIRMATION_DELAY = 5000
/** One subscriber of a {@link Publisher}. */
export class ClientConnection {
  /** The publisher's id of it. */
  readonly id: Uint8Array = randomBytes(16)
  readonly stats: ClientStats
  readonly #host: ConnectionHost
  readonly commandOutbox: Outbox
  readonly #transport: Transport
  readonly #uplink = new SttpUplink()
  readonly #bufferBlocks: BufferBlockSender
  readonly #notifications = new Notifications()
  #noOp: Timer
  #refusal: Timer | undefined
  #modes: number | undefined
  #subscription: SttpSubscription | undefined
  #served: ServedSubscription | undefined
  #channel: DataChannel | undefined
  /** What the data channel was asked for. */
  #channelOf = ''
  /** Subscriptions so far: one that waits for its data channel may be overtaken. */
  #subscriptions = 0
  readonly #quirks = new Set<string>()
  #isClosed = false

  constructor(transport: Transport, host: ConnectionHost) {
    this.#host = host
    this.#transport = transport
    this.stats = new ClientStats(host.stats)
    this.commandOutbox = new Outbox({ transport, stats: this.stats, maxBytes: host.queueBytes })
    this.#bufferBlocks = new BufferBlockSender(this.#bufferBlockHost())
    this.#noOp = this.#sayNoOp()
    transport.start({
      onChunk: (bytes) => this.#read(bytes),
      onDrain: () => this.commandOutbox.onDrain(),
      onEnd: () => this.end(),
      onClose: (error) => this.#closed(error),
    })
  }

  /** Where it is, `host:port`. */
  get peer(): string {
    return this.#transport.peer
  }

  /** Whether nobody else can read what is sent on the command channel. */
  get isSecure(): boolean {
    return this.#transport.isSecure ?? false
  }

  /** Its operational modes; 0 before it has said them. */
  get modes(): number {
    return this.#modes ?? 0
  }

  /** What it has asked for, while it is subscribed. @internal */
  get subscription(): SttpSubscription | undefined {
    return this.#subscription
  }

  /** Whether it has subscribed to something. */
  get isSubscribed(): boolean {
    return this.#served !== undefined
  }

  /** The cohort by which it is served, unless by a history. @internal */
  get cohort(): Cohort | undefined {
    return this.#served instanceof CohortMember ? this.#served.cohort : undefined
  }

  get policy(): Policy {
    return this.#host.policy
  }

  get dataOutbox(): Outbox {
    return this.#channel?.outbox ?? this.commandOutbox
  }

  get frameBytes(): number | undefined {
    return this.#channel?.frameBytes
  }

  /** The modes by which its measurements are written. */
  get dataModes(): number {
    return this.#channel === undefined ? this.modes : datagramModes(this.modes)
  }

  /** Bytes that wait for it. */
  get queuedBytes(): number {
    const waiting = this.commandOutbox.queuedBytes + (this.#channel?.outbox.queuedBytes ?? 0)
    return waiting + this.#bufferBlocks.heldBytes + (this.#served?.heldBytes ?? 0)
  }

  /** Whether more waits for it than should. */
  get isFull(): boolean {
    return this.queuedBytes > this.#host.queueBytes
  }

  /** Resolves when there is room again, or it is gone. */
  async ready(): Promise<void> {
    await Promise.all([this.commandOutbox.ready(), this.#channel?.outbox.ready()])
  }

  /** What it is and does. */
  describe(): ClientDescription {
    const { source = '', version = '', filterExpression = null } = this.#subscription ?? {}
    return {
      peer: this.peer,
      subscriberId: guidText(this.id),
      program: `${source} ${version}`.trim(),
      version: versionOf(this.modes),
      encoding: isTssc(this.modes) ? 'tssc' : 'compact',
      isSubscribed: this.isSubscribed,
      filter: filterExpression,
      quirks: [...this.#quirks],
      signals: this.#served?.signals ?? 0,
      stats: { ...this.stats.snapshot(), queuedBytes: this.queuedBytes },
    }
  }

  sent(rows: number): void {
    this.stats.received += rows
  }

  filtered(rows: number): void {
    this.stats.countFiltered(rows)
  }

  dropped(rows: number): void {
    this.stats.received += rows
    this.stats.dropped += rows
    this.#host.dropped(this, rows)
  }

  /** Sends a response of the user's own, 0 to 15; by default in answer to the command of the same number. */
  sendUserResponse(number: number, payload: Uint8Array = new Uint8Array(0), command = 0xd0 | number): void {
    const response = { type: 'userResponse', number, command, payload: Buffer.from(payload) }
    this.sendFrame(sttpWriteResponse(response, this.modes))
  }

  /**
   * Sends a text for people; resolves to true when the client has confirmed it, to false when the connection ends before,
   * and at once for sttpapi, which never confirms.
   */
  notify(hash: number, text: string): Promise<boolean> {
    if (this.#subscription?.source === STTPAPI) {
      this.sendFrame(textNotification(text, this.modes))
      return Promise.resolve(false)
    }
    this.sendFrame(sttpWriteResponse({ type: 'notification', hash, text }, this.modes))
    return this.#notifications.confirmation(hash)
  }

  /**
   * Sends bytes of a signal, by its row in the publisher's table. Gives `false`, and sends nothing, where the client is
   * not subscribed to the signal, or has more waiting than it should.
   */
  sendBufferBlock(row: number, bytes: Uint8Array, confirm = true): boolean {
    const { queueBytes } = this.#host
    // Half of what may wait is kept for measurements.
    const isRoom = this.#bufferBlocks.heldBytes + bytes.length <= queueBytes / 2 && !this.isFull
    if (!(this.#served instanceof CohortMember && this.#served.has(row) && isRoom)) return false
    void this.#bufferBlocks.send(row, bytes, bufferBlockForm(this.#subscription, this.modes), confirm)
    return true
  }

  /** Sends a frame that is no measurements. */
  sendFrame(frame: Uint8Array): void {
    this.commandOutbox.send(frame)
  }

  /** Says that nothing more will be published, unless it gets a history. */
  complete(text: string): void {
    if (!(this.#served instanceof CohortMember)) return
    this.#served.sendLast(sttpWriteResponse({ type: 'processingComplete', text }, this.modes))
  }

  /** Sends what is queued, then closes the connection; resolves when that has gone. */
  async end(): Promise<void> {
    if (this.#served instanceof CohortMember) await this.#confirmed(this.#served)
    this.#leave()
    await Promise.all([this.commandOutbox.flushed(), this.#channel?.outbox.flushed()])
    this.#transport.end()
  }

  /** Resolves when nothing is held for a client that has not confirmed its cache, or it has had its time. */
  async #confirmed(member: CohortMember): Promise<void> {
    let timer: Timer | undefined
    const late = new Promise<void>((resolve) => {
      timer = this.#host.clock.after(CONFIRMATION_DELAY, resolve)
    })
    await Promise.race([member.released(), late])
    timer?.cancel()
  }

  /** Closes the connection now; what waits is lost. */
  close(): void {
    this.#giveUp()
    this.#transport.close()
  }

  /** Closes the connection because more waits for the client than should. */
  disconnect(): void {
    this.#host.told(this, { kind: 'stalled', queuedBytes: this.queuedBytes })
    this.close()
  }

  #read(bytes: Uint8Array): void {
    this.stats.countIn(bytes.length, 0)
    for (let left = this.#uplink.decode(bytes); left > 0 && !this.#isClosed; left--) {
      const command = this.#uplink.takeCommand()
      if (command === null) return
      this.stats.countIn(0, 1)
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
        this.#served?.confirm()
        break
      case 'userCommand': {
        const payload = command.payload ?? new Uint8Array(0)
        this.#host.told(this, { kind: 'user-command', number: command.number ?? 0, payload })
        break
      }
      case 'updateProcessingInterval':
        this.#changeInterval(command.interval ?? -1)
        break
      case 'rotateCipherKeys':
        this.#rotateKeys()
        break
      case 'confirmNotification': {
        const { hash = 0 } = command
        if (this.#notifications.confirmed(hash)) this.#host.told(this, { kind: 'notification-confirmed', hash })
        break
      }
      case 'confirmBufferBlock': {
        const { sequence = 0 } = command
        if (this.#bufferBlocks.confirmed(sequence)) this.#host.told(this, { kind: 'buffer-block-confirmed', sequence })
        break
      }
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
    for (const quirk of subscriberQuirks(subscription)) {
      if (this.#quirks.has(quirk)) continue
      this.#quirks.add(quirk)
      this.#host.told(this, { kind: 'quirk', quirk })
    }
    if (((subscription.flags ?? 0) & 1) !== 0) {
      this.#answer('failed', COMMAND.subscribe, 'Synchronized subscriptions are not supported.')
      return
    }
    const { dataChannel: port, dataChannelGroup: group = '' } = subscription
    const turn = ++this.#subscriptions
    const wanted = port === undefined ? '' : `${port} ${group}`
    if (wanted === this.#channelOf) {
      this.#serve(subscription)
      return
    }
    if (wanted === '') {
      this.#use(undefined, '')
      this.#serve(subscription)
      return
    }
    this.#host.openChannel(this, subscription).then(
      (channel) => {
        if (this.#isClosed || turn !== this.#subscriptions) {
          channel.close()
          return
        }
        this.#use(channel, wanted)
        this.#serve(subscription)
      },
      (error) => this.#answer('failed', COMMAND.subscribe, asSttpError(error).message),
    )
  }

  /** Sends measurements by another channel from now on. */
  #use(channel: DataChannel | undefined, wanted: string): void {
    this.#leave()
    const rows = this.#channel?.close() ?? 0
    if (rows > 0) this.#host.dropped(this, rows)
    this.#channel = channel
    this.#channelOf = wanted
  }

  #serve(subscription: SttpSubscription): void {
    let served: ServedSubscription
    try {
      served = this.#host.serve(this, subscription, this.#served)
    } catch (error) {
      this.#answer('failed', COMMAND.subscribe, asSttpError(error).message)
      return
    }
    if (served !== this.#served) this.#served?.stop()
    this.#served = served
    this.#subscription = subscription
    const { signals } = served
    const form = isTssc(this.dataModes) ? 'TSSC' : 'compact'
    const way = this.#channel === undefined ? '' : ` by UDP${this.#channel.isEncrypted ? ', encrypted' : ''}`
    const text = `Client subscribed as ${form} with ${signals} signals${way}.`
    served.start(() => this.#answer('succeeded', COMMAND.subscribe, text))
    this.#host.told(this, { kind: 'subscribed', signals })
  }

  /** Serves its subscription anew, by what it is permitted now. */
  subscribeAgain(): void {
    if (this.#subscription === undefined || !(this.#served instanceof CohortMember)) return
    this.#host.serve(this, this.#subscription, this.#served).start(() => {})
  }

  #changeInterval(interval: number): void {
    const changed = this.#served?.changeInterval(interval) ?? false
    if (changed) this.#host.told(this, { kind: 'processing-interval', interval })
    const text = changed ? `New processing interval: ${interval} ms.` : 'There is no historical subscription.'
    this.#answer(changed ? 'succeeded' : 'failed', COMMAND.updateProcessingInterval, text)
  }

  #indexOf(row: number): { readonly index: number; readonly cacheIndex: number } | undefined {
    return this.#served instanceof CohortMember ? this.#served.indexOf(row) : undefined
  }

  #bufferBlockHost(): ConstructorParameters<typeof BufferBlockSender>[0] {
    const connection = this
    return {
      clock: this.#host.clock,
      get modes() {
        return connection.modes
      },
      ready: async () => (connection.#served instanceof CohortMember ? connection.#served.entered() : undefined),
      indexOf: (row) => this.#indexOf(row),
      sealed: (block) => this.#channel?.sealed(block) ?? block,
      // Datagrams could be too small for them, and nothing is gained where they are sent until they are confirmed.
      send: (frame) => this.commandOutbox.send(frame),
      lost: (bytes) => this.#host.lostBlock(this, bytes),
    }
  }

  #rotateKeys(): void {
    if (this.#channel === undefined || !this.#channel.isEncrypted) {
      this.#answer('failed', COMMAND.rotateCipherKeys, 'There is no encrypted data channel.')
    } else if (this.#channel.rotateKeys()) this.#answer('succeeded', COMMAND.rotateCipherKeys, '')
    else this.#answer('failed', COMMAND.rotateCipherKeys, 'The keys were changed less than a second ago.')
  }

  /** Is served by nothing any more. */
  #leave(): void {
    this.#served?.stop()
    this.#served = undefined
    this.#subscription = undefined
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

  #giveUp(): void {
    const rows = this.commandOutbox.close() + (this.#channel?.close() ?? 0)
    if (rows === 0) return
    // They were counted when they went into the queue.
    this.stats.dropped += rows
    this.#host.dropped(this, rows)
  }

  #closed(error: MeasurandError | undefined): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#noOp.cancel()
    this.#refusal?.cancel()
    this.#bufferBlocks.close()
    this.#notifications.close()
    this.#leave()
    this.#giveUp()
    this.#host.told(this, error === undefined ? { kind: 'left' } : { kind: 'left', error })
  }
}
