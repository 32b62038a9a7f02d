import { sisockError } from './error-codes.js'
import { WAMP_SECRET, WAMP_USER } from './uri.js'
import type { WampConfig } from './wamp-client.js'

/** How the router of `sisock://USER@host:port` or `wss://host:port/ws` is joined; the secret is that of `WAMP_SECRET`. */
export function routerConfig(to: string | true | undefined, realm: string | true | undefined): WampConfig {
  if (typeof to !== 'string' || !URL.canParse(to))
    throw sisockError('ERR_SISOCK_URL', 'where is the router? --to sisock://USER@host:port')
  const { protocol, username, hostname, port, host, pathname } = new URL(to)
  const isOurs = protocol === 'sisock:'
  if (!isOurs && protocol !== 'ws:' && protocol !== 'wss:') throw sisockError('ERR_SISOCK_URL', `${to} is no router`)
  return {
    url: isOurs ? `ws://${hostname}:${port || 8080}/ws` : `${protocol}//${host}${pathname}`,
    user: username === '' ? WAMP_USER : decodeURIComponent(username),
    ...(WAMP_SECRET === undefined ? {} : { secret: WAMP_SECRET }),
    ...(typeof realm === 'string' ? { realm } : {}),
  }
}
