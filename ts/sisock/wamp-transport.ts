import type { IncomingMessage } from 'node:http'
import type { ClientOptions, WebSocket } from 'ws'
import { CAPTURE_KIND } from '../session/capture.js'
import { sessionError } from '../session/error-codes.js'
import { MeasurandError } from '../session/errors.js'
import type { Network, TlsOptions } from '../session/transport.js'
import type { SessionSocket } from './autobahn.js'
import { sisockError } from './error-codes.js'
import { MessageBatch } from './message-batch.js'
import { Framing, type Serializer, type SerializerName, serializer } from './serializer.js'

/** Where a router is and how it is spoken to. */
export interface WampEndpoint {
  /** `ws://host:port/path` or `wss://`. */
  readonly url: string
  /** Serializers in the order of preference; MessagePack, CBOR, JSON unless told. */
  readonly serializers?: readonly SerializerName[]
  /**
   * Whether messages of one turn may share a WebSocket message. `true` asks for that first, `false` not at all. Unless
   * told it is the second choice: our router takes it; Crossbar.io does not, which copies large batched replies twice.
   */
  readonly batched?: boolean
  /** Whether arrays of numbers are read as `Float64Array`s; they are unless told. */
  readonly typedArrays?: boolean
  /** The longest WebSocket message that is taken, bytes; 256 MiB unless told. */
  readonly maxMessageBytes?: number
  /** Certificates for `wss://`. */
  readonly tls?: TlsOptions
  /** How long the connection may take to come about, ms; 10,000 unless told. */
  readonly connectTimeout?: number
  /** How often the router is asked whether it is still there, ms; 30,000 unless told, 0 never. */
  readonly pingInterval?: number
}

/** Bytes that may wait in the socket before replies wait. */
const HIGH_WATER = 16 << 20

/** Counts what goes over the wire. */
export interface WireCounter {
  bytesIn: number
  bytesOut: number
  messagesIn: number
  messagesOut: number
}

/** Is told what passes: the head by which a connection came about, and its messages. */
type Observe = ReturnType<NonNullable<Network['observe']>>

/** A WebSocket that carries WAMP messages. */
export class WampTransport implements SessionSocket {
  onmessage: (message: unknown) => void = () => {}
  /** It is over, once and last; with the error that ended it. */
  onclose: (error?: MeasurandError) => void = () => {}
  readonly framing: Framing
  readonly #socket: WebSocket
  readonly #serializer: Serializer
  readonly #counter: WireCounter
  readonly #observe: Observe | undefined
  readonly #batch: MessageBatch
  readonly #relieved: (() => void)[] = []
  #queued = 0
  #error: MeasurandError | undefined
  #ping: NodeJS.Timeout | undefined
  #isClosed = false

