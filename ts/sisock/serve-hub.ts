import type { SessionOptions } from '../session/index.js'
import { DataNodeHub } from './data-node-hub.js'
import { routerConfig } from './router-url.js'
import { joinOptions } from './source.js'

/** The options of `measurand serve sisock-hub`. */
export const serveOptions = {
  to: { value: 'URL', line: 'the router, as sisock://USER@host:port or wss://host:port/ws' },
  ...joinOptions,
} as const

/** A hub on a router that is elsewhere. */
export async function serve(options: ReadonlyMap<string, string | true>, session: SessionOptions) {
  const hub = new DataNodeHub({ ...session, ...(await routerConfig(options)), wait: 30_000 })
  await hub.connect()
  return { port: 0, closed: hub.closed, drain: () => hub.drain() }
}
