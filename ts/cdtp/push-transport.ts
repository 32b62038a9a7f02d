import type { MeasurandError } from '../session/errors.js'
import type { Transport, TransportHandler } from '../session/index.js'
import type { StatusStream } from '../session/status.js'
import { watchPeers } from './push-peers.js'
import { isClosed, portOf, type Zmq, zeromq } from './zeromq.js'

/** How long messages that nobody has read may keep the socket after its end, ms. */
const LINGER = 10_000

/**
 * A ZeroMQ PUSH socket as a transport: what is written together goes out as one message of as many frames. Nothing ever
 * comes back.
 */
export class PushTransport implements Transport {
  readonly peer = ''
  readonly bytesIn = 0
  readonly #socket: Zmq.Push
  #last: Promise<void> = Promise.resolve()
  #handler: TransportHandler | undefined
  #bytesOut = 0
  #queuedBytes = 0

  private constructor(socket: Zmq.Push) {
    this.#socket = socket
  }

  /** Listens for the one receiver. */
  static async bind(place: { readonly host: string; readonly port: number }): Promise<PushTransport> {
    const { Push } = await zeromq()
    const socket = new Push({ linger: LINGER, sendHighWaterMark: 64 })
    await socket.bind(`tcp://${place.host}:${place.port === 0 ? '*' : place.port}`)
    return new PushTransport(socket)
  }

  /** Tells the receivers that come and go. */
  watch(name: string, status: StatusStream): void {
    watchPeers(this.#socket, name, status)
  }

  get localPort(): number {
    return portOf(this.#socket)
  }

  get bytesOut(): number {
    return this.#bytesOut
  }

  get queuedBytes(): number {
    return this.#queuedBytes
  }

  start(handler: TransportHandler): void {
    this.#handler = handler
  }

  write(bytes: Uint8Array | readonly Uint8Array[], done?: () => void): boolean {
    const frames = bytes instanceof Uint8Array ? [bytes] : [...bytes]
    const length = frames.reduce((sum, frame) => sum + frame.length, 0)
    this.#queuedBytes += length
    this.#last = this.#last.then(async () => {
      try {
        await this.#socket.send(frames)
        this.#bytesOut += length
        this.#queuedBytes -= length
        done?.()
        this.#handler?.onDrain?.()
      } catch (error) {
        if (!isClosed(error)) this.#closed(error as MeasurandError)
      }
    })
    return false
  }

  pause(): void {}

  resume(): void {}

  end(): void {
    void this.#last.then(() => this.close())
  }

  close(): void {
    if (this.#socket.closed) return
    this.#socket.close()
    this.#closed()
  }

  #closed(error?: MeasurandError): void {
    const handler = this.#handler
    this.#handler = undefined
    handler?.onClose(error)
  }
}
