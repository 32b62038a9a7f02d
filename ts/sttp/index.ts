export {
  type CellValue,
  type DataColumn,
  type DataRecord,
  DataSet,
  type DataTable,
  type Precedence,
} from './data-set.js'
export { guidBytes, guidText, Measurement } from './measurement.js'
export { MeasurementReader, measurementAt } from './measurement-reader.js'
export { describeFlags, StateFlags } from './state-flags.js'
export { Subscriber, type SubscriberOptions } from './subscriber.js'
export type { PayloadEncoding, SubscriptionSettings } from './subscription.js'
export { Ticks } from './ticks.js'
