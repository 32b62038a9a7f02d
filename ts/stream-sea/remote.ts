import { Agent as HttpAgent, request as httpRequest, type RequestOptions } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { sessionError } from '../session/error-codes.js'
import { type MeasurandError, ProtocolError } from '../session/errors.js'
import type { TlsOptions } from '../session/transport.js'
import { streamSeaError } from './error-codes.js'

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

const plain = new HttpAgent({ keepAlive: true, maxSockets: 64, keepAliveMsecs: 15_000 })
const secured = new Map<string, HttpsAgent>()

/** The agent that keeps the connections of a remote; TLS ones are not shared between different certificates. */
function agentOf(remote: Remote): HttpAgent {
  if (!remote.secure) return plain
  const key = JSON.stringify([remote.tls ?? {}], (_, value) => (value instanceof Uint8Array ? String(value) : value))
  let agent = secured.get(key)
  if (agent === undefined) {
    agent = new HttpsAgent({ keepAlive: true, maxSockets: 64, ...secureOptions(remote) })
    secured.set(key, agent)
  }
  return agent
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
export function basicAuthorization({ clientId, clientSecret }: Pick<Remote, 'clientId' | 'clientSecret'>): string {
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

function exchange(
  remote: Remote,
  method: string,
  path: string,
  body: string | undefined,
  extra: object,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers: Record<string, string | number> = {
      'content-type': 'application/json',
      authorization: basicAuthorization(remote),
      accept: 'application/json',
      ...extra,
    }
    if (body !== undefined) headers['content-length'] = Buffer.byteLength(body)
    else if (method !== 'GET') headers['content-length'] = 0
    const options: RequestOptions = {
      host: remote.remoteHost,
      port: remote.remotePort,
      method,
      path: `/api/v1${path}`,
      headers,
      agent: agentOf(remote),
    }
    if (remote.signal !== undefined) options.signal = remote.signal
    const limit = remote.maxBodyBytes ?? 16 << 20
    const request = (remote.secure ? httpsRequest : httpRequest)(options, (response) => {
      const parts: Buffer[] = []
      let length = 0
      response.on('data', (part: Buffer) => {
        length += part.length
        parts.push(part)
        if (length <= limit) return
        request.destroy(streamSeaError('ERR_STREAMSEA_BODY_LENGTH', `a reply of more than ${limit} bytes`))
      })
      response.on('end', () => {
        clearTimeout(timer)
        const text = (parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)).toString('utf8')
        resolve({ status: response.statusCode ?? 0, text })
      })
      response.on('error', fail)
    })
    const fail = (error: Error): void => {
      clearTimeout(timer)
      reject(asTransportError(error))
    }
    // A timer of ours costs less than that of the socket, which is set and taken back for each request.
    const timer = setTimeout(() => {
      request.destroy(sessionError('ERR_SESSION_TIMEOUT', `no reply from ${remote.remoteHost}:${remote.remotePort}`))
    }, remote.timeout ?? 30_000)
    request.on('error', fail)
    request.end(body)
  })
}

const CONNECT_CODES: Readonly<Record<string, Parameters<typeof sessionError>[0]>> = {
  ECONNREFUSED: 'ERR_SESSION_CONNECT_REFUSED',
  ENOTFOUND: 'ERR_SESSION_ADDRESS_UNKNOWN',
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
