import {
  BlockIntake,
  type Clock,
  type MeasurandError,
  type Network,
  type Timer,
  type Transport,
  Watchdog,
} from '../session/index.js'
import {
  type SttpCommand,
  type SttpControl,
  SttpDownlink,
  type SttpFault,
  type SttpSubscription,
  sttpWriteCommand,
} from './codec.js'
import { COMMAND } from './codes.js'
import { DatagramIntake, type DatagramParts, type DatagramPlace } from './datagram-intake.js'
import { sttpError } from './error-codes.js'
import { PauseGate } from './pause-gate.js'
import { hostOf } from './publisher-address.js'

/** What a connection tells its subscriber. */
export interface ConnectionHandler {
  /** A response, loss or quirk, in the order of the wire. */
  onControl(control: SttpControl): void
  /** A message could not be read. */
  onFault(fault: SttpFault): void
  /** Datagrams are lost: in the own queue, whose bytes are known, or in the system's. */
  onDropped(datagrams: number, bytes?: number): void
  /** Datagrams came behind newer ones. */
  onLate(datagrams: number): void
  /** It is over, once. */
  onEnd(error: MeasurandError | undefined): void
}

/** What a connection is made of. */
export interface ConnectionOptions extends DatagramParts {
  readonly transport: Transport
  readonly clock: Clock
  readonly handler: ConnectionHandler
  readonly modes: number
  /** ms without a byte after which the publisher is taken for dead; 0: never. */
  readonly silence: number
  /** ms that an answer may take. */
  readonly answerTimeout: number
  /** Bytes of a data packet, a cache and metadata at most. */
  readonly limits: { readonly frameBytes?: number; readonly cacheBytes?: number; readonly metadataBytes?: number }
}

interface Waiting {
  readonly isAnswer: (control: SttpControl) => boolean
  readonly resolve: (control: SttpControl) => void
  readonly reject: (error: Error) => void
  readonly timer: Timer
}

/** One connection to a publisher: the transport, what decodes it, and the answers that are waited for. */
export class SubscriberConnection {
  readonly peer: string
  readonly downlink: SttpDownlink
  /** Whoever else reads of the connection pauses it by a handle of this. */
  readonly gate: PauseGate
  readonly #options: ConnectionOptions
  readonly #intake: BlockIntake
  readonly #watchdog: Watchdog | undefined
  #waiting: Waiting[] = []
  #datagrams: DatagramIntake | undefined
  /** Whether the subscription of the data channel was answered, and its cache has come. */
  #isAnswered = false
  #hasCache = false
  #messages = 0
  #lateDatagrams = 0
  #isOver = false

