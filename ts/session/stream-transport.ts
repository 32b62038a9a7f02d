import type { Socket } from 'node:net'
import { socketSend } from './codec.js'
import { sessionError } from './error-codes.js'
import type { MeasurandError } from './errors.js'
import type { Transport, TransportHandler } from './transport.js'
import { Vigil } from './vigil.js'

/** Bytes that a stream socket queues before `write` says to wait. */
export const HIGH_WATER_MARK = 1 << 20

/** Bytes of a write that is given to the system without Node's streams. */
const SMALL = 2048

/** What Node has of a socket in the system. */
interface Handle {
  readonly fd?: number
}

type WithHandle = Socket & { readonly _handle: Handle | null }

/** How a socket was made. */
export interface StreamOptions {
  /** What reads a dialled socket into one buffer; without, the socket gives `data` events. */
  readonly reader?: ReusedReader
  /** It was dialled over TLS: its server may refuse it behind the handshake. */
  readonly isClientTls?: boolean
}

/** A connected stream socket, plain or secured, as a transport. */
export class StreamTransport implements Transport {
  readonly peer: string
  readonly localPort: number
  readonly isSecure: boolean
  readonly #socket: Socket
  readonly #reader: ReusedReader | undefined
  #handler: TransportHandler | undefined
  #error: MeasurandError | undefined
  #isClosed = false
  /** The server has not said yet, by a byte, that it serves us: TLS 1.3 lets it refuse us behind the handshake. */
  #mayBeRefused: boolean
  /** The descriptor to which bytes may be given directly, and Node's handle while it is that one's; -1: to none. */
  readonly #descriptor: number
  readonly #handle: Handle | null
  /** Bytes that were given to it. */
  #sentDirectly = 0
  /** Bytes may wait in the socket: others must wait behind them. */
  #mayWait = false
  #isEnding = false

  constructor(socket: Socket, { reader, isClientTls = false }: StreamOptions = {}) {
    this.peer = `${socket.remoteAddress ?? ''}:${socket.remotePort ?? 0}`
    this.localPort = socket.localPort ?? 0
    this.isSecure = 'encrypted' in socket && socket.encrypted === true
    this.#socket = socket
    this.#reader = reader
    this.#mayBeRefused = isClientTls
    this.#handle = (socket as WithHandle)._handle
    this.#descriptor = this.isSecure ? -1 : (this.#handle?.fd ?? -1)
    socket.pause()
    socket.on('error', (error) => {
      // A server that closes at once may reset the connection before its alert is read.
      const code = this.#mayBeRefused || isTlsError(error) ? 'ERR_SESSION_TLS' : 'ERR_SESSION_CONNECTION_LOST'
      this.#error = sessionError(code, `the connection to ${this.peer} broke: ${error.message}`, { cause: error })
    })
    socket.on('close', () => {
      this.#isClosed = true
      this.#handler?.onClose(this.#error)
    })
  }

  get bytesIn(): number {
    return this.#socket.bytesRead
  }

  get bytesOut(): number {
    return this.#socket.bytesWritten + this.#sentDirectly
  }

  get queuedBytes(): number {
    return this.#mayWait ? this.#socket.writableLength : 0
  }

  start(handler: TransportHandler): void {
    this.#handler = handler
    if (this.#isClosed) {
      queueMicrotask(() => handler.onClose(this.#error))
      return
    }
    if (this.#reader !== undefined) this.#reader.handler = handler
    else {
      this.#socket.on('data', (chunk: Buffer) => {
        this.#mayBeRefused = false
        handler.onChunk(chunk)
      })
    }
    this.#socket.on('drain', () => handler.onDrain?.())
    this.#socket.on('end', () => {
      if (this.#mayBeRefused) this.#refused()
      else if (handler.onEnd === undefined) this.end()
      else handler.onEnd()
    })
    this.#socket.resume()
  }

  write(bytes: Uint8Array | readonly Uint8Array[], done?: () => void): boolean {
    if (bytes instanceof Uint8Array && bytes.length > 0 && bytes.length <= SMALL) {
      const sent = this.#writeDirectly(bytes)
      if (sent === bytes.length) {
        done?.()
        return true
      }
      if (sent > 0) return this.write(bytes.subarray(sent), done)
    }
    const socket = this.#socket
    if (!socket.writable) return false
    this.#mayWait = true
    if (bytes instanceof Uint8Array) return socket.write(bytes, done)
    socket.cork()
    let mayGoOn = true
    const last = bytes.length - 1
    for (let index = 0; index <= last; index++) {
      mayGoOn = socket.write(bytes[index] as Uint8Array, index === last ? done : undefined)
    }
    socket.uncork()
    return mayGoOn
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    this.#mayBeRefused = false
    this.#isEnding = true
    this.#socket.end()
  }

  close(): void {
    this.#mayBeRefused = false
    this.#socket.destroy()
  }

  /** Gives bytes to the system where nothing waits before them; gives how many it took. */
  #writeDirectly(bytes: Uint8Array): number {
    const socket = this.#socket
    // A socket that is destroyed has no handle: the descriptor may be somebody else's by then.
    if (this.#descriptor < 0 || this.#isEnding || (socket as WithHandle)._handle !== this.#handle) return 0
    if (this.#mayWait) this.#mayWait = socket.writableLength > 0
    if (this.#mayWait) return 0
    const sent = socketSend(this.#descriptor, bytes)
    this.#sentDirectly += sent
    return sent
  }

  #refused(): void {
    const text = `${this.peer} closed the secured connection before it sent anything: it may not trust our certificate`
    this.#error = sessionError('ERR_SESSION_TLS', text)
    this.close()
  }
}

/** Reads a dialled socket into one buffer that is used again: half the work of `data` events. */
export class ReusedReader {
  readonly buffer = Buffer.allocUnsafeSlow(256 * 1024)
  handler: Pick<TransportHandler, 'onChunk'> | undefined
  readonly #vigil = new Vigil()
  /** The front of the buffer: a stream of equal frames has chunks of equal length. */
  #chunk = this.buffer.subarray(0, 0)

  readonly callback = (length: number): boolean => {
    if (this.#chunk.length !== length) this.#chunk = this.buffer.subarray(0, length)
    this.handler?.onChunk(this.#chunk)
    this.#vigil.saw(length)
    return true
  }
}

/** The error of an attempt to connect or to listen. */
export function connectError(where: string, error: Error & { code?: string }): MeasurandError {
  const text = `${where}: ${error.message}`
  const details = { cause: error }
  switch (error.code) {
    case 'ECONNREFUSED':
      return sessionError('ERR_SESSION_CONNECT_REFUSED', `nobody listens at ${where}`, details)
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return sessionError('ERR_SESSION_ADDRESS_UNKNOWN', `the host of ${where} is not known`, details)
    case 'EADDRINUSE':
      return sessionError('ERR_SESSION_ADDRESS_IN_USE', `somebody listens at ${where} already`, details)
    case 'ETIMEDOUT':
      return sessionError('ERR_SESSION_CONNECT_TIMEOUT', `${where} did not answer in time`, details)
    default:
      if (isTlsError(error)) return sessionError('ERR_SESSION_TLS', text, details)
      return sessionError('ERR_SESSION_CONNECT_FAILED', text, details)
  }
}

function isTlsError({ code, message }: Error & { code?: string }): boolean {
  if (code === undefined) return message.includes('secure TLS connection')
  return (
    /^ERR_(TLS|SSL)|^EPROTO$|CERT|SIGNATURE|ISSUER|SELF_SIGNED/.test(code) || message.includes('secure TLS connection')
  )
}
