import { connect, type Socket } from 'node:net'
import { connect as connectSecure } from 'node:tls'
import { sessionError } from '../session/error-codes.js'
import { type HttpReply, HttpReplyReader } from './http-reply.js'

/** Where a request goes, and how it is given up. */
export interface HttpTarget {
  readonly host: string
  readonly port: number
  /** The options of `tls.connect`, where it is to be used. */
  readonly secure: Record<string, unknown> | undefined
  readonly signal: AbortSignal | undefined
  /** ms until the answer must be there. */
  readonly timeout: number
  /** Bytes of an answer's body, at most. */
  readonly maxBodyBytes: number
}

interface Exchange {
  readonly target: HttpTarget
  readonly request: string
  readonly deadline: number
  resolve(reply: HttpReply): void
  reject(error: Error): void
}

/** Connections to one server, at most. */
const MAX_CONNECTIONS = 64
/** ms that a connection is kept without a request. */
const KEEP = 15_000

/**
 * Connections to one server that are kept for the next request. Node's own client takes as long for a request as the
 * server for its answer; this one writes a text and reads one.
 */
export class HttpPool {
  readonly #idle: HttpConnection[] = []
  readonly #open = new Set<HttpConnection>()
  readonly #waiting: Exchange[] = []
  #timer: NodeJS.Timeout | undefined

  /** Sends a request; resolves to the answer. */
  send(target: HttpTarget, request: string): Promise<HttpReply> {
    return new Promise((resolve, reject) => {
      const exchange = { target, request, deadline: performance.now() + target.timeout, resolve, reject }
      this.#watch(target.timeout)
      const { signal } = target
      if (signal === undefined) this.#begin(exchange)
      else this.#beginAbortable(exchange, signal)
    })
  }

  #beginAbortable(exchange: Exchange, signal: AbortSignal): void {
    const onAbort = (): void => {
      this.#fail(guarded, sessionError('ERR_SESSION_ABORTED', 'the request was given up', { system: 'stream-sea' }))
    }
    const done = (): void => signal.removeEventListener('abort', onAbort)
    const guarded: Exchange = {
      ...exchange,
      resolve: (reply) => {
        done()
        exchange.resolve(reply)
      },
      reject: (error) => {
        done()
        exchange.reject(error)
      },
    }
    if (signal.aborted) onAbort()
    else {
      signal.addEventListener('abort', onAbort, { once: true })
      this.#begin(guarded)
    }
  }

  #begin(exchange: Exchange): void {
    let connection = this.#idle.pop()
    while (connection !== undefined && !connection.isFresh) {
      connection.destroy()
      connection = this.#idle.pop()
    }
    if (connection === undefined && this.#open.size >= MAX_CONNECTIONS) {
      this.#waiting.push(exchange)
      return
    }
    if (connection === undefined) {
      connection = new HttpConnection(exchange.target, (one, isKept) => this.#free(one, isKept))
      this.#open.add(connection)
    }
    connection.send(exchange)
  }

  #free(connection: HttpConnection, isKept: boolean): void {
    const next = this.#waiting.shift()
    if (isKept && next !== undefined) {
      connection.send(next)
      return
    }
    if (isKept) this.#idle.push(connection)
    else {
      this.#open.delete(connection)
      const index = this.#idle.indexOf(connection)
      if (index >= 0) this.#idle.splice(index, 1)
    }
    if (next !== undefined) this.#begin(next)
  }

  #fail(exchange: Exchange, error: Error): void {
    const index = this.#waiting.indexOf(exchange)
    if (index >= 0) this.#waiting.splice(index, 1)
    for (const connection of this.#open) if (connection.exchange === exchange) connection.destroy()
    exchange.reject(error)
  }

  /** One timer for all: it looks what is late, and what was idle for long. */
  #watch(within: number): void {
    if (this.#timer !== undefined) return
    this.#timer = setTimeout(() => this.#look(), Math.min(within, KEEP))
    // A request holds its socket, and that the process; waiting for the next one holds nothing.
    this.#timer.unref()
  }

  #look(): void {
    this.#timer = undefined
    const now = performance.now()
    for (const connection of [...this.#idle]) if (!connection.isFresh) connection.destroy()
    const active = [...this.#waiting, ...[...this.#open].flatMap(({ exchange }) => exchange ?? [])]
    for (const exchange of active) {
      if (exchange.deadline > now) continue
      const { host, port } = exchange.target
      this.#fail(exchange, sessionError('ERR_SESSION_TIMEOUT', `no reply from ${host}:${port}`))
    }
    if (this.#open.size === 0 && this.#waiting.length === 0) return
    this.#watch(Math.max(10, Math.min(...active.map(({ deadline }) => deadline - now), KEEP)))
  }
}

/** One connection: a request, its answer, the next. */
class HttpConnection {
  readonly #socket: Socket
  readonly #reader: HttpReplyReader
  readonly #free: (connection: HttpConnection, isKept: boolean) => void
  exchange: Exchange | undefined
  #freshUntil = Number.POSITIVE_INFINITY
  #isOver = false

  constructor(target: HttpTarget, free: (connection: HttpConnection, isKept: boolean) => void) {
    const { host, port, secure, maxBodyBytes } = target
    this.#free = free
    this.#reader = new HttpReplyReader(maxBodyBytes)
    this.#socket = secure === undefined ? connect({ host, port }) : connectSecure({ host, port, ...secure })
    this.#socket.setNoDelay(true)
    this.#socket.on('data', (chunk: Buffer) => this.#take(chunk))
    this.#socket.on('error', (error) => this.#end(error))
    this.#socket.on('close', () => {
      const reply = this.#reader.end()
      if (reply !== undefined) this.#answer(reply)
      this.#end(
        sessionError('ERR_SESSION_CONNECTION_LOST', 'the server closed the connection', { system: 'stream-sea' }),
      )
    })
  }

  /** Whether the server can be expected to have it still. */
  get isFresh(): boolean {
    return !this.#isOver && performance.now() < this.#freshUntil
  }

  send(exchange: Exchange): void {
    this.exchange = exchange
    this.#socket.ref()
    this.#socket.write(exchange.request)
  }

  destroy(): void {
    this.exchange = undefined
    this.#socket.destroy()
    this.#end(undefined)
  }

  #take(chunk: Buffer): void {
    // Nobody has asked.
    if (this.exchange === undefined) {
      this.destroy()
      return
    }
    try {
      const reply = this.#reader.take(chunk)
      if (reply !== undefined) this.#answer(reply)
    } catch (error) {
      this.#end(error as Error)
      this.#socket.destroy()
    }
  }

  #answer(reply: HttpReply): void {
    const { exchange } = this
    this.exchange = undefined
    if (reply.isReusable) {
      const keep = Math.min(KEEP, (reply.keepFor ?? Number.POSITIVE_INFINITY) - 1000)
      this.#freshUntil = performance.now() + keep
      this.#socket.unref()
      this.#free(this, true)
    } else {
      this.#socket.end()
      this.#end(undefined)
    }
    exchange?.resolve(reply)
  }

  #end(error: Error | undefined): void {
    const { exchange } = this
    this.exchange = undefined
    if (!this.#isOver) {
      this.#isOver = true
      this.#free(this, false)
    }
    if (error !== undefined) exchange?.reject(error)
  }
}