  constructor(options: ConnectionOptions) {
    this.#options = options
    const { transport, clock, silence, modes, limits, delivery, ring, stats, signals } = options
    this.peer = transport.peer
    this.downlink = new SttpDownlink({ modes, ...limits })
    this.gate = new PauseGate(transport)
    this.#intake = new BlockIntake({
      system: 'sttp',
      delivery,
      ring,
      decoder: this.downlink,
      transport: this.gate.handle(),
      handler: {
        onControl: () => this.#takeControls(),
        onMalformed: () => this.#takeFault(),
        onLost: (error) => this.#lose(error),
      },
      stats,
      signals,
      wire: 'f32',
    })
    if (silence > 0) {
      this.#watchdog = new Watchdog(clock, silence, () => {
        this.end(sttpError('ERR_STTP_PUBLISHER_SILENT', `${this.peer} was silent for ${silence / 1000} s`))
      })
    }
  }

  /** Begins reading. */
  start(): void {
    this.#options.transport.start({
      onChunk: (bytes) => {
        this.#intake.feed(bytes)
        this.#heard()
      },
      onClose: (error) => this.end(error),
    })
  }

  /** Whether nobody else can read what comes by the connection. */
  get isSecure(): boolean {
    return this.#options.transport.isSecure ?? false
  }

  /**
   * Opens a data channel, if it is not open at this place already, or closes it where there is no place; gives its port.
   * It is read when the subscription was answered and its cache has come: by then, keys have too.
   */
  async openDatagrams(network: Network, place: Omit<DatagramPlace, 'from'> | undefined): Promise<number | undefined> {
    const known = this.#datagrams
    if (known !== undefined && place !== undefined) {
      const { port, host, group } = known.place
      if (port === place.port && host === place.host && group === place.group) return known.port
    }
    this.#datagrams = undefined
    known?.close()
    if (place === undefined) return undefined
    const opened: DatagramIntake = await DatagramIntake.open(
      network,
      { ...place, from: hostOf(this.peer) },
      this.#options,
      this.downlink,
      {
        onControl: () => this.#takeControls(),
        onMalformed: () => this.#takeFault(),
        onChunk: () => this.#heardDatagrams(),
        onDropped: (datagrams, bytes) => this.#options.handler.onDropped(datagrams, bytes),
        onClose: (error) => {
          if (this.#datagrams === opened) this.end(error)
        },
      },
    )
    if (this.#isOver) {
      opened.close()
      throw sttpError('ERR_STTP_CONNECTION_CLOSED', `the connection to ${this.peer} is closed`)
    }
    this.#datagrams = opened
    this.#isAnswered = false
    this.#hasCache = false
    return opened.port
  }

  /** Sends a command in one write: sttpapi's publisher takes a header that is cut for the end. */
  send(command: SttpCommand): void {
    if (this.#isOver) return
    const { transport, stats } = this.#options
    const frame = sttpWriteCommand(command)
    stats.messagesOut++
    stats.bytesOut += frame.length
    transport.write(frame)
  }

  /** Subscribes; resolves when the publisher has accepted that. */
  async subscribe(subscription: SttpSubscription): Promise<void> {
    const { type, text = '' } = await this.#ask({ type: 'subscribe', subscription }, 'the subscription')
    if (type === 'failed') {
      throw sttpError('ERR_STTP_SUBSCRIPTION_REFUSED', `${this.peer} refuses the subscription: ${text}`)
    }
  }

  /** Changes the speed of a history, ms between frames; resolves when the publisher has done so. */
  async updateProcessingInterval(interval: number): Promise<void> {
    const { type, text = '' } = await this.#ask(
      { type: 'updateProcessingInterval', interval },
      'the processing interval',
    )
    if (type === 'failed') throw sttpError('ERR_STTP_INTERVAL_REFUSED', `${this.peer} keeps its speed: ${text}`)
  }

  /** Asks for new keys of the data channel; resolves when the publisher has sent them. */
  async rotateCipherKeys(): Promise<void> {
    const { type, text = '' } = await this.#ask({ type: 'rotateCipherKeys' }, 'the request for new keys')
    if (type === 'failed') throw sttpError('ERR_STTP_KEYS_REFUSED', `${this.peer} changes no keys: ${text}`)
  }

  /** Asks for the metadata; resolves with them as they came, with nothing where the publisher refuses them. */
  async refreshMetadata(filters: string | undefined): Promise<Uint8Array | undefined> {
    const command = { type: 'metadataRefresh', ...(filters === undefined ? {} : { filters }) } as const
    return (await this.#ask(command, 'the request for metadata')).payload
  }

  /** Sends a command and resolves with the publisher's answer to it. */
  #ask(command: SttpCommand & { readonly type: keyof typeof COMMAND }, what: string): Promise<SttpControl> {
    this.send(command)
    const code = COMMAND[command.type]
    return this.#answer(
      (control) =>
        control.command === code
          ? control.type === 'succeeded' || control.type === 'failed'
          : control.type === 'metadata' && code === COMMAND.metadataRefresh,
      what,
    )
  }

  /** Resolves with the first control message that is an answer; rejects after `answerTimeout` and with the connection's end. */
  #answer(isAnswer: (control: SttpControl) => boolean, what: string): Promise<SttpControl> {
    const { clock, answerTimeout } = this.#options
    if (this.#isOver) {
      const text = `the connection to ${this.peer} is closed`
      return Promise.reject(sttpError('ERR_STTP_CONNECTION_CLOSED', text))
    }
    return new Promise((resolve, reject) => {
      const timer = clock.after(answerTimeout, () => {
        this.#waiting = this.#waiting.filter((waiting) => waiting.timer !== timer)
        reject(sttpError('ERR_STTP_ANSWER_TIMEOUT', `${this.peer} did not answer ${what} in ${answerTimeout / 1000} s`))
      })
      this.#waiting.push({ isAnswer, resolve, reject, timer })
    })
  }

  /** Ends it; `onEnd` is told. */
  end(error?: MeasurandError): void {
    if (this.#isOver) return
    this.close(error)
    this.#options.handler.onEnd(error)
  }

  /** Closes it without a word; what waits for answers is told. */
  close(error?: MeasurandError): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#watchdog?.stop()
    const ended = error ?? sttpError('ERR_STTP_CONNECTION_CLOSED', `the connection to ${this.peer} is closed`)
    for (const waiting of this.#waiting.splice(0)) {
      waiting.timer.cancel()
      waiting.reject(ended)
    }
    this.#options.transport.close()
    this.#intake.finish()
    this.#datagrams?.close()
  }

  /** Something came. */
  #heard(): void {
    this.#watchdog?.touch()
    if (this.#isOver) return
    const now = this.downlink.messages
    this.#options.stats.messagesIn += now - this.#messages
    this.#messages = now
  }

  #heardDatagrams(): void {
    this.#heard()
    const { lateDatagrams } = this.downlink
    if (lateDatagrams > this.#lateDatagrams) this.#options.handler.onLate(lateDatagrams - this.#lateDatagrams)
    this.#lateDatagrams = lateDatagrams
  }

  #takeControls(): void {
    for (let control = this.downlink.takeControl(); control !== null; control = this.downlink.takeControl()) {
      this.#options.handler.onControl(control)
      this.#isAnswered ||= control.type === 'succeeded' && control.command === COMMAND.subscribe
      this.#hasCache ||= control.type === 'signalIndexCache'
      if (this.#isAnswered && this.#hasCache) this.#datagrams?.start()
      const answered = control
      const index = this.#waiting.findIndex(({ isAnswer }) => isAnswer(answered))
      if (index < 0) continue
      const [waiting] = this.#waiting.splice(index, 1) as [Waiting]
      waiting.timer.cancel()
      waiting.resolve(control)
    }
  }

  #takeFault(): void {
    const fault = this.downlink.takeError()
    if (fault !== null) this.#options.handler.onFault(fault)
  }

  #lose(error: MeasurandError | undefined): void {
    const fault = this.downlink.takeError()
    const offset = fault === null ? {} : { offset: fault.offset }
    this.end(
      error ?? sttpError('ERR_STTP_FRAME_LENGTH', `${this.peer}: ${fault?.message ?? 'framing is lost'}`, offset),
    )
  }
}
