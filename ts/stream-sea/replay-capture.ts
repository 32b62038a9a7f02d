import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { CAPTURE_KIND, type CaptureItem } from '../session/capture.js'
import { sleep, systemClock } from '../session/clock.js'
import { sessionError } from '../session/error-codes.js'
import { type Replayed, ReplayedPeer, type ReplayPlace } from '../session/replayed-peer.js'
import { WebSocketReader } from '../session/web-socket-reader.js'
import { streamSeaError } from './error-codes.js'
import { ACCEPT } from './web-socket.js'

/** ms that a client may take to ask as the captured one had. */
const PATIENCE = 1000
/** ms that the first client may take to connect: until somebody ends it, or 12 days. */
const FIRST_PATIENCE = 2 ** 30

/**
 * Is the server of a capture for a client that does again what the captured one did: frames that had been received are
 * sent again, byte for byte, each when the client has sent as many as the captured one had; requests get the answers that
 * they had. Any secret will do.
 *
 * @returns bytes and items that were sent
 */
export async function replayCapture(items: AsyncIterable<CaptureItem>, place: ReplayPlace): Promise<Replayed> {
  const counts = { bytes: 0, items: 0 }
  const server = await ReplayServer.listen(place)
  const sockets = new Map<number, ReplaySocket>()
  /** Heads of requests and of their answers that are not whole yet, by channel. */
  const asked = new Map<number, string>()
  const answers = new Map<number, string>()
  const count = (bytes: Uint8Array): void => {
    counts.bytes += bytes.length
    counts.items++
  }
  try {
    for await (const { channel, kind, direction, bytes } of items) {
      if (kind === CAPTURE_KIND.httpHead) {
        const head = Buffer.from(bytes).toString('latin1')
        if (direction === 'sent') asked.set(channel, head)
        else if (!/^HTTP\/1\.1 101 /.test(head)) answers.set(channel, head)
        else {
          sockets.get(channel)?.end()
          sockets.set(channel, await server.webSocket(head))
        }
      } else if (kind === CAPTURE_KIND.httpBody) {
        if (direction === 'sent') continue
        if (await server.answer(asked.get(channel) ?? '', answers.get(channel) ?? '', bytes)) count(bytes)
      } else {
        const socket = kind === CAPTURE_KIND.stream ? sockets.get(channel) : undefined
        if (socket === undefined) throw noCapture('frames of no WebSocket')
        if (direction === 'sent') socket.expect(bytes)
        else if (await socket.send(bytes)) count(bytes)
        else break
      }
    }
    await Promise.all([...sockets.values()].map((socket) => socket.over()))
  } finally {
    await server.close()
  }
  return counts
}

function noCapture(reason: string): Error {
  return streamSeaError('ERR_STREAMSEA_FRAME_INVALID', `the capture cannot be replayed: ${reason}`)
}

/** Resolves with an event, or after a time; rejects when the signal aborts. */
async function within(event: Promise<void>, ms: number, signal: AbortSignal): Promise<void> {
  const over = new AbortController()
  const timer = sleep(systemClock, ms, AbortSignal.any([signal, over.signal]))
  try {
    await Promise.race([event, timer])
  } finally {
    over.abort()
  }
}

/** Those who have asked for something and were not served yet, and those who wait for them. */
class Arrivals<T> {
  readonly #there: T[] = []
  #wake: () => void = () => {}

  add(one: T): void {
    this.#there.push(one)
    this.#wake()
  }

  /** The first one that matches; undefined where none came in time. */
  async take(matches: (one: T) => boolean, signal: AbortSignal, patience: number): Promise<T | undefined> {
    const end = systemClock.elapsed() + patience
    for (;;) {
      const index = this.#there.findIndex(matches)
      if (index >= 0) return this.#there.splice(index, 1)[0]
      if (systemClock.elapsed() >= end) return undefined
      const came = new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      await within(came, patience, signal)
    }
  }
}

class ReplayServer {
  readonly #http: Server
  readonly #signal: AbortSignal
  readonly #requests = new Arrivals<{ readonly request: IncomingMessage; readonly response: ServerResponse }>()
  readonly #upgrades = new Arrivals<{ readonly key: string; readonly socket: Duplex; readonly head: Buffer }>()
  readonly #open = new Set<Duplex>()
  #isKnown = false

