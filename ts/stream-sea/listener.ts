import { createServer, type Server as HttpServer, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import type { Timer } from '../session/clock.js'
import { sessionError } from '../session/error-codes.js'
import type { TlsOptions } from '../session/transport.js'
import { Connection } from './connection.js'
import type { Client } from './directory.js'
import { Endpoints } from './endpoints.js'
import { secureOptions } from './remote.js'
import type { StreamSeaServer } from './server.js'

/** How long a peer may take, ms, and bytes of a head. */
const LIMITS = { keepAliveTimeout: 65_000, headersTimeout: 30_000, requestTimeout: 60_000, maxHeaderSize: 16_384 }
/** ms that connections have to end by themselves when the server does. */
const CLOSE_WITHIN = 500

/** Where a server is reached: its port, the HTTP requests that come there, and the WebSocket connections. */
export class Listener {
  readonly #server: StreamSeaServer
  readonly #connections = new Set<Connection>()
  readonly #http: HttpServer
  readonly #webSockets: WebSocketServer
  #pings: Timer | undefined
  #isClosed = false

  constructor(server: StreamSeaServer, tls: TlsOptions | undefined) {
    this.#server = server
    this.#webSockets = new WebSocketServer({
      noServer: true,
      maxPayload: server.options.maxMessageBytes,
      perMessageDeflate: false,
      skipUTF8Validation: false,
    })
    const endpoints = new Endpoints(server)
    const handle: RequestListener = (request, response) => endpoints.handle(request, response)
    this.#http = tls === undefined ? createServer(LIMITS, handle) : createSecureServer(securedBy(tls), handle)
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
    this.#http.on('clientError', (_, socket) => {
      if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
    })
  }

  /** The WebSocket connections that there are. */
  get connections(): ReadonlySet<Connection> {
    return this.#connections
  }

  /** Listens; resolves to the port. */
  listen(port: number, host: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const fail = (error: NodeJS.ErrnoException): void => {
        const code = error.code === 'EADDRINUSE' ? 'ERR_SESSION_ADDRESS_IN_USE' : 'ERR_SESSION_CONNECT_FAILED'
        reject(
          sessionError(code, `cannot listen on ${host}:${port}: ${error.message}`, {
            system: 'stream-sea',
            cause: error,
          }),
        )
      }
      this.#http.once('error', fail)
      this.#http.listen(port, host, 4096, () => {
        this.#http.off('error', fail)
        this.#pingSoon()
        resolve((this.#http.address() as AddressInfo).port)
      })
    })
  }

  /** Closes the connections of some clients, and says why. */
  closeConnections(matches: (client: Client) => boolean, why: string): void {
    for (const connection of this.#connections) {
      if (connection.client !== undefined && matches(connection.client)) connection.close(4003, why)
    }
  }

  /** A connection is over. */
  forget(connection: Connection): void {
    this.#connections.delete(connection)
  }

  /** Resolves when nobody is connected any more. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#pings?.cancel()
    for (const connection of this.#connections) connection.close(1001, 'the server ends')
    await new Promise<void>((resolve) => {
      this.#http.close(() => resolve())
      this.#http.closeIdleConnections()
      this.#server.clock.after(CLOSE_WITHIN, () => {
        for (const connection of this.#connections) connection.terminate()
        this.#http.closeAllConnections()
      })
      if (!this.#http.listening && this.#connections.size === 0) resolve()
    })
  }

  /** Who was not heard since the last ping is let go. */
  #pingSoon(): void {
    this.#pings = this.#server.clock.after(this.#server.options.pingInterval, () => {
      for (const connection of this.#connections) {
        if (connection.heard) connection.ping()
        else connection.terminate()
      }
      this.#pingSoon()
    })
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy())
    const refuse = (status: string): void => {
      socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
    }
    const full = this.#isClosed || this.#connections.size >= this.#server.options.maxConnections
    if (request.url !== '/api/v1/streams' || full) {
      refuse(full ? '503 Service Unavailable' : '404 Not Found')
      return
    }
    const tcp = socket as Socket
    tcp.setNoDelay?.(true)
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      this.#connections.add(new Connection(this.#server, webSocket, socket))
    })
  }
}

function securedBy(tls: TlsOptions): Record<string, unknown> {
  const isAsked = tls.verify ?? false
  return { ...LIMITS, ...secureOptions({ tls, remoteHost: '' }), requestCert: isAsked, rejectUnauthorized: isAsked }
}
