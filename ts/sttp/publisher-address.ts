import { sttpError } from './error-codes.js'

/** Where a publisher listens. */
export interface PublisherAddress {
  readonly host: string
  readonly port: number
}

/** Reads `host:port`, `[IPv6]:port` or the same behind `sttp://`. */
export function parseAddress(text: string): PublisherAddress {
  const [, six, name, digits] = /^(?:sttp:\/\/)?(?:\[([0-9a-f:.%]+)\]|([^:/?#[\]\s]+)):(\d{1,5})\/?$/i.exec(text) ?? []
  const port = Number(digits)
  if (digits === undefined || port < 1 || port > 65_535) {
    throw sttpError('ERR_STTP_ADDRESS_INVALID', `${text} is no address: host:port, such as localhost:7165`)
  }
  return { host: six ?? (name as string), port }
}

/** The address of a peer as a transport names it, `host:port`; one of IPv4 in its own form. */
export function hostOf(peer: string): string {
  const host = peer.slice(0, peer.lastIndexOf(':'))
  return host.replace(/^::ffff:(?=\d+\.)/i, '')
}
