import type { IncomingMessage, ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import { gunzip, gunzipSync, inflate } from 'node:zlib'
import { MeasurandError } from '../session/errors.js'
import { compileSchema } from './codec.js'
import { type Client, RIGHTS } from './directory.js'
import { isName } from './names.js'
import { PAGE, PAGE_HEADERS } from './page.js'
import type { Right } from './requests.js'
import { compareVersions, type SchemaDefinition } from './schema.js'
import type { StreamSeaServer } from './server.js'
import type { Stream } from './stream.js'

const PREFIX = '/api/v1/'
const SYNC_INFLATE = 16_384
const gunzipLater = promisify(gunzip)
const inflateLater = promisify(inflate)
const SUCCESS = '{"success":true}'
const EMPTY = Buffer.alloc(0)

/** A refusal: its status and what the clients are told. */
class Refusal extends Error {
  readonly status: number
  readonly errors: readonly string[] | undefined

  constructor(status: number, message: string, errors?: readonly string[]) {
    super(message)
    this.status = status
    this.errors = errors
  }
}

type Fields = Record<string, unknown>

/** The HTTP side of the server. */
export class Endpoints {
  readonly #server: StreamSeaServer
  readonly #last = new WeakMap<object, { readonly authorization: string; readonly client: Client }>()

  constructor(server: StreamSeaServer) {
    this.#server = server
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
      refusal = new Refusal(error.code === 'ERR_STREAMSEA_BODY_LENGTH' ? 413 : 400, error.message)
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
    const body = encoding === undefined ? raw : await this.#inflate(encoding, raw)
    const [kind = '', name = '', verb = ''] = steps
    const known = (...pattern: string[]): boolean =>
      `${method} ${kind}` === pattern[0] && steps.length === pattern.length && (pattern[2] ?? verb) === verb
    if (known('POST streams', '', 'publish')) {
      this.#demand(client, 'publish')
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
    if (known('POST client')) return this.#createClient(client, fieldsOf(body))
    if (known('GET client')) {
      this.#demand(client, 'clients')
      const shown = ({ id, description, rights }: Client) => ({ id, description, rights: [...rights] })
      return { clients: this.#server.directory.clientsOf(client.jail).map(shown) }
    }
    if (known('DELETE client', '')) return this.#deleteClient(client, name)
    if (known('PUT client', '')) {
      if (name !== client.id) throw new Refusal(403, 'A client can only rotate its own secret.')
      const secret = await this.#server.directory.rotateSecret(name)
      await this.#audit(client, 'rotate-secret', name, true)
      return { id: name, givenId: name, secret }
    }
    if (known('PUT client', '', 'jwt-public-key')) return this.#rotateKey(client, name, fieldsOf(body))
    if (known('POST jails')) return this.#createJail(client, fieldsOf(body))
    if (known('DELETE jails', '')) return this.#deleteJail(client, name)
    if (known('GET audit')) {
      this.#demand(client, 'clients')
      return { audit: await this.#server.auditLog(client.jail) }
    }
    if (known('GET streams')) return { streams: await this.#streams(client) }
    if (known('GET streams', '', 'last')) {
      this.#demand(client, 'subscribe')
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

  #demand(client: Client, right: Right): void {
    if (!client.rights.has(right)) throw new Refusal(403, `The client [${client.id}] has not the right [${right}].`)
  }

  async #inflate(encoding: string, body: Buffer): Promise<Buffer> {
    const limit = this.#server.options.maxBodyBytes
    if (body.length <= SYNC_INFLATE) return inflateNow(encoding, body, limit)
    try {
      if (encoding === 'gzip') return await gunzipLater(body, { maxOutputLength: limit })
      if (encoding === 'deflate') return await inflateLater(body, { maxOutputLength: limit })
    } catch (error) {
      throw inflateRefusal(error)
    }
    throw new Refusal(415, `The content encoding [${encoding}] is not known.`)
  }

  async #define(client: Client, name: string, { name: told, version, fields }: Fields): Promise<unknown> {
    this.#demand(client, 'define')
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

  async #createClient(client: Client, { clientId, description = '', rights }: Fields): Promise<unknown> {
    const { directory } = this.#server
    await this.#demandAudited(client, 'clients', 'create-client', String(clientId))
    if (!isName(clientId)) throw new Refusal(400, 'clientId is not a name.')
    if (typeof description !== 'string' || description.length > 1000)
      throw new Refusal(400, 'description is not a text of at most 1000 characters.')
    if (directory.client(clientId) !== undefined) throw new Refusal(400, `The client [${clientId}] exists already.`)
    const asked = rights ?? [...client.rights]
    if (!Array.isArray(asked) || !asked.every((right) => RIGHTS.includes(right)))
      throw new Refusal(400, `rights are of ${RIGHTS.join(', ')}.`)
    // Nobody can give what he has not.
    if (!asked.every((right) => client.rights.has(right)))
      throw new Refusal(403, 'The client has not all of these rights.')
    const secret = await directory.createClient(client.jail, clientId, description, asked)
    await this.#audit(client, 'create-client', clientId, true)
    return { id: clientId, givenId: clientId, secret }
  }

  async #deleteClient(client: Client, id: string): Promise<unknown> {
    await this.#demandAudited(client, 'clients', 'delete-client', id)
    if (this.#server.directory.client(id)?.jail !== client.jail)
      throw new Refusal(404, `The client [${id}] was not found.`)
    await this.#server.deleteClient(id)
    await this.#audit(client, 'delete-client', id, true)
    return { id }
  }

  async #rotateKey(client: Client, id: string, { jwtPublicKey }: Fields): Promise<unknown> {
    if (id !== client.id) throw new Refusal(403, 'A client can only rotate its own key.')
    if (jwtPublicKey !== null && typeof jwtPublicKey !== 'string')
      throw new Refusal(400, 'jwtPublicKey is not a PEM text or null.')
    await this.#server.directory.rotateJwtPublicKey(id, jwtPublicKey)
    await this.#audit(client, 'rotate-jwt-public-key', id, true)
    return { id, givenId: id, jwtPublicKey }
  }

  async #createJail(client: Client, { newJailId, newJailName, newClientId }: Fields): Promise<unknown> {
    const { directory } = this.#server
    await this.#demandAudited(client, 'jails', 'create-jail', String(newJailId))
    if (!isName(newJailId) || !isName(newClientId)) throw new Refusal(400, 'newJailId or newClientId is not a name.')
    if (typeof newJailName !== 'string' || newJailName.length > 1000)
      throw new Refusal(400, 'newJailName is not a text of at most 1000 characters.')
    if (directory.hasJail(newJailId)) throw new Refusal(400, `The jail [${newJailId}] exists already.`)
    if (directory.client(newClientId) !== undefined)
      throw new Refusal(400, `The client [${newClientId}] exists already.`)
    await directory.createJail(newJailId, newJailName)
    const rights = RIGHTS.filter((right) => right !== 'jails')
    const newClientSecret = await directory.createClient(newJailId, newClientId, '', rights)
    await this.#audit(client, 'create-jail', newJailId, true)
    return { newJailId, newJailName, newClientId, newClientSecret }
  }

  async #deleteJail(client: Client, id: string): Promise<unknown> {
    await this.#demandAudited(client, 'jails', 'delete-jail', id)
    if (!this.#server.directory.hasJail(id)) throw new Refusal(404, `The jail [${id}] was not found.`)
    await this.#audit(client, 'delete-jail', id, true)
    await this.#server.deleteJail(id)
    return { id }
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

  async #demandAudited(client: Client, right: Right, action: string, target: string): Promise<void> {
    if (client.rights.has(right)) return
    await this.#audit(client, action, target, false)
    this.#demand(client, right)
  }

  #audit(client: Client, action: string, target: string, done: boolean): Promise<void> {
    const line = {
      time: this.#server.now(),
      jail: client.jail,
      client: client.id,
      action,
      target: target.slice(0, 200),
      done,
    }
    return this.#server.directory.audit(line)
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

function inflateNow(encoding: string, body: Buffer, limit: number): Buffer {
  if (body.length === 0) return EMPTY
  try {
    if (encoding === 'gzip') return gunzipSync(body, { maxOutputLength: limit })
  } catch (error) {
    throw inflateRefusal(error)
  }
  throw new Refusal(415, `The content encoding [${encoding}] is not known.`)
}

function inflateRefusal(error: unknown): Refusal {
  if ((error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE')
    return new Refusal(413, 'The inflated body is too long.')
  return new Refusal(400, 'The body is not what its content encoding says.')
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

function fieldsOf(body: Buffer): Fields {
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8'))
  } catch {
    throw new Refusal(400, 'The body is not JSON.')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Refusal(400, 'The body is not a JSON object.')
  return value as Fields
}
