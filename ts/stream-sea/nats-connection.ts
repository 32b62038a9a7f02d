import type { JetStreamClient, JetStreamManager, StreamConfig } from '@nats-io/jetstream'
import type { ConnectionOptions, NatsConnection } from '@nats-io/transport-node'
import { sessionError } from '../session/error-codes.js'
import { streamSeaError } from './error-codes.js'

/** Names of JetStream streams and subjects have these in front. */
const PREFIX = /^[A-Za-z0-9_-]{1,50}$/
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
  /** What every stream is made with. */
  readonly streamConfig: Partial<StreamConfig>
}

/** Connects to `nats://[USER:PASSWORD@]HOST:PORT[/PREFIX][?replicas=N]`; `tls://` for TLS. */
export async function connectNats(url: string): Promise<Nats> {
  const { options, prefix, replicas } = place(url)
  const [core, api] = await Promise.all([import('@nats-io/transport-node'), import('@nats-io/jetstream')]).catch(
    (cause: unknown) => {
      const command = 'npm install @nats-io/transport-node @nats-io/jetstream'
      throw sessionError('ERR_SESSION_TRANSPORT_MISSING', command, { system: 'stream-sea', cause })
    },
  )
  const connection = await core.connect(options).catch((cause: Error) => {
    throw sessionError('ERR_SESSION_CONNECT_FAILED', `${options.servers} does not answer: ${cause.message}`, {
      system: 'stream-sea',
      cause,
    })
  })
  try {
    const jsm = await api.jetstreamManager(connection)
    const js = jsm.jetstream()
    const maxPayload = connection.info?.max_payload ?? 1 << 20
    return { connection, js, jsm, api, core, prefix, maxPayload, streamConfig: { num_replicas: replicas } }
  } catch (cause) {
    await connection.close()
    throw streamSeaError('ERR_STREAMSEA_LOG_FAILED', `no JetStream: ${(cause as Error).message}`, { cause })
  }
}

/** Whether an error says that somebody else was first. */
export function isConflict(error: unknown): boolean {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown }
  if (code === WRONG_LAST_SEQUENCE || code === WRONG_LAST_SEQUENCE_UNKNOWN) return true
  return cause !== undefined && isConflict(cause)
}

function place(url: string): { options: ConnectionOptions; prefix: string; replicas: number } {
  const refuse = (why: string): never => {
    throw streamSeaError('ERR_STREAMSEA_OPTION_INVALID', `the log is nats://HOST:PORT[/PREFIX][?replicas=N]: ${why}`)
  }
  const parsed = URL.canParse(url) ? new URL(url) : refuse('this is no URL')
  const { protocol, host, pathname, username, password, searchParams } = parsed
  if (protocol !== 'nats:' && protocol !== 'tls:') refuse(`the scheme is not ${protocol}`)
  const prefix = pathname.replace(/^\//, '') || 'sea'
  if (!PREFIX.test(prefix)) refuse(`the prefix is not ${prefix}`)
  const replicas = Number(searchParams.get('replicas') ?? 1)
  if (!Number.isInteger(replicas) || replicas < 1 || replicas > 5) refuse('replicas are 1 to 5')
  const options: ConnectionOptions = {
    servers: host,
    name: 'measurand stream-sea',
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    ...(username === '' ? {} : { user: decodeURIComponent(username), pass: decodeURIComponent(password) }),
    ...(protocol === 'tls:' ? { tls: {} } : {}),
  }
  return { options, prefix, replicas }
}
