export type { ClientConnection, ClientDescription } from './client-connection.js'
export type { ClientStats } from './client-stats.js'
export {
  type CellValue,
  type DataColumn,
  type DataRecord,
  DataSet,
  type DataTable,
  type MeasurementRecord,
  type Precedence,
} from './data-set.js'
export { guidBytes, guidText, Measurement } from './measurement.js'
export { MeasurementReader, measurementAt } from './measurement-reader.js'
export { Publisher } from './publisher.js'
export type { PublisherEndpoint, PublisherOptions, PublisherPermissions } from './publisher-options.js'
export { describeFlags, StateFlags } from './state-flags.js'
export { Subscriber, type SubscriberOptions } from './subscriber.js'
export type { PayloadEncoding, SubscriptionSettings } from './subscription.js'
export { SYNTHETIC_T0, Synthetic, type SyntheticOptions, syntheticId } from './synthetic.js'
export { Ticks } from './ticks.js'
