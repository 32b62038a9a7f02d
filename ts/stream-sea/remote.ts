import { createHash } from 'node:crypto'
import { CAPTURE_KIND } from '../session/capture.js'
import { sessionError } from '../session/error-codes.js'
import { type MeasurandError, ProtocolError } from '../session/errors.js'
import type { Observer, TlsOptions } from '../session/transport.js'
import { streamSeaError } from './error-codes.js'
import { HttpPool } from './http-connection.js'

/** Where a server is and who asks; every function of stream-sea takes one with its own arguments beside. */
export interface Remote {
  readonly remoteHost: string
  readonly remotePort: number | string
  /** Whether to use TLS; not unless told. */
  readonly secure?: boolean
  readonly clientId: string
  readonly clientSecret: string
  /** Certificates, where `secure`. */
  readonly tls?: TlsOptions
  /** Gives the request up. */
  readonly signal?: AbortSignal
  /** ms until a reply must be there; 30,000 unless told. */
  readonly timeout?: number
  /** Bytes of a reply, at most; 16 MiB unless told. */
  readonly maxBodyBytes?: number
  /**
   * Is told the request and its answer.
   *
   * @internal
   */
  readonly observe?: Observer | undefined
}

/** The server's refusal of a request. */
export class ReplyError extends ProtocolError {
  /** The HTTP status. */
  readonly status: number
  /** What the server said, parsed where it is JSON. */
  readonly body: unknown
  /** What is wrong with a payload, where the server says so. */
  readonly errors: readonly string[]

  constructor(code: string, status: number, body: unknown) {
    const { message, errors } = (typeof body === 'object' && body !== null ? body : {}) as {
      message?: unknown
      errors?: unknown
    }
    const list = Array.isArray(errors) ? errors.map(String) : []
    const text = typeof message === 'string' ? message : JSON.stringify(body)
    super(code, `${status} - ${[text, ...list].join(' ')}`, 'stream-sea')
    this.status = status
    this.body = body
    this.errors = list
  }
}

const pools = new Map<string, HttpPool>()
const secured = new WeakMap<TlsOptions, string>()

/** The connections that are kept to the server of a remote; TLS ones are not shared between different certificates. */
function poolOf(remote: Remote): HttpPool {
  const key = `${remote.remoteHost} ${remote.remotePort} ${remote.maxBodyBytes ?? ''} ${remote.secure ? tlsKey(remote.tls) : ''}`
  let pool = pools.get(key)
  if (pool === undefined) {
    pool = new HttpPool()
    pools.set(key, pool)
  }
  return pool
}

function tlsKey(tls: TlsOptions = {}): string {
  let key = secured.get(tls)
  if (key === undefined) {
    const text = JSON.stringify(tls, (_, value) =>
      value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value,
    )
    key = createHash('sha256').update(text).digest('base64')
    secured.set(tls, key)
  }
  return key
}

/** The options of Node's TLS for a remote. */
export function secureOptions({ tls = {}, remoteHost }: Pick<Remote, 'tls' | 'remoteHost'>): Record<string, unknown> {
  const bytes = (pem: string | Uint8Array | undefined) => (pem instanceof Uint8Array ? Buffer.from(pem) : pem)
  const options: Record<string, unknown> = { rejectUnauthorized: tls.verify ?? true }
  if (tls.cert !== undefined) options['cert'] = bytes(tls.cert)
  if (tls.key !== undefined) options['key'] = bytes(tls.key)
  if (tls.ca !== undefined) options['ca'] = bytes(tls.ca)
  const name = tls.serverName ?? remoteHost
  if (!/^[\d.]+$|:/.test(name)) options['servername'] = name
  return options
}

/** The `Authorization` of a client. */
function basicAuthorization({ clientId, clientSecret }: Pick<Remote, 'clientId' | 'clientSecret'>): string {
  return `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`
}

