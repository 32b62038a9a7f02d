import { streamSeaError } from './error-codes.js'
import { checkedName } from './names.js'
import { call, type Remote, ReplyError } from './remote.js'
import type { SchemaDefinition, SchemaVersion } from './schema.js'

/** What is published: a value, or the JSON text of one, which is kept as it is (integers beyond 2^53 survive). */
export type Payload<M = unknown> = { readonly payload: M } | { readonly payloadText: string }

/** What our server takes beside the payload. */
export interface PublishOptions {
  /** Makes it safe to publish again: of publishes with one key the stream keeps the first. */
  readonly idempotencyKey?: string
}

/** The body of a publish. */
export function publishBody(payload: Payload): string {
  if ('payloadText' in payload) return `{"payload":${payload.payloadText}}`
  const text = JSON.stringify({ payload: payload.payload })
  if (text === '{}') throw streamSeaError('ERR_STREAMSEA_PAYLOAD_MISSING', 'the payload has no JSON')
  return text
}

/**
 * Publishes a message to a stream, or several when the payload is an array. Resolves to what the server replies.
 *
 * ```ts
 * const remote = { remoteHost: '127.0.0.1', remotePort: 3104, clientId: 'app123', clientSecret: secret }
 * await publish({ ...remote, stream: 'boiler_data', payload: { temperature: 91.5 } })
 * ```
 */
export function publish<M = unknown>(
  args: Remote & { stream: string } & Payload<M> & PublishOptions,
): Promise<unknown> {
  const headers = args.idempotencyKey === undefined ? {} : { 'idempotency-key': args.idempotencyKey }
  return call(args, 'POST', `${streamPath(args.stream)}/publish`, publishBody(args), headers)
}

/** Publishes several messages at once; they are stored together or not at all. */
export function publishBatch<M>(
  args: Remote & { stream: string; payloads: readonly M[] } & PublishOptions,
): Promise<unknown> {
  return publish({ ...args, payload: args.payloads })
}

/** The current schema of a stream; null where there is no such stream. */
export async function describeStream(args: Remote & { stream: string }): Promise<SchemaDefinition | null> {
  try {
    return asSchema(await call(args, 'GET', `${streamPath(args.stream)}/schema`))
  } catch (error) {
    if (error instanceof ReplyError && error.status === 404) return null
    throw error
  }
}

/**
 * Gives a stream its schema. The same version again with the same fields changes nothing; with others, or an older
 * version, it is refused.
 */
export async function defineStream(
  args: Remote & { stream: string; schema: SchemaDefinition },
): Promise<SchemaDefinition> {
  const { name, version, fields } = args.schema
  return asSchema(
    await call(args, 'POST', `${streamPath(args.stream)}/define`, JSON.stringify({ name, version, fields })),
  )
}

/** The versions of the schemas of several streams, in their order; null where there is no such stream. */
export async function getSchemaVersionsVector(
  args: Remote & { streams: readonly string[] },
): Promise<(SchemaVersion | null)[]> {
  const body = JSON.stringify({ schemaNames: args.streams })
  const reply = fieldsOf(await call(args, 'POST', '/schema-versions-vector', body))['versionsVector']
  if (Array.isArray(reply) && reply.length === args.streams.length) return reply
  throw streamSeaError('ERR_STREAMSEA_REPLY_INVALID', 'the reply has no version of each stream')
}

/** A client as the server made it, with its secret, which is told this once. */
export interface NewClient {
  readonly givenId: string
  readonly secret: string
}

/** What a client may do. */
export type Right = 'publish' | 'subscribe' | 'define' | 'clients' | 'jails'

/** A client of a jail. */
export interface JailClient {
  readonly id: string
  readonly description: string
  readonly rights: readonly Right[]
}

/** The clients of the caller's jail; only our server tells them. */
export async function listClients(args: Remote): Promise<readonly JailClient[]> {
  const { clients } = fieldsOf(await call(args, 'GET', '/client'))
  if (Array.isArray(clients)) return clients
  throw streamSeaError('ERR_STREAMSEA_REPLY_INVALID', 'the reply has no clients')
}

/** Makes a client in the caller's jail. `rights` are understood by our server; by default it has those of the caller. */
export async function createClient(
  args: Remote & { targetClientId: string; targetClientDescription?: string; rights?: readonly Right[] },
): Promise<NewClient> {
  const { targetClientId, targetClientDescription: description = '', rights } = args
  const body = JSON.stringify({ clientId: targetClientId, description, rights })
  return withTexts(await call(args, 'POST', '/client', body), 'givenId', 'secret')
}

/** Deletes a client of the caller's jail. */
export async function deleteClient(args: Remote & { targetClientId: string }): Promise<{ id: string }> {
  return withTexts(await call(args, 'DELETE', clientPath(args.targetClientId)), 'id')
}

/** Gives the caller a new secret; the old one is dead at once. */
export async function rotateClientSecret(args: Remote): Promise<NewClient> {
  return withTexts(await call(args, 'PUT', clientPath(args.clientId)), 'givenId', 'secret')
}

/** Sets the public key (PEM) that the caller's tokens are checked by; null takes it away. */
export async function rotateClientJwtPublicKey(
  args: Remote & { jwtPublicKey: string | null },
): Promise<{ givenId: string; jwtPublicKey: string | null }> {
  const body = JSON.stringify({ jwtPublicKey: args.jwtPublicKey })
  const reply = await call(args, 'PUT', `${clientPath(args.clientId)}/jwt-public-key`, body)
  return withTexts(reply, 'givenId') as { givenId: string; jwtPublicKey: string | null }
}

/** A jail as the server made it, with its first client, whose secret is told this once. */
export interface NewJail {
  readonly newJailId: string
  readonly newClientId: string
  readonly newClientSecret: string
}

/** Makes a jail with a first client in it. */
export async function createJail(
  args: Remote & { targetJailId: string; targetJailName: string; targetClientId: string },
): Promise<NewJail> {
  const { targetJailId: newJailId, targetJailName: newJailName, targetClientId: newClientId } = args
  const reply = await call(args, 'POST', '/jails', JSON.stringify({ newJailId, newJailName, newClientId }))
  return withTexts(reply, 'newJailId', 'newClientId', 'newClientSecret')
}

/** Deletes a jail with everything in it. */
export async function deleteJail(args: Remote & { targetJailId: string }): Promise<{ id: string }> {
  return withTexts(await call(args, 'DELETE', `/jails/${checkedName('jail', args.targetJailId)}`), 'id')
}

function streamPath(stream: string): string {
  return `/streams/${encodeURIComponent(stream)}`
}

function clientPath(client: string): string {
  return `/client/${encodeURIComponent(client)}`
}

function fieldsOf(reply: unknown): Record<string, unknown> {
  return typeof reply === 'object' && reply !== null ? (reply as Record<string, unknown>) : {}
}

function withTexts<K extends string>(reply: unknown, ...keys: K[]): Record<K, string> & Record<string, unknown> {
  const fields = fieldsOf(reply)
  for (const key of keys) {
    if (typeof fields[key] !== 'string') throw streamSeaError('ERR_STREAMSEA_REPLY_INVALID', `the reply has no ${key}`)
  }
  return fields as Record<K, string> & Record<string, unknown>
}

function asSchema(reply: unknown): SchemaDefinition {
  const { name, version, fields = [] } = fieldsOf(reply)
  const known = typeof version === 'number' || typeof version === 'string'
  if (typeof name === 'string' && known && Array.isArray(fields)) return { name, version, fields }
  throw streamSeaError('ERR_STREAMSEA_REPLY_INVALID', 'the reply is not a schema')
}
