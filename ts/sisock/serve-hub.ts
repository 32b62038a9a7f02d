import type { SessionOptions } from '../session/index.js'
import { DataNodeHub } from './data-node-hub.js'
import { sisockError } from './error-codes.js'
import { WAMP_SECRET, WAMP_USER } from './uri.js'

/** The options of `measurand serve sisock-hub`. */
export const serveOptions = {
  to: { value: 'URL', line: 'the router, as sisock://USER@host:port or wss://host:port/ws' },
  realm: { value: 'REALM', line: 'test_realm unless told' },
} as const

/** A hub on a router that is elsewhere; the secret is that of `WAMP_SECRET`. */
export async function serve(options: ReadonlyMap<string, string | true>, session: SessionOptions) {
  const [to, realm] = [options.get('to'), options.get('realm')]
  if (typeof to !== 'string' || !URL.canParse(to))
    throw sisockError('ERR_SISOCK_URL', 'where is the router? --to sisock://USER@host:port')
  const { protocol, username, hostname, port, host, pathname } = new URL(to)
  const isOurs = protocol === 'sisock:'
  if (!isOurs && protocol !== 'ws:' && protocol !== 'wss:') throw sisockError('ERR_SISOCK_URL', `${to} is no router`)
  const hub = new DataNodeHub({
    ...session,
    url: isOurs ? `ws://${hostname}:${port || 8080}/ws` : `${protocol}//${host}${pathname}`,
    user: username === '' ? WAMP_USER : decodeURIComponent(username),
    ...(WAMP_SECRET === undefined ? {} : { secret: WAMP_SECRET }),
    ...(typeof realm === 'string' ? { realm } : {}),
    wait: 30_000,
  })
  await hub.connect()
  return { port: 0, closed: hub.closed, drain: () => hub.drain() }
}
