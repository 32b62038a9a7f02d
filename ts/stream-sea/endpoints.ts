import type { IncomingMessage, ServerResponse } from 'node:http'
import { MeasurandError } from '../session/errors.js'
import { Administration, demand } from './administration.js'
import { compileSchema } from './codec.js'
import type { Client } from './directory.js'
import { isName } from './names.js'
import { PAGE, PAGE_HEADERS } from './page.js'
import { Refusal } from './refusal.js'
import { type Fields, fieldsOf, inflateBody, inflateNow, SYNC_INFLATE } from './request-body.js'
import { compareVersions, type SchemaDefinition } from './schema.js'
import type { StreamSeaServer } from './server.js'
import type { Stream } from './stream.js'

const PREFIX = '/api/v1/'
/** What a refusal for an error is, where it is not 400. */
const STATUS: Readonly<Record<string, number>> = { ERR_STREAMSEA_BODY_LENGTH: 413, ERR_STREAMSEA_NAME_UNKNOWN: 404 }
const SUCCESS = '{"success":true}'

/** The HTTP side of the server. */
export class Endpoints {
  readonly #server: StreamSeaServer
  readonly #administration: Administration
  readonly #last = new WeakMap<object, { readonly authorization: string; readonly client: Client }>()

  constructor(server: StreamSeaServer) {
    this.#server = server
    this.#administration = new Administration(server)
  }

  /** Answers a request. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    const parts: Buffer[] = []
    const limit = this.#server.options.maxBodyBytes
    let length = 0
    if (Number(request.headers['content-length'] ?? 0) > limit) {
      refuseBody(response, limit)
      return
    }
    request.on('data', (part: Buffer) => {
      length += part.length
      if (length > limit) {
        parts.length = 0
        request.removeAllListeners('data')
        refuseBody(response, limit)
      } else parts.push(part)
    })
    request.on('error', () => undefined)
    request.on('end', () => {
      if (length > limit) return
      this.#server.stats.messagesIn++
      this.#server.stats.bytesIn += length
      const body = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)
      if (request.method === 'GET' && request.url === '/' && isLocal(request)) {
        response.writeHead(200, { ...PAGE_HEADERS, 'content-length': PAGE.length })
        response.end(PAGE)
        return
      }
      if (!this.#fastPublish(request, response, body)) this.#answer(request, response, body)
    })
  }

  /** A publish by a known client is answered without a promise. */
  #fastPublish(request: IncomingMessage, response: ServerResponse, body: Buffer): boolean {
    const { method, url = '', headers } = request
    if (method !== 'POST' || !url.startsWith('/api/v1/streams/') || !url.endsWith('/publish')) return false
    if (headers['idempotency-key'] !== undefined) return false
    const name = url.slice(16, -8)
    const client = isName(name) ? this.#recognised(request) : undefined
    const encoded = headers['content-encoding']
    if (client === undefined || !client.rights.has('publish') || (encoded !== undefined && body.length > SYNC_INFLATE))
      return false
    try {
      const plain = encoded === undefined ? body : inflateNow(encoded, body, this.#server.options.maxBodyBytes)
      this.#publish(client, name, plain, response)?.catch((error: unknown) => this.#refuse(response, error))
    } catch (error) {
      this.#refuse(response, error)
    }
    return true
  }

