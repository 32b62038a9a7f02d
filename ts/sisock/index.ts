export type {
  EventHandler,
  Invocation,
  Kwargs,
  Procedure,
  Registration,
  Subscription,
  WampSession,
} from './autobahn.js'
export { type Annotation, type BridgeBackend, ConsumerBackend } from './bridge/backend.js'
export { GrafanaBridge, type GrafanaBridgeOptions } from './bridge/bridge.js'
export { LocalBackend } from './bridge/local-backend.js'
export type {
  Column,
  DataReply,
  FieldInfo,
  FieldsReply,
  RegularTimes,
  TimelineInfo,
  TimelineSamples,
} from './data.js'
export {
  DataNodeConsumer,
  type DataNodeConsumerConfig,
  type DataRequest,
  type NodeEvent,
} from './data-node-consumer.js'
export { type DataNode, DataNodeHub, type DataNodeHubConfig } from './data-node-hub.js'
export { type DataNodeConfig, DataNodeServer } from './data-node-server.js'
export { DataNodeSource, type DataNodeSourceOptions, type Samples } from './data-node-source.js'
export type { DataResult, Timeline, Values } from './data-reader.js'
export { extremeRows, lowerBound, pick, strideRows, type Times } from './min-stride.js'
export { FolderNode, type FolderNodeConfig } from './nodes/folder-node.js'
export { OcsFeedNode, type OcsFeedNodeConfig } from './nodes/ocs-feed-node.js'
export { type OpenSource, openNodes } from './nodes/open-nodes.js'
export { RecordingNode, type RecordingNodeConfig } from './nodes/recording-node.js'
export { SensorsNode, type SensorsNodeConfig } from './nodes/sensors-node.js'
export { SourceNode, type SourceNodeConfig } from './nodes/source-node.js'
export {
  type Span,
  type Table,
  type TableField,
  TableNode,
  type TableNodeConfig,
  type TableRequest,
  type TableSamples,
  type TableWindow,
} from './nodes/table-node.js'
export { TimelineBuffer } from './nodes/timeline-buffer.js'
export { WampRouter, type WampRouterOptions } from './router/router.js'
export {
  type Permission,
  type Roles,
  readUsers,
  SISOCK_ROLES,
  type User,
  type Users,
} from './router/users.js'
export { type Serializer, type SerializerName, type SerializerOptions, serializer } from './serializer.js'
export { SyntheticNode, type SyntheticOptions } from './synthetic-node.js'
export {
  BASE_URI,
  OCS_PORT,
  REALM,
  SISOCK_HOST,
  SISOCK_PORT,
  sisockToUnixTime,
  uri,
  WAMP_SECRET,
  WAMP_URI,
  WAMP_USER,
} from './uri.js'
export type { CallOptions, Challenge, SessionDetails, WampConfig } from './wamp-client.js'
export type { WampEndpoint } from './wamp-transport.js'
