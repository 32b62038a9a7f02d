import { dialTcp, listenTcp } from './tcp-transport.js'
import { dialTls, listenTls } from './tls-transport.js'
import type { Network, TlsOptions } from './transport.js'
import { openUdp } from './udp-transport.js'

/** The machine's sockets. */
export const systemNetwork: Network = {
  dial: (endpoint, signal) =>
    endpoint.tls === undefined
      ? dialTcp(endpoint, signal)
      : dialTls(endpoint as typeof endpoint & { tls: TlsOptions }, signal),
  listen: (endpoint, accept) =>
    endpoint.tls === undefined
      ? listenTcp(endpoint, accept)
      : listenTls(endpoint as typeof endpoint & { tls: TlsOptions }, accept),
  datagrams: openUdp,
}
