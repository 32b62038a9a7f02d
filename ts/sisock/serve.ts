import { randomBytes } from 'node:crypto'
import { OptionValues, type SessionOptions, SYNTHETIC_T0 } from '../session/index.js'
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
    line: 'the nodes join a router that is elsewhere, sisock://USER@host:port or wss://...; no router of our own',
  },
  'secret-file': { value: 'FILE', line: 'the secret for --to; WAMP_SECRET unless told' },
  ca: { value: 'FILE', line: 'authorities to trust there, PEM' },
  signals: { value: 'N', line: 'fields of the node `synthetic`; 10 unless told or other nodes are served, 0 for none' },
  rate: { value: 'HZ', line: 'its samples a second; 30 unless told' },
  t0: { value: 'NS', line: 'the time of its first, ns since 1970-01-01 UTC; 2024-01-01 unless told' },
  frames: { value: 'N', line: 'its frames; those up to now unless told' },
  tls: { line: 'the router wants wss://, with --cert and --key' },
  cert: { value: 'FILE', line: 'the certificate, PEM' },
  key: { value: 'FILE', line: 'its key, PEM' },
} as const

const HOST = '127.0.0.1'

/** It serves the places that it is given. */
export const takesPlaces = true

type Values = OptionValues<keyof typeof serveOptions>

/** Router, hub, data nodes and bridge in one process. */
export async function serve(
  options: ReadonlyMap<string, string | true>,
  session: SessionOptions,
  inputs: { readonly places: readonly string[]; readonly open: OpenSource },
) {
  const values: Values = new OptionValues(options, (text) => sisockError('ERR_SISOCK_OPTION_INVALID', text))
  const [from, host] = [values.text('from'), values.text('host', HOST)]
  const places = [...inputs.places, ...(from === undefined ? [] : [from])]
  if (values.has('to')) return join(options, values, session, places, inputs.open)
  const parts: { close(): Promise<unknown> }[] = []
  const end = async (): Promise<void> => {
    for (const part of parts.splice(0).reverse()) await part.close()
  }
  try {
    const { router, config, port } = await listen(values, session)
    parts.push(router)
    const hub = new DataNodeHub(config)
    parts.push(hub)
    await hub.connect()
    const nodes = await openNodes(places, config, inputs.open)
    const synthetic = syntheticOf(values, config, places.length > 0 ? 0 : 10)
    for (const node of [...nodes, ...synthetic]) {
      parts.push(node)
      await node.connect()
    }
    const consumer = new DataNodeConsumer(config)
    parts.push(consumer)
    await consumer.connect()
    const token = values.text('http-token')
    const bridge = new GrafanaBridge({
      ...session,
      backend: new ConsumerBackend(consumer, nodes),
      ...(token === undefined ? {} : { token }),
    })
    parts.push(bridge)
    const httpPort = await bridge.listen(values.whole('http-port', 0, 5000), host)
    return { port, page: pageUrl(host, httpPort), closed: router.closed, drain: end }
  } catch (error) {
    await end()
    throw error
  }
}

/** The nodes of places at a router that is elsewhere. */
async function join(
  options: ReadonlyMap<string, string | true>,
  values: Values,
  session: SessionOptions,
  places: readonly string[],
  open: OpenSource,
) {
  const config = { ...session, ...(await routerConfig(options)) }
  const nodes: (TableNode | SyntheticNode)[] = [
    ...(await openNodes(places, config, open)),
    ...syntheticOf(values, config, places.length > 0 ? 0 : 10),
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
async function listen(values: Values, session: SessionOptions) {
  const users = await usersOf(values.text('users'))
  const [realm, host] = [values.text('realm', REALM), values.text('host', HOST)]
  // The parts of this process join by a user of their own that lives as long as it does.
  const own = { user: `measurand-${randomBytes(8).toString('hex')}`, secret: randomBytes(32).toString('base64') }
  const anonymousRole = values.text('anonymous')
  const { cert, key } = values.tlsFiles()
  if (values.has('tls') && (cert === undefined || key === undefined)) {
    throw sisockError('ERR_SISOCK_OPTION_INVALID', '--tls wants --cert FILE and --key FILE')
  }
  const tls = cert === undefined || key === undefined ? {} : { tls: { cert, key } }
  const router = new WampRouter({
    ...session,
    users: { ...users, [own.user]: { secret: own.secret, role: 'server' } },
    realm,
    ...(anonymousRole === undefined ? {} : { anonymousRole }),
    ...tls,
  })
  const port = await router.listen(values.whole('port', 0, 8080), host)
  const config: WampConfig = {
    ...own,
    realm,
    url: `${'tls' in tls ? 'wss' : 'ws'}://${inUrl(host)}:${port}/ws`,
    ...('tls' in tls ? { tls: { verify: false } } : {}),
  }
  return { router, port, config }
}

function syntheticOf(values: Values, config: WampConfig, otherwise: number): SyntheticNode[] {
  const signals = values.whole('signals', 0, otherwise)
  if (signals === 0) return []
  const [frames, t0] = [values.whole('frames', 0), values.integer('t0', SYNTHETIC_T0)]
  const rate = values.number('rate', 0.001, 30)
  return [new SyntheticNode({ ...config, signals, rate, t0, ...(frames === undefined ? {} : { frames }) })]
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
