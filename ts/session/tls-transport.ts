import { type ConnectionOptions, connect, createServer, type TlsOptions as ServerOptions } from 'node:tls'
import { StreamTransport } from './stream-transport.js'
import { connected, listening } from './tcp-transport.js'
import type { Endpoint, Listener, TlsOptions, Transport } from './transport.js'

/** Connects over TLS; the server's certificate is verified unless `tls.verify` is false. */
export function dialTls(endpoint: Endpoint & { readonly tls: TlsOptions }, signal?: AbortSignal): Promise<Transport> {
  const { host, port, tls } = endpoint
  // @types/node leaves out `allowHalfOpen` here, which node:tls passes on to its socket.
  const options: ConnectionOptions & { allowHalfOpen: boolean } = {
    host,
    port,
    ...materials(tls),
    allowHalfOpen: true,
    rejectUnauthorized: tls.verify ?? true,
    ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
  }
  const socket = connect(options)
  socket.setNoDelay(true)
  return connected(socket, 'secureConnect', endpoint, signal)
}

/** Listens for TLS connections; clients need a certificate when `tls.verify` is true. */
export function listenTls(
  endpoint: Endpoint & { readonly tls: TlsOptions },
  accept: (transport: Transport) => void,
): Promise<Listener> {
  const { tls } = endpoint
  const verify = tls.verify ?? false
  const options: ServerOptions = { ...materials(tls), requestCert: verify, rejectUnauthorized: verify }
  const server = createServer({ ...options, noDelay: true, allowHalfOpen: true }, (socket) =>
    accept(new StreamTransport(socket)),
  )
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  return listening(server, endpoint)
}

function materials({ cert, key, ca }: TlsOptions): Pick<ConnectionOptions, 'cert' | 'key' | 'ca'> {
  const bytes = (text: string | Uint8Array): string | Buffer => (typeof text === 'string' ? text : Buffer.from(text))
  return {
    ...(cert === undefined ? {} : { cert: bytes(cert) }),
    ...(key === undefined ? {} : { key: bytes(key) }),
    ...(ca === undefined ? {} : { ca: bytes(ca) }),
  }
}
