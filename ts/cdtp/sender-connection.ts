import type { Clock } from '../session/clock.js'
import { CAPTURE_KIND, type Network } from '../session/index.js'
import { Vigil } from '../session/vigil.js'
import { type CdtpFault, Indexer } from './codec.js'
import type { MessageIndex } from './message-index.js'
import type { DiscoveredService } from './service.js'
import { isClosed } from './zeromq.js'

/** The part of a ZeroMQ socket that a receiver uses. */
export interface PullSocket {
  receive(): Promise<Uint8Array[]>
  close(): void
}

/** What takes the messages of a connection. */
export interface MessageHandler {
  /** An index that nobody reads. */
  takeIndex(): MessageIndex
  /** A message came, with so many bytes in all its frames. */
  onFrames(frames: readonly Uint8Array[], bytes: number): void
  /**
   * Takes a message and its index, which is the handler's from now on; one with more records than an index takes comes
   * in parts. Gives a promise where the consumer has to come first.
   */
  onMessage(message: Uint8Array, index: MessageIndex): Promise<void> | undefined
  /** A message could not be read; its index is free again. */
  onMalformed(fault: CdtpFault, bytes: number, index?: MessageIndex): void
  /** The connection cannot go on. */
  onError(error: Error): void
}

/** What a connection is made of. */
export interface SenderConnectionOptions {
  readonly service: DiscoveredService
  readonly socket: PullSocket
  readonly handler: MessageHandler
  /** The longest message taken, bytes. */
  readonly maxMessageBytes: number
  readonly clock: Clock
  /** Looks at the frames that come. */
  readonly observe?: Network['observe']
}

/** Reads the messages of one transmitter, one after the other, until it is closed. */
export class SenderConnection {
  readonly service: DiscoveredService
  /** Resolves when nothing is read any more. */
  readonly done: Promise<void>
  readonly #options: SenderConnectionOptions
  readonly #indexer: Indexer
  readonly #observe: ReturnType<NonNullable<Network['observe']>> | undefined
  readonly #vigil = new Vigil()
  #lastMessage: number
  #isClosed = false

  constructor(options: SenderConnectionOptions) {
    this.service = options.service
    this.#options = options
    this.#indexer = new Indexer(options.maxMessageBytes)
    this.#observe = options.observe?.()
    this.#lastMessage = options.clock.elapsed()
    this.done = this.#read()
  }

  /** When the last message came, on the clock's `elapsed`. */
  get lastMessage(): number {
    return this.#lastMessage
  }

  /** Closes the socket: what it has not given out is lost. */
  close(): void {
    this.#isClosed = true
    this.#options.socket.close()
  }

  /** Reads no more, and lets the socket be. */
  stop(): void {
    this.#isClosed = true
  }

  async #read(): Promise<void> {
    const { socket, clock, handler } = this.#options
    try {
      while (!this.#isClosed) {
        const frames = await socket.receive()
        if (this.#isClosed) return
        this.#lastMessage = clock.elapsed()
        const pending = this.#take(frames)
        if (pending !== undefined) await pending
      }
    } catch (error) {
      if (!this.#isClosed && !isClosed(error)) handler.onError(error as Error)
    }
  }

  #take(frames: Uint8Array[]): Promise<void> | undefined {
    const { handler } = this.#options
    const message = frames[0] as Uint8Array
    let bytes = 0
    for (const frame of frames) bytes += frame.length
    this.#vigil.saw(bytes)
    if (this.#observe !== undefined) this.#show(frames)
    handler.onFrames(frames, bytes)
    if (frames.length !== 1) {
      handler.onMalformed({ code: 'ERR_CDTP_MESSAGE_FRAMES', reason: `${frames.length} frames`, offset: 0 }, bytes)
      return undefined
    }
    const index = handler.takeIndex()
    const status = this.#indexer.index(message, index.bytes)
    if (status === 3) {
      handler.onMalformed(this.#indexer.takeError() as CdtpFault, bytes, index)
      return undefined
    }
    const pending = handler.onMessage(message, index)
    return status === 0 ? pending : this.#takeRest(message, pending)
  }

  /** A message with more records than an index takes. */
  async #takeRest(message: Uint8Array, pending: Promise<void> | undefined): Promise<void> {
    const { handler } = this.#options
    await pending
    for (let status = 1; status === 1; ) {
      const index = handler.takeIndex()
      status = this.#indexer.index(message, index.bytes)
      await handler.onMessage(message, index)
    }
  }

  #show(frames: readonly Uint8Array[]): void {
    frames.forEach((frame, at) => {
      this.#observe?.('received', at < frames.length - 1 ? CAPTURE_KIND.zeromqMore : CAPTURE_KIND.zeromq, frame)
    })
  }
}
