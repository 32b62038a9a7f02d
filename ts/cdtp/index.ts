export { DataReceiver, type DataReceiverOptions, type PullSocket } from './data-receiver.js'
export { type DataRecord, NewDataRecord, ReceivedRecord } from './data-record.js'
export {
  type BindOptions,
  DataTransmitter,
  type DataTransmitterOptions,
  DONTWAIT,
  type NewRecordOptions,
  type PushSocket,
} from './data-transmitter.js'
export { InvalidCDTPMessageType, RecvTimeoutError, SendTimeoutError } from './errors.js'
export { canonicalName, hostId } from './host-id.js'
export type { Logger, LogLevel } from './logger.js'
export { MessageType, RecordBatch } from './record-batch.js'
export { conditionName, RunCondition } from './run-condition.js'
export { type DiscoveredService, Service } from './service.js'
export { TransmitterState, type TransmitterStateSeq } from './transmitter-state.js'
export {
  EncodedTags,
  Extension,
  Float,
  Timestamp,
  timestampNow,
  timestampNs,
  timestampOf,
  type Value,
  type Values,
} from './value.js'
