import {
  type ConnectionOptions,
  connect,
  createServer,
  type TlsOptions as ServerOptions,
  type TLSSocket,
} from 'node:tls'
import { sessionError } from './error-codes.js'
import { StreamTransport } from './stream-transport.js'
import { connected, listening } from './tcp-transport.js'
import type { Endpoint, Listener, TlsOptions, Transport } from './transport.js'

/** How long a client that is refused may take to close its side, ms. */
const HANG_UP_TIMEOUT = 1000

/** Connects over TLS; the server's certificate is verified unless `tls.verify` is false. */
export function dialTls(endpoint: Endpoint & { readonly tls: TlsOptions }, signal?: AbortSignal): Promise<Transport> {
  const { host, port, tls } = endpoint
  const pins = tls.fingerprint === undefined ? undefined : pinned(tls.fingerprint)
  // @types/node leaves out `allowHalfOpen` here, which node:tls passes on to its socket.
  const options: ConnectionOptions & { allowHalfOpen: boolean } = {
    host,
    port,
    ...materials(tls),
    allowHalfOpen: true,
    rejectUnauthorized: tls.fingerprint === undefined && (tls.verify ?? true),
    ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
  }
  const socket = connect(options)
  socket.setNoDelay(true)
  if (pins !== undefined) {
    socket.prependOnceListener('secureConnect', () => {
      const refusal = refusalOf(socket, pins)
      if (refusal !== undefined) socket.emit('error', refusal)
    })
  }
  return connected(socket, 'secureConnect', endpoint, signal, { isClientTls: true })
}

/** Listens for TLS connections; clients need a certificate when `tls.verify` is true. */
export function listenTls(
  endpoint: Endpoint & { readonly tls: TlsOptions },
  accept: (transport: Transport) => void,
): Promise<Listener> {
  const { tls, onRefused = () => {} } = endpoint
  const pins = tls.fingerprint === undefined ? undefined : pinned(tls.fingerprint)
  const verify = tls.verify ?? false
  const options: ServerOptions = {
    ...materials(tls),
    requestCert: verify || pins !== undefined,
    // What node refuses it resets, and then the client is told by chance whether it was refused or broke.
    rejectUnauthorized: false,
  }
  const server = createServer({ ...options, noDelay: true, allowHalfOpen: true }, (socket) => {
    const refusal = pins === undefined ? (verify ? distrustOf(socket) : undefined) : refusalOf(socket, pins)
    if (refusal === undefined) {
      accept(new StreamTransport(socket))
      return
    }
    onRefused(peerOf(socket), refusal)
    hangUp(socket)
  })
  server.on('tlsClientError', (error, socket) => {
    onRefused(peerOf(socket), error)
    socket.destroy()
  })
  return listening(server, endpoint)
}

/** Closes in order: bytes that nobody has read would make the system reset the connection. */
function hangUp(socket: TLSSocket): void {
  socket.on('error', () => {})
  const timer = setTimeout(() => socket.destroy(), HANG_UP_TIMEOUT)
  socket.on('close', () => clearTimeout(timer))
  socket.resume()
  socket.end()
}

/** Fingerprints as they are compared. */
function pinned(fingerprint: string | readonly string[]): string[] {
  return (typeof fingerprint === 'string' ? [fingerprint] : fingerprint).map((text) => {
    const digits = text.replaceAll(':', '').toUpperCase()
    if (/^[0-9A-F]{64}$/.test(digits)) return digits
    throw sessionError('ERR_SESSION_OPTION_INVALID', `${text} is no SHA-256 fingerprint of 64 hexadecimal digits`)
  })
}

function peerOf({ remoteAddress = '', remotePort = 0 }: TLSSocket): string {
  return `${remoteAddress}:${remotePort}`
}

/** Why a client's certificate is not that of an authority. */
function distrustOf(socket: TLSSocket): Error | undefined {
  if (socket.authorized) return undefined
  return new Error(`its certificate is not trusted: ${socket.authorizationError ?? 'there is none'}`)
}

/** Why a peer's certificate is none of those that are trusted. */
function refusalOf(socket: TLSSocket, pins: readonly string[]): Error | undefined {
  const fingerprint = socket.getPeerX509Certificate()?.fingerprint256.replaceAll(':', '') ?? 'none'
  if (pins.includes(fingerprint)) return undefined
  const text = `the fingerprint of the certificate is ${fingerprint}`
  return Object.assign(new Error(text), { code: 'ERR_TLS_CERT_FINGERPRINT' })
}

function materials({ cert, key, ca }: TlsOptions): Pick<ConnectionOptions, 'cert' | 'key' | 'ca'> {
  const bytes = (text: string | Uint8Array): string | Buffer => (typeof text === 'string' ? text : Buffer.from(text))
  return {
    ...(cert === undefined ? {} : { cert: bytes(cert) }),
    ...(key === undefined ? {} : { key: bytes(key) }),
    ...(ca === undefined ? {} : { ca: bytes(ca) }),
  }
}
