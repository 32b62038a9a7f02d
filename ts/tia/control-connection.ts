import { aborted, type Clock, type MeasurandError, sessionError, type Transport } from '../session/index.js'
import { call, encodeMessage, type Message, MessageReader } from './codec.js'
import { tiaError } from './error-codes.js'

/** Lengths of control messages taken at most. */
export interface ControlLimits {
  /** Bytes of a line; 4,096 unless told. */
  readonly lineLimit?: number
  /** Bytes of a content; 16 MiB unless told. */
  readonly contentLimit?: number
}

/** The reader of one side of a control connection. */
export function messageReader(isClient: boolean, { lineLimit = 4096, contentLimit = 16 << 20 }: ControlLimits) {
  return new MessageReader(isClient, lineLimit, contentLimit)
}

interface Waiting {
  readonly resolve: (message: Message) => void
  readonly reject: (error: Error) => void
}

/** A client's control connection: one request at a time, each with its reply. */
export class ControlConnection {
  /** Resolves when it is over, with the error that ended it if one did. */
  readonly closed: Promise<Error | undefined>
  readonly #transport: Transport
  readonly #clock: Clock
  readonly #timeout: number
  readonly #signal: AbortSignal
  readonly #reader: MessageReader
  #waiting: Waiting | undefined
  #tail: Promise<unknown> = Promise.resolve()
  #isClosed = false

  constructor(
    transport: Transport,
    options: ControlLimits & { clock: Clock; requestTimeout: number; signal: AbortSignal },
  ) {
    this.#transport = transport
    this.#clock = options.clock
    this.#timeout = options.requestTimeout
    this.#signal = options.signal
    this.#reader = messageReader(true, options)
    this.closed = new Promise((resolve) => {
      const end = (error?: Error): void => {
        this.#isClosed = true
        const lost = error ?? sessionError('ERR_SESSION_CONNECTION_LOST', `${transport.peer} closed the connection`)
        this.#waiting?.reject(lost)
        this.#waiting = undefined
        resolve(error)
      }
      transport.start({
        onChunk: (bytes) => {
          try {
            this.#read(bytes)
          } catch (error) {
            end(error as MeasurandError)
            transport.close()
          }
        },
        onClose: end,
      })
    })
  }

  /** Bytes that lay between replies: the server announced contents too short. */
  get skipped(): number {
    return this.#reader.skipped
  }

  /** Sends a request and gives the reply; a refusal is a `ProtocolError` with the server's text. */
  request(command: string, parameter?: string, content?: Uint8Array): Promise<Message> {
    const reply = this.#tail.then(() => this.#exchange(command, parameter, content))
    this.#tail = reply.catch(() => {})
    return reply
  }

  close(): void {
    this.#transport.close()
  }

  async #exchange(command: string, parameter?: string, content?: Uint8Array): Promise<Message> {
    if (this.#isClosed) throw sessionError('ERR_SESSION_NOT_CONNECTED', 'the control connection is closed')
    this.#signal.throwIfAborted()
    const reply = await new Promise<Message>((resolve, reject) => {
      const timer = this.#clock.after(this.#timeout, () => {
        fail(tiaError('ERR_TIA_REQUEST_TIMEOUT', `no reply to ${command} within ${this.#timeout} ms`))
        this.#transport.close()
      })
      const abort = (): void => fail(aborted(this.#signal))
      const settle = (): void => {
        timer.cancel()
        this.#signal.removeEventListener('abort', abort)
        this.#waiting = undefined
      }
      const fail = (error: Error): void => {
        settle()
        reject(error)
      }
      this.#signal.addEventListener('abort', abort, { once: true })
      this.#waiting = {
        resolve: (message) => {
          settle()
          resolve(message)
        },
        reject: fail,
      }
      this.#transport.write(encodeMessage(command, parameter, content))
    })
    if (reply.command.startsWith('Error') || reply.command === 'ValidationError') {
      const text = reply.content?.toString('utf8') ?? reply.parameter ?? 'no reason given'
      throw tiaError('ERR_TIA_REQUEST_REFUSED', `${command}: ${text}`)
    }
    return reply
  }

  #read(bytes: Uint8Array): void {
    const reader = this.#reader
    call(() => reader.push(bytes))
    for (let message = call(() => reader.next()); message; message = call(() => reader.next())) {
      const waiting = this.#waiting
      if (waiting !== undefined) waiting.resolve(message)
    }
  }
}

/** The port that a reply names. */
export function portOf(reply: Message, command: string): number {
  const port = Number(reply.parameter)
  if (reply.command !== command || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw tiaError('ERR_TIA_REPLY_UNEXPECTED', `${command} expected, not ${reply.command}:${reply.parameter ?? ''}`)
  }
  return port
}

/** Fails where a reply is not OK. */
export function expectOk(reply: Message, request: string): void {
  if (reply.command !== 'OK')
    throw tiaError('ERR_TIA_REPLY_UNEXPECTED', `OK expected to ${request}, not ${reply.command}`)
}
