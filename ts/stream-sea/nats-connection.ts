import { readFile } from 'node:fs/promises'
import type { JetStreamClient, JetStreamManager, StreamConfig } from '@nats-io/jetstream'
import type { ConnectionOptions, NatsConnection } from '@nats-io/transport-node'
import { sessionError } from '../session/error-codes.js'
import { streamSeaError } from './error-codes.js'

/** Names of JetStream streams and subjects have these in front. */
const PREFIX = /^[A-Za-z0-9_-]{1,50}$/
/** Files that the query of a URL may name. */
const FILES = ['creds', 'ca', 'cert', 'key'] as const
/** ms that a server has to take a connection. */
const CONNECT_WITHIN = 5000
/** ms that the replicas of a stream have to choose who leads. */
const LED_WITHIN = 30_000
const NAME_IN_USE = 10058
const WRONG_LAST_SEQUENCE = 10071
const WRONG_LAST_SEQUENCE_UNKNOWN = 10164

/** A connection to nats-server with what is needed of it. */
export interface Nats {
  readonly connection: NatsConnection
  readonly js: JetStreamClient
  readonly jsm: JetStreamManager
  readonly api: typeof import('@nats-io/jetstream')
  readonly core: typeof import('@nats-io/transport-node')
  /** What the names of its streams and subjects begin with. */
  readonly prefix: string
  /** Bytes of a message, at most, as the server says. */
  readonly maxPayload: number
  /** Machines that keep each of its streams. */
  readonly replicas: number
}

/**
 * Connects to `nats://[USER:PASSWORD@|TOKEN@]HOST:PORT[,HOST:PORT...][/PREFIX]`; `tls://` for TLS. Its query: `replicas`,
 * and the files `creds` (of a user, as `nsc` writes them), `ca`, `cert` and `key` (PEM).
 */
export async function connectNats(url: string): Promise<Nats> {
  const { servers, secure, login, prefix, replicas, files } = place(url)
  const [core, api] = await Promise.all([import('@nats-io/transport-node'), import('@nats-io/jetstream')]).catch(
    (cause: unknown) => {
      const command = 'npm install @nats-io/transport-node @nats-io/jetstream'
      throw sessionError('ERR_SESSION_TRANSPORT_MISSING', command, { system: 'stream-sea', cause })
    },
  )
  const { creds, ...tls } = await read(files)
  const connection = await core
    .connect({
      ...login,
      servers,
      name: 'measurand stream-sea',
      timeout: CONNECT_WITHIN,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 250,
      ...(creds === undefined ? {} : { authenticator: core.credsAuthenticator(Buffer.from(creds)) }),
      ...(secure || Object.keys(tls).length > 0 ? { tls } : {}),
    })
    .catch((cause: Error) => {
      throw sessionError('ERR_SESSION_CONNECT_FAILED', `no NATS at ${servers.join(', ')}: ${cause.message}`, {
        system: 'stream-sea',
        cause,
      })
    })
  try {
    const jsm = await api.jetstreamManager(connection)
    const js = jsm.jetstream()
    const maxPayload = connection.info?.max_payload ?? 1 << 20
    return { connection, js, jsm, api, core, prefix, maxPayload, replicas }
  } catch (cause) {
    await connection.close()
    throw streamSeaError('ERR_STREAMSEA_LOG_FAILED', `no JetStream: ${(cause as Error).message}`, { cause })
  }
}

/** Makes a stream of JetStream where there is none; one that is there gets the replicas that are asked for now. */
export async function ensureStream(nats: Nats, config: Partial<StreamConfig> & { name: string }): Promise<void> {
  const { jsm, replicas } = nats
  try {
    await jsm.streams.add({ ...config, num_replicas: replicas })
  } catch (error) {
    if ((error as { code?: unknown }).code !== NAME_IN_USE) throw error
    await jsm.streams.update(config.name, { num_replicas: replicas })
  }
  if (replicas > 1) await led(nats, config.name)
}

/** Resolves when a stream with replicas has a leader: one that another server has just made answers nobody before. */
async function led({ connection }: Nats, stream: string): Promise<void> {
  const end = performance.now() + LED_WITHIN
  for (;;) {
    try {
      await connection.request(`$JS.API.STREAM.MSG.GET.${stream}`, '{"seq":1}', { timeout: 250 })
      return
    } catch (error) {
      if (performance.now() > end) throw error
    }
  }
}

/** Whether an error says that somebody else was first. */
export function isConflict(error: unknown): boolean {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown }
  if (code === WRONG_LAST_SEQUENCE || code === WRONG_LAST_SEQUENCE_UNKNOWN) return true
  return cause !== undefined && isConflict(cause)
}

interface Place {
  readonly servers: string[]
  readonly secure: boolean
  readonly login: Pick<ConnectionOptions, 'user' | 'pass' | 'token'>
  readonly prefix: string
  readonly replicas: number
  readonly files: Readonly<Record<string, string>>
}

function place(url: string): Place {
  const refuse = (why: string): never => {
    throw streamSeaError('ERR_STREAMSEA_OPTION_INVALID', `the log is nats://HOST:PORT[/PREFIX][?replicas=N]: ${why}`)
  }
  // Several servers are a list that is no URL: the first stands for all.
  const [, scheme = '', login = '', hosts = '', rest = ''] =
    /^(\w+:\/\/)([^/?#@]*@)?([^/?#@]+)(.*)$/.exec(url) ?? refuse('this is no URL')
  const first = `${scheme}${login}${hosts.split(',', 1)[0]}${rest}`
  const { protocol, pathname, username, password, searchParams } = URL.canParse(first)
    ? new URL(first)
    : refuse('this is no URL')
  if (protocol !== 'nats:' && protocol !== 'tls:') refuse(`the scheme is not ${protocol}`)
  const prefix = pathname.replace(/^\//, '') || 'sea'
  if (!PREFIX.test(prefix)) refuse(`the prefix is not ${prefix}`)
  const replicas = Number(searchParams.get('replicas') ?? 1)
  if (!Number.isInteger(replicas) || replicas < 1 || replicas > 5) refuse('replicas are 1 to 5')
  const files: Record<string, string> = {}
  for (const [name, value] of searchParams) {
    if ((FILES as readonly string[]).includes(name)) files[name] = value
    else if (name !== 'replicas') refuse(`there is no option ${name}`)
  }
  const [user, pass] = [decodeURIComponent(username), decodeURIComponent(password)]
  return {
    servers: hosts.split(','),
    secure: protocol === 'tls:',
    login: user === '' ? {} : pass === '' ? { token: user } : { user, pass },
    prefix,
    replicas,
    files,
  }
}

async function read(files: Readonly<Record<string, string>>): Promise<Record<string, string>> {
  const texts: Record<string, string> = {}
  for (const [name, file] of Object.entries(files)) {
    texts[name] = await readFile(file, 'utf8').catch((cause: Error) => {
      throw streamSeaError('ERR_STREAMSEA_OPTION_INVALID', `${name}: ${cause.message}`, { cause })
    })
  }
  return texts
}
