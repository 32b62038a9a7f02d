import type { Listener, MeasurandError, Transport } from '../session/index.js'
import { ChannelSelection, call, encodeMessage, type Message, readDocument } from './codec.js'
import { messageReader } from './control-connection.js'
import type { OutgoingStream } from './outgoing-stream.js'
import type { TiAServer } from './server.js'

/** What a handler needs of its server. */
export interface Host {
  readonly metaInfoXml: () => string
  readonly offered: () => { bit: number; channels: number; blocksize: number }[]
  readonly limits: () => { readonly contentLimit: number }
  /** A stream for one client; the port that it connects to. */
  readonly openTcp: (selection: ChannelSelection | undefined) => Promise<{ stream: OutgoingStream; listener: Listener }>
  /** The stream of datagrams to a peer; the port that they are sent to, or why there is none. */
  readonly openUdp: (host: string) => Promise<{ stream: OutgoingStream; port: number } | string>
  readonly release: (stream: OutgoingStream) => void
  readonly openState: () => Promise<number>
}

interface Held {
  readonly stream: OutgoingStream
  readonly listener?: Listener
}

/**
 * One client's control connection. A class derived from it may answer more commands:
 *
 * ```ts
 * class Handler extends TiAConnectionHandler {
 *   override async answer(message) {
 *     return message.command === 'GetTemperature' ? { command: 'Temperature', parameter: '36.6' } : super.answer(message)
 *   }
 * }
 * const server = new TiAServer(['', 9000], Handler)
 * ```
 */
export class TiAConnectionHandler {
  readonly server: TiAServer
  readonly #transport: Transport
  readonly #host: Host
  readonly #held: Held[] = []
  #selection: ChannelSelection | undefined
  #selectedXml: string | undefined
  #hasSelected = false
  #tail: Promise<void> = Promise.resolve()
  #isClosed = false

  /** @internal */
  constructor(server: TiAServer, transport: Transport, host: Host) {
    this.server = server
    this.#transport = transport
    this.#host = host
  }

  /** Begins to answer; tells when the connection is over. */
  start(onClose: (error?: MeasurandError) => void): void {
    const reader = messageReader(false, this.#host.limits())
    this.#transport.start({
      onChunk: (bytes) => {
        if (this.#isClosed) return
        try {
          call(() => reader.push(bytes))
          for (let message = call(() => reader.next()); message; message = call(() => reader.next())) {
            this.#enqueue(message)
          }
        } catch (error) {
          this.#refuse(error as MeasurandError)
        }
      },
      onClose: (error) => {
        this.#isClosed = true
        for (const held of this.#held.splice(0)) this.#drop(held)
        onClose(error)
      },
    })
  }

  /**
   * Streams of this client that packets go out to.
   *
   * @internal
   */
  get streams(): OutgoingStream[] {
    return this.#held.map(({ stream }) => stream)
  }

  close(): void {
    this.#transport.close()
  }

  /** Sends what waits, then closes. */
  async end(): Promise<void> {
    await Promise.all(this.#held.map(({ stream }) => stream.end()))
    this.#transport.end()
  }

  /** The reply to a request. */
  async answer(message: Message): Promise<Reply> {
    switch (message.command) {
      case 'CheckProtocolVersion':
        return OK
      case 'GetMetaInfo':
        return { command: 'MetaInfo', content: Buffer.from(this.#selectedXml ?? this.#host.metaInfoXml()) }
      case 'GetDataConnection':
        return this.#open(message.parameter ?? '')
      case 'StartDataTransmission':
        if (this.#held.length === 0) return refusal('Must send GetDataConnection message first')
        for (const { stream } of this.#held) stream.begin()
        return OK
      case 'StopDataTransmission':
        if (this.#held.length === 0) return refusal('No existing data connection!')
        for (const { stream } of this.#held) stream.pause()
        return OK
      case 'GetServerStateConnection':
        return { command: 'ServerStateConnectionPort', parameter: String(await this.#host.openState()) }
      case 'SetCustomSignalInfo':
        return this.#select(message.content?.toString('utf8') ?? '')
      default:
        return refusal(`Unknown message type "${message.command}"`)
    }
  }

  #enqueue(message: Message): void {
    // One request at a time, whatever a client sends ahead.
    this.#tail = this.#tail.then(async () => {
      if (this.#isClosed) return
      if (!message.version.startsWith('1.0')) {
        this.#send(refusal(WRONG_VERSION))
        this.#transport.end()
        return
      }
      try {
        this.#send(await this.answer(message))
      } catch (error) {
        this.#send(refusal((error as Error).message))
      }
    })
  }

  #refuse(error: MeasurandError): void {
    this.#isClosed = true
    const isVersion = error.code === 'ERR_TIA_MESSAGE_VERSION' || error.code === 'ERR_TIA_MESSAGE_LINE'
    this.#send(refusal(isVersion ? WRONG_VERSION : error.message))
    this.#transport.end()
    this.server.status.emit('malformed-request', { peer: this.#transport.peer, code: error.code })
  }

  #send({ command, parameter, content }: Reply): void {
    this.#transport.write(encodeMessage(command, parameter, content))
  }

  async #open(parameter: string): Promise<Reply> {
    const kind = parameter.toUpperCase()
    if (kind === 'TCP') {
      const { stream, listener } = await this.#host.openTcp(this.#selection)
      if (this.#isClosed) this.#drop({ stream, listener })
      else this.#held.push({ stream, listener })
      return port(listener.port)
    }
    if (kind !== 'UDP') return refusal(`Unknown data connection type "${parameter}"`)
    if (this.#selection !== undefined) return failure('UDP with a custom signalinfo is not supported!')
    const opened = await this.#host.openUdp(this.#transport.peer.slice(0, this.#transport.peer.lastIndexOf(':')))
    if (typeof opened === 'string') return failure(opened)
    this.#held.push({ stream: opened.stream })
    return port(opened.port)
  }

  #select(xml: string): Reply {
    if (this.#hasSelected || this.#held.length > 0) {
      return failure('Details:This connection has already a custom config that can not be altered!')
    }
    try {
      const chosen = readDocument(xml)
      const selections = chosen.signals.map(({ bit, type, numbers, channels, downsampling }) => {
        if (bit < 0) throw new Error(`There is no signal ${type}`)
        if (channels !== numbers.length) throw new Error(`numChannels is ${channels}, ${numbers.length} are listed`)
        return { bit, channels: numbers.map((nr) => nr - 1), factor: downsampling }
      })
      this.#selection = call(() => new ChannelSelection(this.#host.offered(), selections))
      this.#selectedXml = this.server.describeSelection(selections)
      this.#hasSelected = true
      return OK
    } catch (error) {
      return { command: 'ValidationError', content: Buffer.from((error as Error).message) }
    }
  }

  #drop({ stream, listener }: Held): void {
    void listener?.close()
    this.#host.release(stream)
  }
}

/** A reply. */
export interface Reply {
  readonly command: string
  readonly parameter?: string
  readonly content?: Uint8Array
}

const OK: Reply = { command: 'OK' }
const WRONG_VERSION = 'Unknown protocol version (requires "1.0")'

/** An error as pytia writes it. */
function refusal(text: string): Reply {
  return { command: 'Error', content: Buffer.from(text) }
}

/** An error as libtia writes it: its clients know the texts. */
function failure(text: string): Reply {
  return { command: 'Error', parameter: text }
}

function port(number: number): Reply {
  return { command: 'DataConnectionPort', parameter: String(number) }
}
