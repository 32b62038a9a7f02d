import {
  aborted,
  type CaptureItem,
  type Listener,
  type Network,
  sessionError,
  type Transport,
} from '../session/index.js'

/** Where a capture is replayed. */
export interface ReplayPlace {
  readonly network: Network
  readonly host: string
  /** Of the control connection. */
  readonly port: number
  readonly signal: AbortSignal
  onListening(port: number): void
}

/** ms that a client may take to ask as the captured one had before. */
const PATIENCE = 1000
const LINGER = 5000
const PORT = /Port: ?(\d+)/

/**
 * Is the server of a capture for one client: what had been received is sent again, on the control connection, the data
 * connections and as datagrams. A data port that is taken on this machine is replaced in the reply; all else goes byte
 * for byte. Items come when they are due.
 *
 * @returns bytes and items that were sent
 */
export async function replayCapture(
  items: AsyncIterable<CaptureItem>,
  place: ReplayPlace,
): Promise<{ bytes: number; items: number }> {
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
  /** Bytes that the client has sent, and those that the captured one had. */
  got: number
  wanted: number
  /** The captured request that is answered next. */
  asked: string
  wake: () => void
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
  #onControl: () => void = () => {}

  constructor(place: ReplayPlace) {
    this.#place = place
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
      connection.wanted += bytes.length
      connection.asked = Buffer.from(bytes).toString('latin1')
      return
    }
    await this.#asked(connection)
    const text = connection.wanted > 0 ? Buffer.from(bytes).toString('latin1') : ''
    const sent = PORT.test(text) ? await this.#withPort(text, connection) : Uint8Array.from(bytes)
    const written = new Promise<void>((resolve) => connection.transport?.write(sent, resolve))
    // A client that has what it wants hangs up.
    await Promise.race([written, connection.closed])
    if (connection.isClosed) return
    this.bytes += bytes.length
    this.items++
  }

  /** The client has what it asked for: it hangs up, or some time passes. */
  async finish(): Promise<void> {
    const connections = [...this.#connections.values()]
    for (const { transport } of connections) transport?.end()
    const closed = Promise.all(connections.map((connection) => connection.closed))
    await Promise.race([closed, this.#later(LINGER)])
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
    const fresh = { transport: undefined, got: 0, wanted: 0, asked: '', wake: () => {} }
    const connection: Connection = { ...fresh, closed, isClosed: false }
    this.#connections.set(channel, connection)
    const isControl = direction === 'sent' && Buffer.from(bytes.subarray(0, 4)).toString() === 'TiA '
    if (isControl) this.#controlChannels.push(channel)
    // Connections are numbered as they were made, and each reply with a port led to one.
    const data = this.#data[channel - this.#controlChannels.filter((control) => control < channel).length]
    if (!isControl && data === undefined) {
      throw sessionError('ERR_SESSION_CAPTURE_FORMAT', 'a data connection that no reply has named')
    }
    connection.transport = await this.#unlessAborted(isControl ? this.#control() : (data as Promise<Transport>))
    connection.transport.start({
      onChunk: (chunk) => {
        connection.got += chunk.length
        connection.wake()
      },
      onClose: () => {
        connection.isClosed = true
        connection.wake()
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

  /** Waits for the request that the captured reply had followed. */
  async #asked(connection: Connection): Promise<void> {
    const late = Promise.race([this.#later(PATIENCE), connection.closed]).then(() => 'late')
    while (connection.got < connection.wanted) {
      const woken = new Promise<void>((resolve) => {
        connection.wake = resolve
      })
      if ((await Promise.race([woken, late])) === 'late') break
    }
    connection.got = Math.max(connection.got, connection.wanted)
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
    if (/GetDataConnection: ?UDP/i.test(control.asked)) {
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

  #later(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms).unref())
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