  private constructor(
    socket: WebSocket,
    framing: Framing,
    endpoint: WampEndpoint,
    counter: WireCounter,
    observe: Observe | undefined,
  ) {
    this.framing = framing
    this.#socket = socket
    this.#counter = counter
    this.#observe = observe
    this.#serializer = serializer(framing.name, { columns: endpoint.typedArrays ?? true })
    this.#batch = new MessageBatch(framing, (bytes) => this.#write(bytes))
    socket.on('message', (data: Buffer, isBinary) => this.#receive(data, isBinary))
    socket.on('close', (code, reason) => this.#closed(code, reason.toString()))
    socket.on('error', (error) => {
      this.#error ??= transportError(error)
    })
    this.#watch(endpoint.pingInterval ?? 30_000)
  }

  /**
   * Connects; rejects with what went wrong.
   *
   * @param observe is told what passes
   */
  static async open(
    endpoint: WampEndpoint,
    counter: WireCounter,
    signal?: AbortSignal,
    observe?: Observe,
  ): Promise<WampTransport> {
    const { WebSocket } = await import('ws').catch((cause: unknown) => {
      throw sessionError('ERR_SESSION_TRANSPORT_MISSING', 'npm install autobahn ws', { system: 'sisock', cause })
    })
    const { batched, connectTimeout = 10_000, maxMessageBytes = 256 << 20, tls } = endpoint
    const names = endpoint.serializers ?? ['msgpack', 'cbor', 'json']
    const forms = { true: [true, false], false: [false], undefined: [false, true] }[`${batched}`]
    const offers = names.flatMap((name) => forms.map((isBatched) => new Framing(name, isBatched)))
    const options: ClientOptions = {
      handshakeTimeout: connectTimeout,
      maxPayload: maxMessageBytes,
      perMessageDeflate: false,
      // The mask guards browsers' scripts against fooling proxies; a key of zeros spares the pass over every byte.
      generateMask: (mask) => mask.fill(0),
      ...(tls?.ca === undefined ? {} : { ca: Buffer.from(tls.ca) }),
      ...(tls?.cert === undefined ? {} : { cert: Buffer.from(tls.cert) }),
      ...(tls?.key === undefined ? {} : { key: Buffer.from(tls.key) }),
      ...(tls?.serverName === undefined ? {} : { servername: tls.serverName }),
      ...(tls?.verify === false ? { rejectUnauthorized: false } : {}),
    }
    return new Promise((resolve, reject) => {
      let socket: WebSocket
      try {
        socket = new WebSocket(
          endpoint.url,
          offers.map(({ subprotocol }) => subprotocol),
          options,
        )
      } catch (cause) {
        reject(sessionError('ERR_SESSION_OPTION_INVALID', `no WebSocket URL: ${endpoint.url}`, { cause }))
        return
      }
      const abort = (): void => socket.terminate()
      signal?.addEventListener('abort', abort, { once: true })
      const fail = (error: Error): void => {
        signal?.removeEventListener('abort', abort)
        reject(transportError(error))
      }
      socket.once('error', fail)
      if (observe !== undefined) {
        socket.once('upgrade', (head) => observe('received', CAPTURE_KIND.httpHead, headBytes(head)))
      }
      socket.once('open', () => {
        socket.off('error', fail)
        signal?.removeEventListener('abort', abort)
        const framing = Framing.of(socket.protocol)
        if (framing === undefined) {
          socket.on('error', () => {})
          socket.terminate()
          reject(sisockError('ERR_SISOCK_PROTOCOL', `the router chose the subprotocol ${socket.protocol || 'none'}`))
          return
        }
        resolve(new WampTransport(socket, framing, endpoint, counter, observe))
      })
    })
  }

  /** Bytes that wait in the socket. */
  get queuedBytes(): number {
    return this.#queued
  }

  /** Whether so many bytes wait in the socket that replies are to wait. */
  get isFull(): boolean {
    return this.#queued > HIGH_WATER
  }

  /** Resolves while few enough bytes wait in the socket. */
  async ready(): Promise<void> {
    while (this.isFull && !this.#isClosed) {
      await new Promise<void>((resolve) => this.#relieved.push(resolve))
    }
  }

  send(message: unknown): void {
    if (this.#isClosed) return
    const { room } = this.#batch
    const bytes = this.#serializer.serialize(message, room)
    this.#counter.messagesOut++
    this.#batch.push(bytes, room)
  }

  close(code = 1000, reason = ''): void {
    this.#batch.flush()
    this.#socket.close(code < 1000 || code === 1006 ? 1000 : code, reason.slice(0, 100))
  }

  /** Closes it without a handshake. */
  terminate(): void {
    this.#socket.terminate()
  }

  #write(bytes: Uint8Array): void {
    this.#queued += bytes.byteLength
    this.#counter.bytesOut += bytes.byteLength
    this.#observe?.('sent', kindOf(this.framing.isBinary), bytes)
    this.#socket.send(bytes, { binary: this.framing.isBinary }, () => {
      this.#queued -= bytes.byteLength
      if (this.#queued <= HIGH_WATER) for (const relieved of this.#relieved.splice(0)) relieved()
    })
  }

  #receive(data: Buffer, isBinary: boolean): void {
    this.#counter.bytesIn += data.length
    this.#observe?.('received', kindOf(isBinary), data)
    try {
      if (isBinary !== this.framing.isBinary) {
        throw sisockError(
          'ERR_SISOCK_PROTOCOL',
          `a ${isBinary ? 'binary' : 'text'} message in ${this.framing.subprotocol}`,
        )
      }
      for (const message of this.framing.split(data)) {
        this.#counter.messagesIn++
        this.onmessage(this.#serializer.unserialize(message))
      }
    } catch (error) {
      this.#error ??= error instanceof MeasurandError ? error : transportError(error as Error)
      this.#socket.close(1002)
    }
  }

  #closed(code: number, reason: string): void {
    this.#isClosed = true
    clearInterval(this.#ping)
    for (const relieved of this.#relieved.splice(0)) relieved()
    if (code === 1009)
      this.#error ??= sisockError('ERR_SISOCK_MESSAGE_LENGTH', reason || 'the peer refused a message as too long')
    if (code !== 1000 && code !== 1001) {
      this.#error ??= sessionError('ERR_SESSION_CONNECTION_LOST', `closed with ${code} ${reason}`, { system: 'sisock' })
    }
    this.onclose(this.#error)
  }

  /** A silent network does not close a socket: a ping without an answer until the next one does. */
  #watch(interval: number): void {
    if (interval === 0) return
    let isAlive = true
    this.#socket.on('pong', () => {
      isAlive = true
    })
    this.#ping = setInterval(() => {
      if (!isAlive) {
        this.#error ??= sessionError('ERR_SESSION_TIMEOUT', `no answer for ${interval} ms`, { system: 'sisock' })
        this.#socket.terminate()
        return
      }
      isAlive = false
      this.#socket.ping()
    }, interval)
    this.#ping.unref()
  }
}

function kindOf(isBinary: boolean): number {
  return isBinary ? CAPTURE_KIND.webSocketBinary : CAPTURE_KIND.webSocketText
}

function headBytes({ httpVersion, statusCode, statusMessage, rawHeaders }: IncomingMessage): Buffer {
  let head = `HTTP/${httpVersion} ${statusCode} ${statusMessage}\r\n`
  for (let at = 0; at < rawHeaders.length; at += 2) head += `${rawHeaders[at]}: ${rawHeaders[at + 1]}\r\n`
  return Buffer.from(`${head}\r\n`, 'latin1')
}

const CONNECT_CODES: Readonly<Record<string, Parameters<typeof sessionError>[0]>> = {
  ECONNREFUSED: 'ERR_SESSION_CONNECT_REFUSED',
  ENOTFOUND: 'ERR_SESSION_ADDRESS_UNKNOWN',
  EAI_AGAIN: 'ERR_SESSION_ADDRESS_UNKNOWN',
  ETIMEDOUT: 'ERR_SESSION_CONNECT_TIMEOUT',
}

function transportError(cause: Error & { code?: string }): MeasurandError {
  const details = { system: 'sisock', cause } as const
  const code = cause.code ?? ''
  if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH')
    return sisockError('ERR_SISOCK_MESSAGE_LENGTH', cause.message, { cause })
  if (/^(ERR_TLS|ERR_SSL|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|CERT_)/.test(code)) {
    return sessionError('ERR_SESSION_TLS', cause.message, details)
  }
  if (/handshake has timed out/.test(cause.message))
    return sessionError('ERR_SESSION_CONNECT_TIMEOUT', cause.message, details)
  return sessionError(CONNECT_CODES[code] ?? 'ERR_SESSION_CONNECT_FAILED', cause.message, details)
}
