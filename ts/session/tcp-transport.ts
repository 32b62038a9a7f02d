import { connect, createServer, type NetConnectOpts, type Server, type Socket } from 'node:net'
import { aborted } from './clock.js'
import { sessionError } from './error-codes.js'
import { connectError, HIGH_WATER_MARK, ReusedReader, type StreamOptions, StreamTransport } from './stream-transport.js'
import type { Endpoint, Listener, Transport } from './transport.js'

const CONNECT_TIMEOUT = 10_000
const KEEP_ALIVE = 30_000

/** Connects over TCP. */
export function dialTcp({ host, port, connectTimeout }: Endpoint, signal?: AbortSignal): Promise<Transport> {
  const reader = new ReusedReader()
  const options = {
    host,
    port,
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE,
    writableHighWaterMark: HIGH_WATER_MARK,
    onread: reader,
  }
  return connected(connect(options as NetConnectOpts), 'connect', { host, port, connectTimeout }, signal, { reader })
}

/** The transport of a socket that connects, when it has told so by an event. */
export function connected(
  socket: Socket,
  event: 'connect' | 'secureConnect',
  {
    host,
    port,
    connectTimeout = CONNECT_TIMEOUT,
  }: Pick<Endpoint, 'host' | 'port'> & { connectTimeout?: number | undefined },
  signal?: AbortSignal,
  options: StreamOptions = {},
): Promise<Transport> {
  const where = `${host}:${port}`
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      socket.off('error', refuse)
      socket.off(event, succeed)
    }
    const fail = (error: Error): void => {
      settle()
      socket.on('error', () => {})
      socket.destroy()
      reject(error)
    }
    const succeed = (): void => {
      settle()
      resolve(new StreamTransport(socket, options))
    }
    const refuse = (error: Error): void => fail(connectError(where, error))
    const abort = (): void => fail(aborted(signal as AbortSignal))
    const timer = setTimeout(
      () => fail(sessionError('ERR_SESSION_CONNECT_TIMEOUT', `${where} did not answer within ${connectTimeout} ms`)),
      connectTimeout,
    )
    socket.on('error', refuse)
    socket.on(event, succeed)
    if (signal?.aborted) abort()
    else signal?.addEventListener('abort', abort, { once: true })
  })
}

/** Listens for TCP connections. */
export function listenTcp(endpoint: Endpoint, accept: (transport: Transport) => void): Promise<Listener> {
  const options = {
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE,
    highWaterMark: HIGH_WATER_MARK,
  }
  return listening(
    createServer(options, (socket) => accept(new StreamTransport(socket))),
    endpoint,
  )
}

/** The listener of a server, when it listens. */
export function listening(server: Server, { host, port }: Endpoint): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const refuse = (error: Error): void => reject(connectError(`${host}:${port}`, error))
    server.once('error', refuse)
    server.listen({ host, port }, () => {
      server.off('error', refuse)
      server.on('error', () => {})
      const address = server.address() as { address: string; port: number }
      resolve({
        host: address.address,
        port: address.port,
        // The server's own callback would wait for the connections that it accepted.
        close: () => {
          server.close()
          return new Promise((closed) => setImmediate(closed))
        },
      })
    })
  })
}
