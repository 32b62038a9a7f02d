import {
  aborted,
  type CaptureItem,
  type Listener,
  type Replayed,
  ReplayedPeer,
  type ReplayPlace,
  sessionError,
  type Transport,
} from '../session/index.js'
import type { Message, MessageReader } from './codec.js'
import { messageReader } from './control-connection.js'

const PORT = /ConnectionPort: ?(\d+)/

/**
 * Is the server of a capture for one client: what had been received is sent again, on the control connection, the data
 * connections and as datagrams. A data port that is taken on this machine is replaced in the reply; all else goes byte
 * for byte. Items come when they are due.
 *
 * @returns bytes and items that were sent
 */
export async function replayCapture(items: AsyncIterable<CaptureItem>, place: ReplayPlace): Promise<Replayed> {
  const replay = new Replay(place)
  try {
    await replay.listen()
    for await (const item of items) {
      await replay.take(item)
      if (replay.isOver) break
    }
    await replay.finish()
  } finally {
    await replay.close()
  }
  return { bytes: replay.bytes, items: replay.items }
}

/** A connection of the capture. */
interface Connection {
  transport: Transport | undefined
  readonly isControl: boolean
  /** Of the captured requests. */
  readonly captured: MessageReader
  /** The captured request that is answered next. */
  asked: Message | undefined
  readonly closed: Promise<void>
  isClosed: boolean
}

class Replay {
  bytes = 0
  items = 0
  readonly #place: ReplayPlace
  readonly #connections = new Map<number, Connection>()
  readonly #controls: Transport[] = []
  readonly #listeners: Listener[] = []
  /** Data connections in the order of the replies that named their ports. */
  readonly #data: Promise<Transport>[] = []
  readonly #controlChannels: number[] = []
  /** Counts the client's requests, on whatever connection: a reply and what is streamed behind it wait for them. */
  readonly #client: ReplayedPeer
  #onControl: () => void = () => {}

  constructor(place: ReplayPlace) {
    this.#place = place
    this.#client = new ReplayedPeer(place.signal)
  }

  /** Whether the client has hung up. */
  get isOver(): boolean {
    const controls = this.#controlChannels.map((channel) => this.#connections.get(channel))
    return controls.length > 0 && controls.every((connection) => connection?.isClosed)
  }

  async listen(): Promise<void> {
    const { network, host, port, onListening } = this.#place
    const listener = await network.listen({ host, port }, (transport) => {
      this.#controls.push(transport)
      this.#onControl()
    })
    this.#listeners.push(listener)
    onListening(listener.port)
  }

  async take({ channel, direction, bytes }: CaptureItem): Promise<void> {
    const connection = await this.#connectionOf(channel, direction, bytes)
    if (direction === 'sent') {
      for (const request of messagesOf(connection.captured, bytes)) {
        connection.asked = request
        this.#client.expect(1)
      }
      return
    }
    await this.#client.caughtUp()
    const text = connection.isControl ? Buffer.from(bytes).toString('latin1') : ''
    const sent = PORT.test(text) ? await this.#withPort(text, connection) : Uint8Array.from(bytes)
    const written = new Promise<void>((resolve) => connection.transport?.write(sent, resolve))
    // A client that has what it wants hangs up.
    await Promise.race([written, connection.closed])
    if (connection.isClosed) return
    this.bytes += bytes.length
    this.items++
  }

  /** The client has what it asked for, and hangs up as the captured one had; one that does not is left. */
  async finish(): Promise<void> {
    await this.#client.left()
    for (const { transport } of this.#connections.values()) transport?.end()
    await this.#client.left()
  }

  async close(): Promise<void> {
    for (const { transport } of this.#connections.values()) transport?.close()
    for (const listener of this.#listeners) await listener.close()
  }

  async #connectionOf(channel: number, direction: CaptureItem['direction'], bytes: Uint8Array): Promise<Connection> {
    const known = this.#connections.get(channel)
    if (known !== undefined) return known
    let close = (): void => {}
    const closed = new Promise<void>((resolve) => {
      close = resolve
    })
    const isControl = direction === 'sent' && Buffer.from(bytes.subarray(0, 4)).toString() === 'TiA '
    const requests = { captured: messageReader(true, {}), asked: undefined }
    const connection: Connection = { transport: undefined, isControl, ...requests, closed, isClosed: false }
    this.#connections.set(channel, connection)
    if (isControl) this.#controlChannels.push(channel)
    // Connections are numbered as they were made, and each reply with a port led to one.
    const data = this.#data[channel - this.#controlChannels.filter((control) => control < channel).length]
    if (!isControl && data === undefined) {
      throw sessionError('ERR_SESSION_CAPTURE_FORMAT', 'a data connection that no reply has named')
    }
    connection.transport = await this.#unlessAborted(isControl ? this.#control() : (data as Promise<Transport>))
    const heard = messageReader(true, {})
    connection.transport.start({
      onChunk: (chunk) => this.#client.says([...messagesOf(heard, chunk)].length),
      onClose: () => {
        connection.isClosed = true
        if (this.isOver) this.#client.leaves()
        close()
      },
    })
    return connection
  }

  /** The next control connection of the client. */
  async #control(): Promise<Transport> {
    for (;;) {
      const transport = this.#controls.shift()
      if (transport !== undefined) return transport
      await new Promise<void>((resolve) => {
        this.#onControl = resolve
      })
    }
  }

  /** The reply with a port on which the data connection can be made. */
  async #withPort(text: string, control: Connection): Promise<Uint8Array> {
    const wanted = Number(PORT.exec(text)?.[1])
    const { network, host } = this.#place
    let accept: (transport: Transport) => void = () => {}
    const accepted = new Promise<Transport>((resolve) => {
      accept = resolve
    })
    const peer = control.transport?.peer ?? ''
    if (control.asked?.parameter?.toUpperCase() === 'UDP') {
      const remote = { host: peer.slice(0, peer.lastIndexOf(':')).replace('::ffff:', ''), port: wanted }
      this.#data.push(network.datagrams({ remote }))
      return Buffer.from(text, 'latin1')
    }
    this.#data.push(accepted)
    const listener = await network
      .listen({ host, port: wanted }, accept)
      .catch(() => network.listen({ host, port: 0 }, accept))
    this.#listeners.push(listener)
    return Buffer.from(
      text.replace(PORT, (named) => named.replace(String(wanted), String(listener.port))),
      'latin1',
    )
  }

  #unlessAborted<T>(promise: Promise<T>): Promise<T> {
    const { signal } = this.#place
    const abort = new Promise<never>((_, reject) => {
      if (signal.aborted) reject(aborted(signal))
      else signal.addEventListener('abort', () => reject(aborted(signal)), { once: true })
    })
    abort.catch(() => {})
    return Promise.race([promise, abort])
  }
}

/** The messages that a piece makes whole; none where it is none, as whoever sent it will be told. */
function* messagesOf(reader: MessageReader, piece: Uint8Array): Iterable<Message> {
  try {
    reader.push(piece)
    for (let message = reader.next(); message; message = reader.next()) yield message
  } catch {
    // What is no message asks for nothing.
  }
}
