import type { Socket } from 'node:net'
import { CAPTURE_KIND } from '../session/capture.js'
import type { Clock } from '../session/clock.js'
import { sessionError } from '../session/error-codes.js'
import type { MeasurandError } from '../session/errors.js'
import type { Stats } from '../session/stats.js'
import type { Observer } from '../session/transport.js'
import { Watchdog } from '../session/watchdog.js'
import { type Control, DOWNLINK, Downlink } from './codec.js'
import { streamSeaError } from './error-codes.js'
import { EventBlock, KIND } from './event-batch.js'
import { ClientFrames, OPCODE } from './frame.js'

/** What a server replies to a request. */
export interface Reply {
  readonly id: number
  readonly action: string
  readonly success?: boolean
  readonly payload?: unknown
  readonly error?: { readonly message?: unknown; readonly errors?: unknown }
}

/** Where messages were stored. */
export interface PublishReply {
  /** Offset of the first. */
  readonly offset: number
  readonly count: number
  /** Whether an earlier publish with the same key had brought them. */
  readonly duplicate?: boolean
}

/** How a link behaves. */
export interface LinkOptions {
  readonly stats: Stats
  readonly clock: Clock
  /** Bytes of a message, at most. */
  readonly maxMessage: number
  /** ms without a byte after which the connection is dead. */
  readonly silence: number
  /** Is told the frames of both directions. */
  readonly observe: Observer | undefined
}

/** What a link tells. */
export interface LinkHandler {
  /** Deliveries came: rows of one request id, in order. The block is taken back when `release` was called. */
  onDeliveries(id: number, block: EventBlock, from: number, to: number, release: () => void): void
  /** Bytes could not be read. */
  onMalformed(code: string, length: number): void
  /** It is over, once; with what ended it. */
  onClose(error: MeasurandError): void
}

const ROWS = 4096
const TEXT = 256 << 10
const NORMAL_CLOSE = Buffer.of(0x03, 0xe8)

interface Waiting<T> {
  resolve(value: T): void
  reject(error: Error): void
}

/** One WebSocket connection to a server: requests with rising ids, their replies, and deliveries. */
export class Link {
  readonly #socket: Socket
  readonly #handler: LinkHandler
  readonly #stats: Stats
  readonly #observe: Observer | undefined
  readonly #downlink: Downlink
  readonly #watchdog: Watchdog
  readonly #replies = new Map<number, Waiting<Reply>>()
  /** Publishes whose answers have not come. */
  readonly #publishes = new Map<number, Waiting<PublishReply>>()
  readonly #free: EventBlock[] = []
  #block: EventBlock | undefined
  #id = 0
  readonly #frames = new ClientFrames()
  readonly #holders = new Set<object>()
  #held: Buffer[] = []
  #drained: Promise<void> | undefined
  #closed = false

