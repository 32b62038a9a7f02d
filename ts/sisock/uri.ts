import { env } from 'node:process'

/** Under which user nodes and hubs join, `WAMP_USER`, else `server`. */
export const WAMP_USER: string = env['WAMP_USER'] ?? 'server'
/** The secret of that user, `WAMP_SECRET`. There is no default: the one of the Python package is public. */
export const WAMP_SECRET: string | undefined = env['WAMP_SECRET']
/** Where the router is. */
export const WAMP_URI = 'wss://127.0.0.1:8080/ws'
/** The router's host, `CROSSBAR_HOST`. */
export const SISOCK_HOST: string = env['CROSSBAR_HOST'] ?? 'sisock-crossbar'
/** The router's port, `CROSSBAR_TLS_PORT`. */
export const SISOCK_PORT: number = Number(env['CROSSBAR_TLS_PORT'] ?? 8080)
/** The router's port for OCS agents (plain, anonymous), `CROSSBAR_OCS_PORT`. */
export const OCS_PORT: number = Number(env['CROSSBAR_OCS_PORT'] ?? 8001)
/** The realm that sisock uses. */
export const REALM = 'test_realm'
/** What every sisock URI begins with. */
export const BASE_URI = 'org.simonsobservatory'

/** The full URI of a procedure or topic: `uri('data_node.add')` is `org.simonsobservatory.data_node.add`. */
export function uri(path: string): string {
  return `${BASE_URI}.${path}`
}

/** The procedures of a data node. */
export function nodeUri(name: string, procedure: 'get_fields' | 'get_data' | 'get_columns'): string {
  return uri(`consumer.${name}.${procedure}`)
}

/** The name of the node that a procedure belongs to, where it is a node's `get_data`. */
export function nodeOf(procedure: string): string | undefined {
  const prefix = uri('consumer.')
  if (!procedure.startsWith(prefix) || !procedure.endsWith('.get_data')) return undefined
  const name = procedure.slice(prefix.length, -'.get_data'.length)
  return isNodeName(name) ? name : undefined
}

/** Whether a node can have this name: WAMP URI components (dots divide them), without blanks and `#`. */
export function isNodeName(name: unknown): name is string {
  return typeof name === 'string' && name.length <= 255 && /^[^\s#.]+(\.[^\s#.]+)*$/.test(name)
}

/**
 * Seconds since 1970 of a sisock time: what is positive stays, 0 is now, -60 a minute ago.
 *
 * @param now seconds since 1970
 */
export function sisockToUnixTime(time: number, now: number = Date.now() / 1000): number {
  return time > 0 ? time : now + time
}
