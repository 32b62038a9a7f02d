import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { SessionOptions } from '../session/index.js'
import { ConsumerBackend } from './bridge/backend.js'
import { GrafanaBridge } from './bridge/bridge.js'
import { DataNodeConsumer } from './data-node-consumer.js'
import { DataNodeHub } from './data-node-hub.js'
import { sisockError } from './error-codes.js'
import { WampRouter } from './router/router.js'
import { readUsers, type Users } from './router/users.js'
import { SyntheticNode } from './synthetic-node.js'
import { REALM, WAMP_SECRET, WAMP_USER } from './uri.js'

/** The options of `measurand serve sisock`. */
export const serveOptions = {
  port: { value: 'PORT', line: 'of the router; 8080 unless told' },
  host: { value: 'HOST', line: 'to listen on; 127.0.0.1 unless told' },
  'http-port': { value: 'PORT', line: 'of the bridge for Grafana; 5000 unless told' },
  'http-token': { value: 'TOKEN', line: 'what the bridge wants as Authorization: Bearer; nothing unless told' },
  users: { value: 'FILE', line: 'who may join, as JSON; the user of WAMP_USER and WAMP_SECRET unless told' },
  realm: { value: 'REALM', line: 'test_realm unless told' },
  anonymous: { value: 'ROLE', line: 'lets those without a user join in this role; nobody unless told' },
  signals: { value: 'N', line: 'fields of the node `synthetic`; 10 unless told, 0 for no such node' },
  rate: { value: 'HZ', line: 'its samples a second; 30 unless told' },
  frames: { value: 'N', line: 'its frames; those up to now unless told' },
  cert: { value: 'FILE', line: 'the certificate, PEM: the router then wants wss://' },
  key: { value: 'FILE', line: 'its key, PEM' },
} as const

/** Router, hub, synthetic node and bridge in one process. */
export async function serve(options: ReadonlyMap<string, string | true>, session: SessionOptions) {
  const text = (name: keyof typeof serveOptions): string | undefined => {
    const value = options.get(name)
    return typeof value === 'string' ? value : undefined
  }
  const number = (name: keyof typeof serveOptions, otherwise: number): number => {
    const value = text(name)
    if (value === undefined) return otherwise
    if (value.trim() !== '' && Number(value) >= 0) return Number(value)
    throw sisockError('ERR_SISOCK_URL', `--${name} takes a number, not ${value}`)
  }
  const [users, realm, host] = [await usersOf(text('users')), text('realm') ?? REALM, text('host') ?? '127.0.0.1']
  // The parts of this process join by a user of their own that lives as long as it does.
  const own = { user: `measurand-${randomBytes(8).toString('hex')}`, secret: randomBytes(32).toString('base64') }
  const [cert, key, anonymousRole, token] = [text('cert'), text('key'), text('anonymous'), text('http-token')]
  const pem =
    cert === undefined || key === undefined ? undefined : { cert: await readFile(cert), key: await readFile(key) }
  const router = new WampRouter({
    ...session,
    users: { ...users, [own.user]: { secret: own.secret, role: 'server' } },
    realm,
    ...(anonymousRole === undefined ? {} : { anonymousRole }),
    ...(pem === undefined ? {} : { tls: pem }),
  })
  const parts: { close(): Promise<unknown> }[] = [router]
  const end = async (): Promise<void> => {
    for (const part of parts.reverse()) await part.close()
  }
  try {
    const port = await router.listen(number('port', 8080), host)
    const scheme = pem === undefined ? 'ws' : 'wss'
    const config = {
      ...own,
      realm,
      url: `${scheme}://${host}:${port}/ws`,
      ...(pem === undefined ? {} : { tls: { verify: false } }),
    }
    const hub = new DataNodeHub(config)
    parts.push(hub)
    await hub.connect()
    const signals = number('signals', 10)
    if (signals > 0) {
      const frames = text('frames')
      const node = new SyntheticNode({
        ...config,
        signals,
        rate: number('rate', 30),
        ...(frames === undefined ? {} : { frames: number('frames', 0) }),
      })
      parts.push(node)
      await node.connect()
    }
    const consumer = new DataNodeConsumer(config)
    parts.push(consumer)
    await consumer.connect()
    const bridge = new GrafanaBridge({
      ...session,
      backend: new ConsumerBackend(consumer),
      ...(token === undefined ? {} : { token }),
    })
    parts.push(bridge)
    const httpPort = await bridge.listen(number('http-port', 5000), host)
    return { port, httpPort, closed: router.closed, drain: end }
  } catch (error) {
    await end()
    throw error
  }
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