  constructor(socket: Socket, handler: LinkHandler, { stats, clock, maxMessage, silence, observe }: LinkOptions) {
    this.#socket = socket
    this.#handler = handler
    this.#stats = stats
    this.#observe = observe
    this.#downlink = new Downlink(maxMessage, true)
    this.#watchdog = new Watchdog(clock, silence, () => {
      this.close(
        sessionError('ERR_SESSION_TIMEOUT', `the server was silent for ${silence} ms`, { system: 'stream-sea' }),
      )
    })
  }

  /** Begins to read; `head` came with the handshake. */
  start(head: Buffer): void {
    this.#socket.on('data', (chunk: Buffer) => this.#feed(chunk))
    this.#socket.on('error', (cause) => this.close(lost(cause.message, cause)))
    this.#socket.on('close', () => this.close(lost('the server closed the connection')))
    if (head.length > 0) this.#feed(head)
    this.#socket.resume()
  }

  /** Bytes that wait to be sent. */
  get queuedBytes(): number {
    return this.#socket.writableLength
  }

  /** The id that the next request gets. */
  get nextId(): number {
    return this.#id + 1
  }

  /** Resolves when the socket takes more. */
  ready(): Promise<void> {
    if (this.#closed || !this.#socket.writableNeedDrain) return Promise.resolve()
    this.#drained ??= new Promise<void>((resolve) => {
      const done = (): void => {
        this.#drained = undefined
        this.#socket.off('drain', done).off('close', done)
        resolve()
      }
      this.#socket.on('drain', done).on('close', done)
    })
    return this.#drained
  }

  /** Sends a request, whose text is made for its id; resolves to its first reply. */
  request(text: (id: number) => string): Promise<Reply> {
    return this.#ask(this.#replies, text)
  }

  /** Sends a publish, whose text is made for its id; resolves when its messages are durable. */
  publish(text: (id: number) => string): Promise<PublishReply> {
    return this.#ask(this.#publishes, text)
  }

  /** Reads no more while anybody holds it. */
  hold(holder: object, held: boolean): void {
    if (held) this.#holders.add(holder)
    else if (!this.#holders.delete(holder)) return
    if (this.#holders.size > 0) {
      this.#socket.pause()
      return
    }
    const chunks = this.#held
    this.#held = []
    for (const chunk of chunks) this.#feed(chunk)
    if (this.#holders.size === 0) this.#socket.resume()
  }

  /** Ends it: requests without a reply are rejected. */
  close(error: MeasurandError): void {
    if (this.#closed) return
    this.#closed = true
    this.#watchdog.stop()
    if (!this.#socket.destroyed) {
      this.#frames.frame(OPCODE.close, NORMAL_CLOSE)
      this.#socket.end(this.#taken())
      // What the peer still sends is nobody's; its own close, or the time that it may take, ends the socket.
      this.#socket.removeAllListeners('data')
      this.#socket.resume()
      this.#socket.setTimeout(1000, () => this.#socket.destroy())
    }
    for (const { reject } of [...this.#replies.values(), ...this.#publishes.values()]) reject(error)
    this.#replies.clear()
    this.#publishes.clear()
    this.#handler.onClose(error)
  }

  #ask<T>(waiting: Map<number, Waiting<T>>, text: (id: number) => string): Promise<T> {
    if (this.#closed) return Promise.reject(lost('the connection is closed'))
    return new Promise<T>((resolve, reject) => {
      const id = ++this.#id
      waiting.set(id, { resolve, reject })
      this.#soon()
      this.#frames.text(text(id))
      this.#stats.messagesOut++
    })
  }

  /** Frames of one turn go out as one write. */
  #soon(): void {
    if (!this.#frames.isEmpty) return
    queueMicrotask(() => {
      if (!this.#frames.isEmpty && !this.#socket.destroyed) this.#socket.write(this.#taken())
    })
  }

  #taken(): Buffer {
    const bytes = this.#frames.take()
    this.#stats.bytesOut += bytes.length
    this.#observe?.('sent', CAPTURE_KIND.stream, bytes)
    return bytes
  }

  #feed(chunk: Buffer): void {
    this.#watchdog.touch()
    if (this.#holders.size > 0) {
      this.#held.push(chunk)
      return
    }
    this.#stats.bytesIn += chunk.length
    this.#observe?.('received', CAPTURE_KIND.stream, chunk)
    let rest = chunk
    while (!this.#closed) {
      this.#block ??= this.#free.pop() ?? new EventBlock(ROWS, TEXT)
      const block = this.#block
      const status = this.#downlink.decode(rest, block.bytes)
      rest = rest.subarray(block.consumed)
      const needed = status === DOWNLINK.full && block.length === 0 ? block.needed : 0
      if (block.length > 0) this.#give(block)
      if (status === DOWNLINK.needMore) return
      if (needed > 0) this.#block = new EventBlock(1, Math.max(needed, TEXT))
      else if (status === DOWNLINK.control) this.#control(this.#downlink.takeControl())
      else if (status === DOWNLINK.malformed) {
        const error = this.#downlink.takeError() as MeasurandError
        this.#handler.onMalformed(error.code, 0)
      } else if (status === DOWNLINK.lost) {
        this.close(this.#downlink.takeError() as MeasurandError)
      }
    }
  }

  /** Gives the rows of a block out, those of one subscription together. */
  #give(block: EventBlock): void {
    this.#block = undefined
    let readers = 1
    const release = (): void => {
      if (--readers > 0) return
      block.clear()
      if (block.capacity === ROWS && this.#free.length < 4) this.#free.push(block)
    }
    const { length, ids, kinds } = block
    this.#stats.messagesIn += length
    for (let from = 0; from < length; ) {
      if (kinds[from] !== KIND.delivery) {
        this.#published(block, from++)
        continue
      }
      const id = ids[from] as number
      let to = from + 1
      while (to < length && ids[to] === id && kinds[to] === KIND.delivery) to++
      readers++
      this.#handler.onDeliveries(id, block, from, to, release)
      from = to
    }
    release()
  }

  /** The answer of a publish. */
  #published(block: EventBlock, row: number): void {
    const id = block.ids[row] as number
    const waiting = this.#publishes.get(id)
    if (waiting === undefined) {
      this.#handler.onMalformed('ERR_STREAMSEA_REPLY_INVALID', 0)
      return
    }
    this.#publishes.delete(id)
    const place = { offset: Number(block.offsets[row]), count: block.redelivered[row] as number }
    waiting.resolve(block.kinds[row] === KIND.duplicate ? { ...place, duplicate: true } : place)
  }

  #control(control: Control | undefined): void {
    this.#stats.messagesIn++
    if (control === undefined || control.opcode === OPCODE.pong) return
    const { opcode, payload } = control
    if (opcode === OPCODE.ping) {
      this.#soon()
      this.#frames.frame(OPCODE.pong, payload)
      return
    }
    if (opcode === OPCODE.close) {
      const code = payload.length >= 2 ? payload.readUInt16BE(0) : 1005
      this.close(lost(`the server closed the connection (${code} ${payload.toString('utf8', 2)})`))
      return
    }
    let reply: Reply | undefined
    try {
      reply = opcode === OPCODE.text ? (JSON.parse(payload.toString('utf8')) as Reply) : undefined
    } catch {
      reply = undefined
    }
    const id = reply?.id as number
    const [waiting, publishing] = [this.#replies.get(id), this.#publishes.get(id)]
    if (reply === undefined || (waiting === undefined && publishing === undefined)) {
      this.#handler.onMalformed('ERR_STREAMSEA_REPLY_INVALID', payload.length)
      return
    }
    this.#replies.delete(id)
    this.#publishes.delete(id)
    waiting?.resolve(reply)
    if (reply.success === true) publishing?.resolve(reply.payload as PublishReply)
    else publishing?.reject(replyError('ERR_STREAMSEA_REPLY_STATUS', reply))
  }
}

function lost(message: string, cause?: Error): MeasurandError {
  return sessionError('ERR_SESSION_CONNECTION_LOST', message, { system: 'stream-sea', ...(cause && { cause }) })
}

/** The error of a reply without success. */
export function replyError(code: 'ERR_STREAMSEA_SUBSCRIPTION_REFUSED' | 'ERR_STREAMSEA_REPLY_STATUS', reply: Reply) {
  const { message, errors } = reply.error ?? {}
  const detail = Array.isArray(errors) ? `: ${errors.join('; ')}` : ''
  return streamSeaError(code, `${typeof message === 'string' ? message : 'refused without a reason'}${detail}`)
}
