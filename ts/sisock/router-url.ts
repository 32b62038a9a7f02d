import { sisockError } from './error-codes.js'
import { joinConfig } from './source.js'
import type { WampConfig } from './wamp-client.js'

/**
 * How the router of `--to` is joined: `sisock://USER@host:port`, or `wss://USER@host:port/ws`. A query parameter and an
 * option of the same name mean the same.
 */
export async function routerConfig(options: ReadonlyMap<string, string | true>): Promise<WampConfig> {
  const to = options.get('to')
  if (typeof to !== 'string' || !URL.canParse(to))
    throw sisockError('ERR_SISOCK_URL', 'where is the router? --to sisock://USER@host:port')
  const { protocol, username, hostname, port, pathname, searchParams } = new URL(to)
  const standardPort = PORTS[protocol]
  if (standardPort === undefined) throw sisockError('ERR_SISOCK_URL', `${to} is no router`)
  const isOurs = protocol === 'sisock:'
  const option = (name: string): string | undefined => {
    if (name === 'ws-path' && !isOurs) return pathname.slice(1)
    const value = searchParams.get(name) ?? options.get(name)
    return typeof value === 'string' ? value : undefined
  }
  return joinConfig({
    user: decodeURIComponent(username),
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? standardPort : Number(port),
    option,
    flag(name) {
      if (name === 'tls' && !isOurs) return protocol === 'wss:'
      const value = searchParams.get(name)
      return value === null ? options.get(name) === true : value !== '0'
    },
  })
}

const PORTS: Readonly<Record<string, number>> = { 'sisock:': 8080, 'ws:': 80, 'wss:': 443 }
