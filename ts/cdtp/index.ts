export { Chirp, type ChirpOptions } from './chirp.js'
export { type Answer, Verb } from './command-receiver.js'
export { Configuration } from './configuration.js'
export { Controller, type ControllerOptions, type RunOptions } from './controller.js'
export { DataReceiver } from './data-receiver.js'
export type { DataReceiverOptions } from './data-receiver-options.js'
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
export type { Remote } from './heartbeat-receiver.js'
export { HeartbeatFlag, ROLES, type Role } from './heartbeat-sender.js'
export { canonicalName, hostId } from './host-id.js'
export type { Logger, LogLevel } from './logger.js'
export { type MonitoringMessage, MonitoringReceiver } from './monitoring-receiver.js'
export { MonitoringSender } from './monitoring-sender.js'
export { ReceiverSatellite, type ReceiverSatelliteOptions } from './receiver-satellite.js'
export { MessageType, RecordBatch } from './record-batch.js'
export { conditionName, RunCondition } from './run-condition.js'
export { Satellite } from './satellite.js'
export type { SatelliteOptions, UserCommand } from './satellite-options.js'
export {
  SatelliteState,
  type SatelliteStateName,
  stateName,
  TRANSITIONS,
  type TransitionName,
} from './satellite-state.js'
export type { PullSocket } from './sender-connection.js'
export type { SequenceRange } from './sender-run.js'
export { type SyntheticOptions, serveSynthetic } from './serve.js'
export type { ServingOptions } from './serve-recording.js'
export { type DiscoveredService, Service } from './service.js'
export {
  CdtpSource,
  type CdtpSourceOptions,
  EndpointSource,
  GroupSource,
  type GroupSourceOptions,
} from './source.js'
export { TransmitterSatellite, type TransmitterSatelliteOptions } from './transmitter-satellite.js'
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
