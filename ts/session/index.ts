export { BlockIntake, type BlockIntakeOptions, type Decoder, type IntakeHandler, ringFor } from './block-intake.js'
export {
  CAPTURE_KIND,
  CAPTURE_MAGIC,
  type CaptureItem,
  CapturingNetwork,
  captureBytes,
  captureItems,
} from './capture.js'
export { aborted, type Clock, SimulatedClock, sleep, systemClock, type Timer } from './clock.js'
export { Delivery, type DeliveryOptions, type Filler, type Ready } from './delivery.js'
export { CHANNELS } from './diagnostics.js'
export { sessionError } from './error-codes.js'
export {
  type Blame,
  defineErrors,
  type ErrorClasses,
  type ErrorCodes,
  type ErrorDetails,
  type ErrorMaker,
  fromNative,
  LimitError,
  MalformedError,
  MeasurandError,
  ProtocolError,
  StorageError,
  type System,
  TransportError,
  UsageError,
} from './errors.js'
export {
  type Gap,
  isRecovered,
  Ledger,
  type LossCause,
  type LossJson,
  type LossRecord,
  type LossTotals,
  lossJson,
} from './ledger.js'
export { MemoryNetwork, type MemoryNetworkOptions, MemoryTransport, memoryPair } from './memory-transport.js'
export { COUNT, checkNumbers, type NumberRange, TIMEOUT, WAIT } from './number-options.js'
export { OptionValues } from './option-values.js'
export { Outbox, type OutboxOptions } from './outbox.js'
export { Pacer } from './pacer.js'
export { Backoff, persist, type ReconnectOptions } from './reconnect.js'
export { type Replayed, ReplayedPeer, type ReplayPlace } from './replayed-peer.js'
export { describeError, Session, type SessionOptions } from './session.js'
export type { Policy, Sink, Source, SourceDescription, SourcePolicy } from './source.js'
export { type SourceOptions, SourceSession } from './source-session.js'
export { Spill, type SpillOptions } from './spill.js'
export { type Books, imbalance, Stats, type StatsSnapshot } from './stats.js'
export { type State, type StatusEvent, StatusStream, statusJson } from './status.js'
export {
  type Course,
  type CourseOption,
  courseOf,
  courseOptions,
  SYNTHETIC_T0,
  SyntheticTimes,
  type SyntheticTimesOptions,
  syntheticValue,
} from './synthetic.js'
export { systemNetwork } from './system-network.js'
export { TableIntake, type TableIntakeOptions } from './table-intake.js'
export { tlsFiles } from './tls-files.js'
export type {
  DatagramEndpoint,
  Endpoint,
  Listener,
  Network,
  Observer,
  TlsOptions,
  Transport,
  TransportHandler,
} from './transport.js'
export { Watchdog } from './watchdog.js'