/** A request to the server's API; gives the parsed reply of a success, rejects with a {@link ReplyError} otherwise. */
export async function call(
  remote: Remote,
  method: string,
  path: string,
  body?: string,
  headers = {},
): Promise<unknown> {
  const { status, text } = await exchange(remote, method, path, body, headers)
  let reply: unknown
  try {
    reply = text === '' ? null : JSON.parse(text)
  } catch (cause) {
    if (status === 200) throw streamSeaError('ERR_STREAMSEA_REPLY_INVALID', 'the reply is not JSON', { cause })
    reply = text
  }
  if (status === 200) return reply
  throw new ReplyError(codeOf(status, reply), status, reply)
}

function codeOf(status: number, reply: unknown): string {
  if (status === 401) return 'ERR_STREAMSEA_AUTHENTICATION_REFUSED'
  const { errors } = (typeof reply === 'object' && reply !== null ? reply : {}) as { errors?: unknown }
  return status === 400 && Array.isArray(errors) ? 'ERR_STREAMSEA_PAYLOAD_INVALID' : 'ERR_STREAMSEA_REPLY_STATUS'
}

async function exchange(
  remote: Remote,
  method: string,
  path: string,
  body: string | undefined,
  extra: Readonly<Record<string, string>>,
): Promise<{ status: number; text: string }> {
  const { remoteHost: host, remotePort, secure = false, signal, timeout = 30_000, maxBodyBytes = 16 << 20 } = remote
  const port = Number(remotePort)
  let head = `${method} /api/v1${path} HTTP/1.1\r\nhost: ${host.includes(':') ? `[${host}]` : host}:${port}\r\n`
  head += `content-type: application/json\r\nauthorization: ${basicAuthorization(remote)}\r\naccept: application/json\r\n`
  for (const [name, value] of Object.entries(extra)) head += `${name}: ${value}\r\n`
  if (body !== undefined) head += `content-length: ${Buffer.byteLength(body)}\r\n`
  else if (method !== 'GET') head += 'content-length: 0\r\n'
  const given = [host, path, ...Object.values(extra)].join('')
  if (!Number.isInteger(port) || port < 1 || port > 65_535 || !/^[\x20-\x7e]*$/.test(given) || host.includes(' ')) {
    throw streamSeaError('ERR_STREAMSEA_OPTION_INVALID', 'the host, the port or a key cannot stand in a request')
  }
  const target = { host, port, secure: secure ? secureOptions(remote) : undefined, signal, timeout, maxBodyBytes }
  try {
    const reply = await poolOf(remote).send(target, `${head}\r\n${body ?? ''}`)
    const { observe } = remote
    if (observe !== undefined) {
      observe('sent', CAPTURE_KIND.httpHead, Buffer.from(`${head}\r\n`, 'latin1'))
      if (body !== undefined) observe('sent', CAPTURE_KIND.httpBody, Buffer.from(body))
      observe('received', CAPTURE_KIND.httpHead, Buffer.from(reply.head, 'latin1'))
      observe('received', CAPTURE_KIND.httpBody, reply.body)
    }
    return { status: reply.status, text: reply.body.toString('utf8') }
  } catch (error) {
    throw asTransportError(error as Error)
  }
}

const CONNECT_CODES: Readonly<Record<string, Parameters<typeof sessionError>[0]>> = {
  ECONNREFUSED: 'ERR_SESSION_CONNECT_REFUSED',
  ENOTFOUND: 'ERR_SESSION_ADDRESS_UNKNOWN',
  EAI_AGAIN: 'ERR_SESSION_ADDRESS_UNKNOWN',
  ETIMEDOUT: 'ERR_SESSION_CONNECT_TIMEOUT',
  ECONNRESET: 'ERR_SESSION_CONNECTION_LOST',
  EPIPE: 'ERR_SESSION_CONNECTION_LOST',
  ABORT_ERR: 'ERR_SESSION_ABORTED',
}

/** Node's error of a connection as one of ours. */
export function asTransportError(error: Error): MeasurandError {
  const { code = '', message } = error as { code?: string; message: string }
  if (code.startsWith('ERR_SESSION') || code.startsWith('ERR_STREAMSEA')) return error as MeasurandError
  const tls = /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EPROTO)/.test(code)
  const known = tls ? 'ERR_SESSION_TLS' : (CONNECT_CODES[code] ?? 'ERR_SESSION_CONNECT_FAILED')
  return sessionError(known, message, { system: 'stream-sea', cause: error })
}