  private constructor(signal: AbortSignal) {
    this.#signal = signal
    this.#http = createServer((request, response) => {
      request.resume()
      this.#requests.add({ request, response })
    })
    this.#http.on('upgrade', (request, socket, head) => {
      this.#open.add(socket)
      this.#upgrades.add({ key: String(request.headers['sec-websocket-key']), socket, head })
    })
  }

  static async listen({ host, port, signal, onListening }: ReplayPlace): Promise<ReplayServer> {
    const server = new ReplayServer(signal)
    await new Promise<void>((resolve, reject) => {
      server.#http.once('error', (cause) =>
        reject(sessionError('ERR_SESSION_CONNECT_FAILED', cause.message, { system: 'stream-sea', cause })),
      )
      server.#http.listen(port, host, resolve)
    })
    onListening((server.#http.address() as AddressInfo).port)
    return server
  }

  /** Opens the WebSocket of a client; the first one is waited for. */
  async webSocket(captured: string): Promise<ReplaySocket> {
    const client = await this.#upgrades.take(() => true, this.#signal, this.#isKnown ? PATIENCE : FIRST_PATIENCE)
    if (client === undefined) throw noCapture('the client does not connect again')
    this.#isKnown = true
    const accept = createHash('sha1').update(`${client.key}${ACCEPT}`).digest('base64')
    client.socket.write(captured.replace(/^(sec-websocket-accept: *).*(?=\r)/im, `$1${accept}`), 'latin1')
    return new ReplaySocket(client.socket, client.head, this.#signal)
  }

  /** Answers a request like the captured one; `false` where the client does not ask it. */
  async answer(asked: string, answer: string, body: Uint8Array): Promise<boolean> {
    const [, method, url] = /^(\S+) (\S+) HTTP/.exec(asked) ?? []
    const isSame = ({ request }: { request: IncomingMessage }): boolean =>
      request.method === method && request.url === url
    const found = await this.#requests.take(isSame, this.#signal, PATIENCE)
    if (found === undefined) return false
    const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(answer) ?? []
    const headers = Object.fromEntries(
      [...answer.matchAll(/^([^:\r\n]+): *(.*?)\r$/gm)]
        .map(([, name = '', value = '']) => [name.toLowerCase(), value] as const)
        .filter(([name]) => !OWN_HEADERS.has(name)),
    )
    found.response.writeHead(Number(status), { ...headers, 'content-length': body.length }).end(body)
    return true
  }

  async close(): Promise<void> {
    for (const socket of this.#open) socket.destroy()
    this.#http.closeAllConnections()
    await new Promise<void>((resolve) => this.#http.close(() => resolve()))
  }
}

/** Headers that are of the connection, not of the answer. */
const OWN_HEADERS: ReadonlySet<string> = new Set(['connection', 'content-length', 'keep-alive', 'transfer-encoding'])

/** A WebSocket to a client, whose messages are counted. */
class ReplaySocket {
  readonly #socket: Duplex
  readonly #client: ReplayedPeer
  readonly #captured = messageCounter()

  constructor(socket: Duplex, head: Buffer, signal: AbortSignal) {
    this.#socket = socket
    this.#client = new ReplayedPeer(signal)
    const count = messageCounter()
    const take = (bytes: Buffer): void => this.#client.says(count(bytes))
    socket.on('close', () => this.#client.leaves())
    socket.on('error', () => socket.destroy())
    socket.on('end', () => socket.end())
    socket.on('data', take)
    if (head.length > 0) take(head)
  }

  /** What the captured client sent. */
  expect(bytes: Uint8Array): void {
    this.#client.expect(this.#captured(bytes))
  }

  /** Sends when the client has asked; `false` where it has gone. */
  async send(bytes: Uint8Array): Promise<boolean> {
    await this.#client.caughtUp()
    if (this.#client.isGone) return false
    await new Promise<void>((resolve) => this.#socket.write(Uint8Array.from(bytes), () => resolve()))
    return true
  }

  /** Resolves when the client has hung up, or does not for long. */
  over(): Promise<void> {
    return this.#client.left()
  }

  end(): void {
    this.#socket.destroy()
  }
}

/** Counts the messages in the bytes of a client. */
function messageCounter(): (bytes: Uint8Array) => number {
  const reader = new WebSocketReader(noCapture)
  return (bytes) => [...reader.read(bytes)].filter(({ opcode }) => opcode < 8).length
}
