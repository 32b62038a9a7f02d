import { readFile } from 'node:fs/promises'
import { env } from 'node:process'
import { type SourceOptions, tlsFiles } from '../session/index.js'
import { DataNodeSource } from './data-node-source.js'
import { sisockError } from './error-codes.js'
import { WAMP_USER } from './uri.js'
import type { WampConfig } from './wamp-client.js'

export { redactor } from './redactor.js'

/** What is read of a router's URL. */
export interface RouterPlace {
  readonly user: string
  readonly host: string
  readonly port: number | undefined
  option(name: string): string | undefined
  flag(name: string): boolean
}

/** What is read of a source's URL. */
export interface Place extends RouterPlace {
  readonly path: string
  number(name: string): number | undefined
}

/** The options of `sisock://` URLs by which a router is joined. */
export const joinOptions = {
  realm: { value: 'REALM', line: 'the realm of the router; test_realm unless told' },
  'ws-path': { value: 'PATH', line: 'the path of its WebSocket; ws unless told' },
  anonymous: { line: 'joins without a user, where the router allows it' },
  'secret-file': { value: 'FILE', line: 'the secret; WAMP_SECRET unless told' },
  tls: { line: 'a secured connection' },
  ca: { value: 'FILE', line: 'authorities to trust, PEM' },
} as const

/** The options of `sisock://USER@host:port/NODE[/FIELD[,FIELD]]` URLs. */
export const sourceOptions = {
  ...joinOptions,
  since: { value: 'S', line: 'where to begin, s: below 0 from now back, else since 1970; -3600 unless told' },
  until: { value: 'S', line: 'where to end, alike; goes on with what comes unless told' },
  stride: { value: 'S', line: 'the least distance of samples, s; all unless told' },
  poll: { value: 'MS', line: 'how often new samples are asked for, ms; 1000 unless told' },
} as const

/** How the router of a URL is joined. */
export async function joinConfig(url: RouterPlace): Promise<WampConfig> {
  const host = url.host.includes(':') ? `[${url.host}]` : url.host
  const scheme = url.flag('tls') ? 'wss' : 'ws'
  const [file, ca, realm] = [url.option('secret-file'), url.option('ca'), url.option('realm')]
  return {
    ...(url.flag('anonymous') ? { anonymous: true } : { secret: await secretOf(file) }),
    url: `${scheme}://${host}:${url.port ?? 8080}/${url.option('ws-path') ?? 'ws'}`,
    user: url.user === '' ? WAMP_USER : url.user,
    ...(realm === undefined ? {} : { realm }),
    ...(ca === undefined ? {} : { tls: tlsFiles((name) => (name === 'ca' ? ca : undefined), refusal) }),
  }
}

function refusal(text: string): Error {
  return sisockError('ERR_SISOCK_OPTION_INVALID', text)
}

async function readSecret(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (cause) {
    throw refusal(`the secret: ${(cause as Error).message}`)
  }
}

async function secretOf(file: string | undefined): Promise<string> {
  const secret = file === undefined ? (env['WAMP_SECRET'] ?? env['MEASURAND_SECRET']) : await readSecret(file)
  if (secret !== undefined) return secret
  throw sisockError('ERR_SISOCK_SECRET_MISSING', 'set WAMP_SECRET, or give --secret-file FILE')
}

/** Connects to a data node. */
export async function openSource(url: Place, options: SourceOptions): Promise<DataNodeSource> {
  const [node = '', ...rest] = url.path.split('/')
  if (node === '' || rest.length > 1) {
    throw sisockError('ERR_SISOCK_URL', 'which node? sisock://USER@host:port/NODE[/FIELD[,FIELD]]')
  }
  const fields = rest[0]?.split(',').filter((field) => field !== '')
  const [since, until, minStride, pollInterval] = ['since', 'until', 'stride', 'poll'].map((name) => url.number(name))
  const source = new DataNodeSource({
    ...options,
    wamp: await joinConfig(url),
    node,
    ...(fields === undefined || fields.length === 0 ? {} : { fields }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(minStride === undefined ? {} : { minStride }),
    ...(pollInterval === undefined ? {} : { pollInterval }),
  })
  await source.connect()
  return source
}
