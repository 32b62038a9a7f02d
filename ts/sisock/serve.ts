import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { SessionOptions } from '../session/index.js'
import { ConsumerBackend } from './bridge/backend.js'
import { GrafanaBridge, inUrl, pageUrl } from './bridge/bridge.js'
import { DataNodeConsumer } from './data-node-consumer.js'
import { DataNodeHub } from './data-node-hub.js'
import { sisockError } from './error-codes.js'
import { type OpenSource, openNodes } from './nodes/open-nodes.js'
import type { TableNode } from './nodes/table-node.js'
import { WampRouter } from './router/router.js'
import { readUsers, type Users } from './router/users.js'
import { routerConfig } from './router-url.js'
import { SyntheticNode } from './synthetic-node.js'
import { REALM, WAMP_SECRET, WAMP_USER } from './uri.js'
import type { WampConfig } from './wamp-client.js'

/** The options of `measurand serve sisock`. */
export const serveOptions = {
  port: { value: 'PORT', line: 'of the router; 8080 unless told' },
  host: { value: 'HOST', line: 'to listen on; 127.0.0.1 unless told' },
  'http-port': { value: 'PORT', line: 'of the bridge for Grafana and its page; 5000 unless told' },
  'http-token': { value: 'TOKEN', line: 'what the bridge wants as Authorization: Bearer; nothing unless told' },
  users: { value: 'FILE', line: 'who may join, as JSON; the user of WAMP_USER and WAMP_SECRET unless told' },
  realm: { value: 'REALM', line: 'test_realm unless told' },
  anonymous: { value: 'ROLE', line: 'lets those without a user join in this role; nobody unless told' },
  from: { value: 'DIR|URL', line: 'a data node of a recording, a folder of tables or a source, as the arguments are' },
  to: {
    value: 'URL',
    line: 'the nodes join a router that is elsewhere, sisock://USER@host:port; no router of our own',
  },
  signals: { value: 'N', line: 'fields of the node `synthetic`; 10 unless told or other nodes are served, 0 for none' },
  rate: { value: 'HZ', line: 'its samples a second; 30 unless told' },
  frames: { value: 'N', line: 'its frames; those up to now unless told' },
  tls: { line: 'the router wants wss://, with --cert and --key' },
  cert: { value: 'FILE', line: 'the certificate, PEM' },
  key: { value: 'FILE', line: 'its key, PEM' },
} as const

/** It serves the places that it is given. */
export const takesPlaces = true

type Options = ReadonlyMap<string, string | true>

/** Router, hub, data nodes and bridge in one process. */
export async function serve(
  options: Options,
  session: SessionOptions,
  inputs: { readonly places: readonly string[]; readonly open: OpenSource },
) {
  const from = textOf(options, 'from')
  const places = [...inputs.places, ...(from === undefined ? [] : [from])]
  if (options.has('to')) return join(options, session, places, inputs.open)
  const parts: { close(): Promise<unknown> }[] = []
  const end = async (): Promise<void> => {
    for (const part of parts.splice(0).reverse()) await part.close()
  }
  try {
    const { router, config, port } = await listen(options, session)
    parts.push(router)
    const hub = new DataNodeHub(config)
    parts.push(hub)
    await hub.connect()
    const nodes = await openNodes(places, config, inputs.open)
    const synthetic = syntheticOf(options, config, places.length > 0 ? 0 : 10)
    for (const node of [...nodes, ...synthetic]) {
      parts.push(node)
      await node.connect()
    }
    const consumer = new DataNodeConsumer(config)
    parts.push(consumer)
    await consumer.connect()
    const token = textOf(options, 'http-token')
    const bridge = new GrafanaBridge({
      ...session,
      backend: new ConsumerBackend(consumer, nodes),
      ...(token === undefined ? {} : { token }),
    })
    parts.push(bridge)
    const httpPort = await bridge.listen(numberOf(options, 'http-port', 5000), hostOf(options))
    return { port, page: pageUrl(hostOf(options), httpPort), closed: router.closed, drain: end }
  } catch (error) {
    await end()
    throw error
  }
}

/** The nodes of places at a router that is elsewhere. */
async function join(options: Options, session: SessionOptions, places: readonly string[], open: OpenSource) {
  const config = { ...session, ...routerConfig(options.get('to'), options.get('realm')) }
  const nodes: (TableNode | SyntheticNode)[] = [
    ...(await openNodes(places, config, open)),
    ...syntheticOf(options, config, places.length > 0 ? 0 : 10),
  ]
  const drain = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.close()))
  }
  try {
    for (const node of nodes) await node.connect()
  } catch (error) {
    await drain()
    throw error
  }
  return { port: 0, closed: Promise.race(nodes.map((node) => node.closed)), drain }
}

/** The router, and how those of this process join it. */
async function listen(options: Options, session: SessionOptions) {
  const [users, realm, host] = [
    await usersOf(textOf(options, 'users')),
    textOf(options, 'realm') ?? REALM,
    hostOf(options),
  ]
  // The parts of this process join by a user of their own that lives as long as it does.
  const own = { user: `measurand-${randomBytes(8).toString('hex')}`, secret: randomBytes(32).toString('base64') }
  const [cert, key, anonymousRole] = (['cert', 'key', 'anonymous'] as const).map((name) => textOf(options, name))
  if (options.has('tls') && (cert === undefined || key === undefined)) {
    throw sisockError('ERR_SISOCK_URL', '--tls wants --cert FILE and --key FILE')
  }
  const tls =
    cert === undefined || key === undefined ? {} : { tls: { cert: await readFile(cert), key: await readFile(key) } }
  const router = new WampRouter({
    ...session,
    users: { ...users, [own.user]: { secret: own.secret, role: 'server' } },
    realm,
    ...(anonymousRole === undefined ? {} : { anonymousRole }),
    ...tls,
  })
  const port = await router.listen(numberOf(options, 'port', 8080), host)
  const config: WampConfig = {
    ...own,
    realm,
    url: `${'tls' in tls ? 'wss' : 'ws'}://${inUrl(host)}:${port}/ws`,
    ...('tls' in tls ? { tls: { verify: false } } : {}),
  }
  return { router, port, config }
}

function syntheticOf(options: Options, config: WampConfig, otherwise: number): SyntheticNode[] {
  const signals = numberOf(options, 'signals', otherwise)
  if (signals === 0) return []
  const frames = options.has('frames') ? { frames: numberOf(options, 'frames', 0) } : {}
  return [new SyntheticNode({ ...config, signals, rate: numberOf(options, 'rate', 30), ...frames })]
}

function textOf(options: Options, name: keyof typeof serveOptions): string | undefined {
  const value = options.get(name)
  return typeof value === 'string' ? value : undefined
}

function hostOf(options: Options): string {
  return textOf(options, 'host') ?? '127.0.0.1'
}

function numberOf(options: Options, name: keyof typeof serveOptions, otherwise: number): number {
  const value = textOf(options, name)
  if (value === undefined) return otherwise
  if (value.trim() !== '' && Number(value) >= 0) return Number(value)
  throw sisockError('ERR_SISOCK_URL', `--${name} takes a number, not ${value}`)
}

async function usersOf(file: string | undefined): Promise<Users> {
  if (file !== undefined) return readUsers(file)
  if (WAMP_SECRET === undefined) {
    throw sisockError(
      'ERR_SISOCK_SECRET_MISSING',
      'who may join? give --users FILE, or set WAMP_SECRET (and WAMP_USER)',
    )
  }
  return { [WAMP_USER]: { secret: WAMP_SECRET, role: 'server' } }
}
