import type { AddressInfo } from 'node:net'
import type { WebSocket, WebSocketServer } from 'ws'
import { CAPTURE_KIND, type CaptureItem } from '../session/capture.js'
import { sessionError } from '../session/error-codes.js'
import { type Replayed, ReplayedPeer, type ReplayPlace } from '../session/replayed-peer.js'
import { framingOfHead } from './capture.js'
import { sisockError } from './error-codes.js'
import type { Framing } from './serializer.js'

/**
 * Is the router of a capture for a client that does again what the captured one did: what had been received is sent
 * again, byte for byte, each message when the client has sent as many as the captured one had. Any signature will do.
 *
 * @returns bytes and items that were sent
 */
export async function replayCapture(items: AsyncIterable<CaptureItem>, place: ReplayPlace): Promise<Replayed> {
  const { WebSocketServer } = await import('ws').catch((cause: unknown) => {
    throw sessionError('ERR_SESSION_TRANSPORT_MISSING', 'npm install ws', { system: 'sisock', cause })
  })
  const counts = { bytes: 0, items: 0 }
  let router: ReplayRouter | undefined
  try {
    for await (const { kind, direction, bytes } of items) {
      if (kind === CAPTURE_KIND.httpHead) {
        const framing = framingOfHead(bytes)
        if (framing === undefined) throw noCapture('a connection without a WAMP subprotocol')
        router ??= await ReplayRouter.listen(WebSocketServer, place)
        await router.connection(framing)
      } else if (
        router === undefined ||
        (kind !== CAPTURE_KIND.webSocketText && kind !== CAPTURE_KIND.webSocketBinary)
      ) {
        throw noCapture('not the messages of a WAMP client')
      } else if (direction === 'sent') router.expect(bytes)
      else {
        if (!(await router.send(bytes))) break
        counts.bytes += bytes.length
        counts.items++
      }
    }
    await router?.over()
  } finally {
    router?.close()
  }
  return counts
}

function noCapture(reason: string): Error {
  return sisockError('ERR_SISOCK_PROTOCOL', `the capture cannot be replayed: ${reason}`)
}

class ReplayRouter {
  readonly #server: WebSocketServer
  readonly #signal: AbortSignal
  #framing: Framing | undefined
  #socket: WebSocket | undefined
  /** Those that have connected and are not served yet. */
  readonly #clients: WebSocket[] = []
  /** Whoever is served: its messages are counted. */
  #client: ReplayedPeer
  #connected: () => void = () => {}

  private constructor(Server: typeof WebSocketServer, { host, port, signal }: ReplayPlace) {
    this.#signal = signal
    this.#client = new ReplayedPeer(signal)
    this.#server = new Server({
      host,
      port,
      perMessageDeflate: false,
      handleProtocols: (offers) => {
        const captured = this.#framing?.subprotocol
        return captured !== undefined && offers.has(captured) ? captured : false
      },
    })
    this.#server.on('connection', (socket) => {
      this.#clients.push(socket)
      this.#connected()
    })
    signal.addEventListener('abort', () => this.close(), { once: true })
  }

  static async listen(Server: typeof WebSocketServer, place: ReplayPlace): Promise<ReplayRouter> {
    const router = new ReplayRouter(Server, place)
    await new Promise<void>((resolve, reject) => {
      router.#server.once('listening', resolve)
      router.#server.once('error', (cause) =>
        reject(sessionError('ERR_SESSION_CONNECT_FAILED', cause.message, { system: 'sisock', cause })),
      )
    })
    place.onListening((router.#server.address() as AddressInfo).port)
    return router
  }

  /** Waits for a client. */
  async connection(framing: Framing): Promise<void> {
    this.#framing = framing
    this.#socket?.close(1001)
    const client = new ReplayedPeer(this.#signal)
    this.#client = client
    if (this.#clients.length === 0) {
      await new Promise<void>((resolve, reject) => {
        this.#connected = resolve
        this.#signal.addEventListener('abort', () => reject(this.#signal.reason), { once: true })
      })
    }
    const socket = this.#clients.shift() as WebSocket
    this.#socket = socket
    socket.on('error', () => {})
    socket.on('close', () => client.leaves())
    socket.on('message', (data: Buffer) => client.says(count(framing, data)))
  }

  /** What the captured client sent. */
  expect(bytes: Uint8Array): void {
    this.#client.expect(count(this.#framing as Framing, Buffer.from(bytes)))
  }

  /** Sends when the client has asked; `false` where it has gone. */
  async send(bytes: Uint8Array): Promise<boolean> {
    const { isBinary } = this.#framing as Framing
    const socket = this.#socket as WebSocket
    await this.#client.caughtUp()
    if (socket.readyState !== socket.OPEN) return false
    await new Promise<void>((resolve) => socket.send(Uint8Array.from(bytes), { binary: isBinary }, () => resolve()))
    return true
  }

  /** Resolves when the client has hung up, or does not for long. */
  async over(): Promise<void> {
    if (this.#socket !== undefined) await this.#client.left()
  }

  close(): void {
    for (const client of this.#server.clients) client.terminate()
    this.#server.close()
  }
}

function count(framing: Framing, payload: Buffer): number {
  return [...framing.split(payload)].length
}
