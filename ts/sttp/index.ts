export type { BufferBlock } from './buffer-block.js'
export type { ClientConnection } from './client-connection.js'
export type { ClientStats } from './client-stats.js'
export type { ClientDescription } from './connection-host.js'
export type { DataChannelOptions } from './data-channel.js'
export {
  type CellValue,
  type DataColumn,
  type DataRecord,
  DataSet,
  type DataTable,
  type DeviceRecord,
  type MeasurementRecord,
  type PhasorRecord,
  type Precedence,
} from './data-set.js'
export type { GapRecoveryOptions } from './gap-recovery.js'
export type { History, HistoryRequest } from './history.js'
export { guidBytes, guidText, Measurement } from './measurement.js'
export { MeasurementLookup } from './measurement-lookup.js'
export { MeasurementReader, measurementAt } from './measurement-reader.js'
export { validAcronym } from './output-definitions.js'
export { Publisher } from './publisher.js'
export type { PublisherEndpoint, PublisherOptions, PublisherPermissions } from './publisher-options.js'
export { describeFlags, StateFlags } from './state-flags.js'
export { Subscriber } from './subscriber.js'
export { type MessageOptions, SubscriberEvents, type SubscriptionUpdate } from './subscriber-events.js'
export type { SubscriberOptions } from './subscriber-options.js'
export type { PayloadEncoding, ProtocolVersion, SubscriptionSettings } from './subscription.js'
export { Synthetic, type SyntheticOptions, syntheticId } from './synthetic.js'
export { Ticks } from './ticks.js'
