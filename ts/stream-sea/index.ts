export {
  type ServerPlace,
  StreamSeaClient,
  type StreamSeaClientOptions,
  subscribe,
  subscribeWithJwt,
} from './client.js'
export type { Credentials } from './credentials.js'
export { EventBatch, type EventContext, type StreamMessage } from './event-batch.js'
export { type Filter, isFilter, passes } from './filter.js'
export { generateJwtKeys, type JwtClaims, signJwt } from './jwt.js'
export type { PublishReply } from './link.js'
export { type Remote, ReplyError } from './remote.js'
export {
  createClient,
  createJail,
  defineStream,
  deleteClient,
  deleteJail,
  describeStream,
  getSchemaVersionsVector,
  type JailClient,
  listClients,
  type NewClient,
  type NewJail,
  type Payload,
  type PublishOptions,
  publish,
  publishBatch,
  type Right,
  rotateClientJwtPublicKey,
  rotateClientSecret,
} from './requests.js'
export type { Retention } from './retention.js'
export {
  compareVersions,
  defineSchema,
  FieldType,
  type MessageOf,
  type ObjectOf,
  type SchemaDefinition,
  type SchemaField,
  type SchemaVersion,
  type ValueOf,
} from './schema.js'
export { StreamSeaServer, type StreamSeaServerOptions } from './server.js'
export { type SubscribeOptions, Subscription } from './subscription.js'
