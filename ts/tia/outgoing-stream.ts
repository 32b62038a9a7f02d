import {
  type Clock,
  type MeasurandError,
  Outbox,
  type Policy,
  type Stats,
  sessionError,
  sleep,
  type Transport,
} from '../session/index.js'
import { type ChannelSelection, call, renumberPackets } from './codec.js'

const NOTHING = new Uint8Array(0)
/** ms that a client may take nothing while the server waits for it to end. */
const STALL = 5000

/** Packets that the server has made at once. */
export interface Build {
  readonly bytes: Uint8Array
  /** Number of the first on the server. */
  readonly first: number
  readonly packets: number
  readonly samples: number
  /** The same packets numbered from another first one, shared by the streams that began together. */
  readonly renumbered: Map<number, Uint8Array>
}

/** What an outgoing stream is made of. */
export interface OutgoingOptions {
  readonly clock: Clock
  readonly stats: Stats
  readonly policy: Policy
  readonly queueBytes: number
  readonly selection?: ChannelSelection | undefined
  readonly isDatagram?: boolean
  readonly onDrop: (samples: number) => void
  readonly onOverflow: (error: MeasurandError) => void
}

/** The packets on their way to one client; its first has the number 0. */
export class OutgoingStream {
  readonly #options: OutgoingOptions
  #transport: Transport | undefined
  #outbox: Outbox | undefined
  #isStarted = false
  readonly #closed: Promise<void>
  #onClosed: () => void = () => {}
  #base: number | undefined
  #next = 0

  constructor(options: OutgoingOptions) {
    this.#options = options
    this.#closed = new Promise((resolve) => {
      this.#onClosed = resolve
    })
  }

  /** The client's data connection stands. */
  connect(transport: Transport, onClose: () => void): void {
    const { stats, policy, queueBytes, isDatagram = false, onDrop, onOverflow } = this.#options
    const outbox = new Outbox({ transport, stats, policy, maxBytes: queueBytes, isDatagram, onDrop, onOverflow })
    this.#transport = transport
    this.#outbox = outbox
    transport.start({
      onChunk: () => {},
      onDrain: outbox.onDrain,
      onEnd: () => {},
      onClose: () => {
        outbox.close()
        this.#onClosed()
        onClose()
      },
    })
  }

  get isConnected(): boolean {
    return this.#outbox !== undefined
  }

  /** Whether packets go out. */
  get isRunning(): boolean {
    return this.#isStarted && this.#outbox !== undefined
  }

  /** Bytes that wait. */
  get queuedBytes(): number {
    return this.#outbox?.queuedBytes ?? 0
  }

  /** Packets go out, or go on with the number after the last. */
  begin(): void {
    this.#isStarted = true
  }

  /** No packets go out; what waits still does. */
  pause(): void {
    this.#isStarted = false
    this.#base = undefined
  }

  /** Sends packets; `false` where more waits than should. */
  send(build: Build, done: () => void): boolean {
    const outbox = this.#outbox
    if (outbox === undefined || !this.#isStarted) {
      done()
      return true
    }
    this.#base ??= build.first - this.#next
    this.#next = build.first + build.packets - this.#base
    const { selection } = this.#options
    if (selection !== undefined) {
      const chosen = call(() => selection.apply(this.#numbered(build)))
      done()
      return chosen.length === 0 || outbox.send(chosen, build.samples)
    }
    if (this.#base === 0) return this.#sendTo(outbox, build.bytes, build, done)
    const bytes = this.#numbered(build)
    done()
    return this.#sendTo(outbox, bytes, build, undefined)
  }

  /** Resolves when there is room. */
  async ready(): Promise<void> {
    await this.#outbox?.ready()
  }

  /** Sends what waits, then closes. A client that takes nothing of it for five seconds is given up. */
  async end(): Promise<void> {
    const [outbox, transport] = [this.#outbox, this.#transport]
    if (outbox === undefined || transport === undefined) return
    const written = Promise.race([this.#written(outbox, transport), this.#closed])
    for (let left = outbox.queuedBytes; !(await this.#within(STALL, written)); left = outbox.queuedBytes) {
      if (outbox.queuedBytes < left) continue
      this.#options.onDrop(outbox.close())
      this.#options.onOverflow(sessionError('ERR_SESSION_QUEUE_FULL', `${transport.peer} takes nothing any more`))
      return
    }
    transport.end()
  }

  close(): void {
    this.#outbox?.close()
    this.#transport?.close()
  }

  /** Resolves when the kernel has every byte. */
  async #written(outbox: Outbox, transport: Transport): Promise<void> {
    await outbox.flushed()
    if (this.#options.isDatagram) return
    await new Promise<void>((resolve) => transport.write(NOTHING, resolve))
  }

  /** Whether something happens in so many ms. */
  async #within(ms: number, event: Promise<void>): Promise<boolean> {
    const timer = new AbortController()
    const late = sleep(this.#options.clock, ms, timer.signal).then(
      () => false,
      () => false,
    )
    const isInTime = await Promise.race([event.then(() => true), late])
    timer.abort()
    return isInTime
  }

  /** The packets as this client numbers them. */
  #numbered(build: Build): Uint8Array {
    const base = this.#base ?? 0
    if (base === 0) return build.bytes
    let bytes = build.renumbered.get(base)
    if (bytes === undefined) {
      bytes = Buffer.allocUnsafeSlow(build.bytes.length)
      bytes.set(build.bytes)
      renumberPackets(bytes, base)
      build.renumbered.set(base, bytes)
    }
    return bytes
  }

  #sendTo(outbox: Outbox, bytes: Uint8Array, build: Build, done: (() => void) | undefined): boolean {
    if (!this.#options.isDatagram) return outbox.send(bytes, build.samples, done)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    let mayGoOn = true
    const samples = Math.ceil(build.samples / build.packets)
    for (let at = 0; at < bytes.length; ) {
      const end = at + view.getUint32(at + 1, true)
      mayGoOn = outbox.send(bytes.subarray(at, end), samples, end === bytes.length ? done : undefined)
      at = end
    }
    return mayGoOn
  }
}