  /** The client of a connection that says what it said before, or of credentials that were right before. */
  #recognised({ socket, headers: { authorization } }: IncomingMessage): Client | undefined {
    const { directory } = this.#server
    const last = this.#last.get(socket)
    if (
      last !== undefined &&
      last.authorization === authorization &&
      directory.client(last.client.id) === last.client
    ) {
      return last.client
    }
    const [id, secret] = credentials(authorization) ?? []
    const client = id === undefined || secret === undefined ? undefined : directory.recognise(id, secret)
    if (client !== undefined) this.#last.set(socket, { authorization: authorization as string, client })
    return client
  }

  #publish(
    client: Client,
    name: string,
    body: Buffer,
    response: ServerResponse,
    key?: string,
  ): Promise<void> | undefined {
    const stream = this.#server.publishable(client.jail, name)
    if (stream === undefined) throw new Refusal(404, `Schema [${name}] not found`)
    if (stream instanceof Promise) return stream.then((made) => this.#publishTo(made, body, response, key))
    return this.#publishTo(stream, body, response, key)
  }

  #publishTo(stream: Stream, body: Buffer, response: ServerResponse, key?: string): Promise<void> | undefined {
    const told = this.#server.publish(stream, body, key, (error) => {
      if (error === undefined) reply(response, 200, SUCCESS)
      else this.#refuse(response, error)
    })
    const settle = (violations: string[] | undefined | Error): void => {
      if (violations instanceof Error) throw violations
      if (violations !== undefined) throw new Refusal(400, 'The payload does not match the schema.', violations)
    }
    if (told instanceof Promise) return told.then(settle)
    settle(told)
    return undefined
  }

  #answer(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
    this.#route(request, response, body).then(
      (result) => {
        if (result !== undefined) reply(response, 200, JSON.stringify(result))
      },
      (error) => this.#refuse(response, error),
    )
  }

  #refuse(response: ServerResponse, error: unknown): void {
    let refusal: Refusal
    if (error instanceof Refusal) refusal = error
    else if (error instanceof MeasurandError && error.code !== 'ERR_STREAMSEA_LOG_FAILED') {
      refusal = new Refusal(STATUS[error.code] ?? 400, error.message)
    } else {
      this.#server.report(error)
      refusal = new Refusal(500, 'The server could not do it.')
    }
    const { message, errors, status } = refusal
    reply(response, status, JSON.stringify(errors === undefined ? { message } : { message, errors }))
  }

  async #route(request: IncomingMessage, response: ServerResponse, raw: Buffer): Promise<unknown> {
    const { method = '', url = '', headers } = request
    const path = url.split('?', 1)[0] ?? ''
    const client = await this.#authenticated(headers.authorization)
    const steps = path.startsWith(PREFIX) ? path.slice(PREFIX.length).split('/').map(decoded) : []
    const encoding = raw.length === 0 ? undefined : headers['content-encoding']
    const body = encoding === undefined ? raw : await inflateBody(encoding, raw, this.#server.options.maxBodyBytes)
    const [kind = '', name = '', verb = ''] = steps
    const known = (...pattern: string[]): boolean =>
      `${method} ${kind}` === pattern[0] && steps.length === pattern.length && (pattern[2] ?? verb) === verb
    if (known('POST streams', '', 'publish')) {
      demand(client, 'publish')
      const key = headers['idempotency-key'] as string | undefined
      if (key !== undefined && (key.length === 0 || key.length > 200))
        throw new Refusal(400, 'Idempotency-Key has 1 to 200 characters')
      await this.#publish(client, name, body, response, key)
      return undefined
    }
    if (known('POST streams', '', 'define')) return this.#define(client, name, fieldsOf(body))
    if (known('GET streams', '', 'schema')) {
      const schema = this.#server.stream(client.jail, name)?.schema
      if (schema === undefined) throw new Refusal(404, `Schema [${name}] not found`)
      return schema
    }
    if (known('POST schema-versions-vector')) {
      const { schemaNames } = fieldsOf(body)
      if (!Array.isArray(schemaNames) || schemaNames.length > 10_000)
        throw new Refusal(400, 'schemaNames must be a list of names')
      const version = (stream: unknown) => this.#server.stream(client.jail, String(stream))?.schema?.version ?? null
      return { versionsVector: schemaNames.map(version) }
    }
    if (known('POST client')) return this.#administration.createClient(client, fieldsOf(body))
    if (known('GET client')) return this.#administration.clients(client)
    if (known('DELETE client', '')) return this.#administration.deleteClient(client, name)
    if (known('PUT client', '')) return this.#administration.rotateSecret(client, name)
    if (known('PUT client', '', 'jwt-public-key')) return this.#administration.rotateKey(client, name, fieldsOf(body))
    if (known('POST jails')) return this.#administration.createJail(client, fieldsOf(body))
    if (known('DELETE jails', '')) return this.#administration.deleteJail(client, name)
    if (known('GET audit')) return this.#administration.auditLog(client)
    if (known('GET streams')) return { streams: await this.#streams(client) }
    if (known('GET streams', '', 'last')) {
      demand(client, 'subscribe')
      const stream = this.#server.stream(client.jail, name)
      if (stream === undefined) throw new Refusal(404, `Schema [${name}] not found`)
      return { messages: await this.#server.lastMessages(stream, 20) }
    }
    throw new Refusal(404, 'Not found')
  }

  async #authenticated(authorization: string | undefined): Promise<Client> {
    const [id, secret] = credentials(authorization) ?? []
    const client =
      id === undefined || secret === undefined ? undefined : await this.#server.directory.authenticate(id, secret)
    if (client === undefined) throw new Refusal(401, 'The credentials are present and well formed but invalid.')
    return client
  }

  async #define(client: Client, name: string, { name: told, version, fields }: Fields): Promise<unknown> {
    demand(client, 'define')
    if (!isName(name)) throw new Refusal(400, `[${name}] is not a name of a stream.`)
    if (told !== undefined && told !== name)
      throw new Refusal(400, `The name of the schema must be that of the stream [${name}].`)
    try {
      compareVersions(version as string, 0)
      compileSchema(fields)
    } catch (error) {
      throw new Refusal(400, `The schema is not valid: ${(error as Error).message}`)
    }
    const schema = { name, version, fields } as SchemaDefinition
    const result = await this.#server.define(client.jail, schema)
    if (typeof result === 'string') throw new Refusal(400, result)
    return result
  }

  async #streams(client: Client): Promise<unknown[]> {
    const list = this.#server.streamsOf(client.jail).map(async (stream) => ({
      name: stream.name,
      version: stream.schema?.version ?? null,
      fields: stream.schema?.fields ?? [],
      ...stream.state,
      groups: await this.#server.groupsOf(stream),
    }))
    return Promise.all(list)
  }
}

/** The page is for who sits at the machine. */
function isLocal({ socket: { remoteAddress = '' } }: IncomingMessage): boolean {
  return /^(::ffff:)?127\.|^::1$/.test(remoteAddress)
}

/** Node sends text together with the head, bytes behind it. */
function reply(response: ServerResponse, status: number, body: string): void {
  if (response.destroyed) return
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
  response.end(body)
}

/** A body that is too long is not read to its end: the connection goes with it. */
function refuseBody(response: ServerResponse, limit: number): void {
  const text = JSON.stringify({ message: `The body is longer than ${limit} bytes.` })
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), connection: 'close' }
  response.writeHead(413, headers)
  response.end(text, () => response.req.destroy())
}

/** Id and secret of an `Authorization`, split at the first colon. */
function credentials(authorization: string | undefined): [string, string] | undefined {
  if (authorization === undefined || !/^basic /i.test(authorization)) return undefined
  const text = Buffer.from(authorization.slice(6), 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon < 0 ? undefined : [text.slice(0, colon), text.slice(colon + 1)]
}

function decoded(step: string): string {
  try {
    return decodeURIComponent(step)
  } catch {
    throw new Refusal(400, 'The path is not percent-encoded text.')
  }
}
