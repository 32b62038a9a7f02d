import type { Socket } from 'node:net'
import { sessionError } from './error-codes.js'
import type { MeasurandError } from './errors.js'
import type { Transport, TransportHandler } from './transport.js'
import { Vigil } from './vigil.js'

/** Bytes that a stream socket queues before `write` says to wait. */
export const HIGH_WATER_MARK = 1 << 20

/** Bytes of a write that the system nearly always takes at once. */
const SMALL = 2048
const NOTHING = Buffer.alloc(0)

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

  constructor(socket: Socket, { reader, isClientTls = false }: StreamOptions = {}) {
    this.peer = `${socket.remoteAddress ?? ''}:${socket.remotePort ?? 0}`
    this.localPort = socket.localPort ?? 0
    this.isSecure = 'encrypted' in socket && socket.encrypted === true
    this.#socket = socket
    this.#reader = reader
    this.#mayBeRefused = isClientTls
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
    return this.#socket.bytesWritten
  }

  get queuedBytes(): number {
    return this.#socket.writableLength
  }

  start(handler: TransportHandler): void {
    this.#handler = handler
    if (this.#isClosed) {
      queueMicrotask(() => handler.onClose(this.#error))
      return
    }
    if (this.#reader !== undefined) this.#reader.onChunk = (bytes) => handler.onChunk(bytes)
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
    const socket = this.#socket
    if (!socket.writable) return false
    if (bytes instanceof Uint8Array) {
      if (done === undefined || bytes.length > SMALL || this.isSecure) return socket.write(bytes, done)
      // A callback costs a turn of Node's queue, also where the bytes have gone when `write` comes back.
      const mayGoOn = socket.write(bytes)
      if (socket.writableLength === 0) done()
      else socket.write(NOTHING, done)
      return mayGoOn
    }
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
    this.#socket.end()
  }

  close(): void {
    this.#mayBeRefused = false
    this.#socket.destroy()
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
  onChunk: ((bytes: Uint8Array) => void) | undefined
  readonly #vigil = new Vigil()

  readonly callback = (length: number, buffer: Uint8Array): boolean => {
    this.onChunk?.(buffer.subarray(0, length))
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
