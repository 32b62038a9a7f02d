import type { Socket } from 'node:net'
import type { Clock } from '../session/clock.js'
import { sessionError } from '../session/error-codes.js'
import type { MeasurandError } from '../session/errors.js'
import type { Stats } from '../session/stats.js'
import { Watchdog } from '../session/watchdog.js'
import { type Control, DOWNLINK, Downlink } from './codec.js'
import { streamSeaError } from './error-codes.js'
import { EventBlock } from './event-batch.js'
import { clientFrame } from './web-socket.js'

/** What a server replies to a request. */
export interface Reply {
  readonly id: number
  readonly action: string
  readonly success?: boolean
  readonly payload?: unknown
  readonly error?: { readonly message?: unknown; readonly errors?: unknown }
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
const TEXT_OPCODE = 1
const CLOSE = 8
const PING = 9
const PONG = 10

/** One WebSocket connection to a server: requests with rising ids, their replies, and deliveries. */
export class Link {
  readonly #socket: Socket
  readonly #handler: LinkHandler
  readonly #stats: Stats
  readonly #downlink: Downlink
  readonly #maxMessage: number
  readonly #watchdog: Watchdog
  readonly #replies = new Map<number, { resolve: (reply: Reply) => void; reject: (error: Error) => void }>()
  readonly #free: EventBlock[] = []
  #block: EventBlock | undefined
  #id = 0
  #frames: Buffer[] = []
  readonly #holders = new Set<object>()
  #held: Buffer[] = []
  #closed = false

  /** @param silence ms without a byte after which the connection is dead */
  constructor(socket: Socket, handler: LinkHandler, stats: Stats, clock: Clock, maxMessage: number, silence: number) {
    this.#socket = socket
    this.#handler = handler
    this.#stats = stats
    this.#maxMessage = maxMessage
    this.#downlink = new Downlink(maxMessage)
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
  async ready(): Promise<void> {
    if (!this.#closed && this.#socket.writableNeedDrain) {
      await new Promise<void>((resolve) => {
        this.#socket.once('drain', resolve)
        this.#socket.once('close', () => resolve())
      })
    }
  }

  /** Sends a request, whose text is made for its id; resolves to its first reply. */
  request(text: (id: number) => string): Promise<Reply> {
    if (this.#closed) return Promise.reject(lost('the connection is closed'))
    const id = ++this.#id
    const reply = new Promise<Reply>((resolve, reject) => this.#replies.set(id, { resolve, reject }))
    this.#send(clientFrame(TEXT_OPCODE, Buffer.from(text(id))))
    return reply
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
      this.#socket.end(clientFrame(CLOSE, Buffer.of(0x03, 0xe8)))
      // What the peer still sends is nobody's; its own close, or the time that it may take, ends the socket.
      this.#socket.removeAllListeners('data')
      this.#socket.resume()
      this.#socket.setTimeout(1000, () => this.#socket.destroy())
    }
    for (const { reject } of this.#replies.values()) reject(error)
    this.#replies.clear()
    this.#handler.onClose(error)
  }

  #send(frame: Buffer): void {
    this.#stats.messagesOut++
    this.#stats.bytesOut += frame.length
    if (this.#frames.push(frame) > 1) return
    // Requests of one turn go out as one write.
    queueMicrotask(() => {
      const frames = this.#frames
      this.#frames = []
      if (!this.#socket.destroyed)
        this.#socket.write(frames.length === 1 ? (frames[0] as Buffer) : Buffer.concat(frames))
    })
  }

  #feed(chunk: Buffer): void {
    this.#watchdog.touch()
    if (this.#holders.size > 0) {
      this.#held.push(chunk)
      return
    }
    this.#stats.bytesIn += chunk.length
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
    const { length, ids } = block
    this.#stats.messagesIn += length
    for (let from = 0; from < length; ) {
      const id = ids[from] as number
      let to = from + 1
      while (to < length && ids[to] === id) to++
      readers++
      this.#handler.onDeliveries(id, block, from, to, release)
      from = to
    }
    release()
  }

  #control(control: Control | undefined): void {
    this.#stats.messagesIn++
    if (control === undefined || control.opcode === PONG) return
    const { opcode, payload } = control
    if (opcode === PING) {
      this.#socket.write(clientFrame(PONG, payload))
      return
    }
    if (opcode === CLOSE) {
      const code = payload.length >= 2 ? payload.readUInt16BE(0) : 1005
      this.close(lost(`the server closed the connection (${code} ${payload.toString('utf8', 2)})`))
      return
    }
    let reply: Reply | undefined
    try {
      reply = opcode === TEXT_OPCODE ? (JSON.parse(payload.toString('utf8')) as Reply) : undefined
    } catch {
      reply = undefined
    }
    const waiting = this.#replies.get(reply?.id as number)
    if (reply === undefined || waiting === undefined) {
      this.#handler.onMalformed('ERR_STREAMSEA_REPLY_INVALID', payload.length)
      return
    }
    this.#replies.delete(reply.id)
    waiting.resolve(reply)
  }

  /** Bytes of a message, at most. */
  get maxMessageBytes(): number {
    return this.#maxMessage
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
