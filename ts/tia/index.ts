export { type StreamOptions, TiAClient, type TiAClientOptions } from './client.js'
export type { Message } from './codec.js'
export { type Reply, TiAConnectionHandler } from './connection-handler.js'
export type { DataOptions } from './data-connection.js'
export type { MetaInfo, SignalChoice, SignalInfo, Subject } from './meta-info.js'
export type { UdpOptions } from './outgoing-streams.js'
export { type BlockShape, type PacketLayout, TiAPacket } from './packet.js'
export { PacketBatch } from './packet-batch.js'
export { type HandlerClass, TiAServer, type TiAServerOptions } from './server.js'
export { type SignalCallback, type SignalOptions, TiASignalConfig } from './signal-config.js'
export {
  type Dialect,
  signalTypeOf,
  TIA_SIG_BP,
  TIA_SIG_BUTTON,
  TIA_SIG_ECG,
  TIA_SIG_EEG,
  TIA_SIG_EMG,
  TIA_SIG_EOG,
  TIA_SIG_EVENT,
  TIA_SIG_FMRI,
  TIA_SIG_HR,
  TIA_SIG_JOYSTICK,
  TIA_SIG_MOUSE,
  TIA_SIG_MOUSE_BTN,
  TIA_SIG_NIRS,
  TIA_SIG_SENSORS,
  TIA_SIG_UNDEFINED,
  TIA_SIG_USER_1,
  TIA_SIG_USER_2,
  TIA_SIG_USER_3,
  TIA_SIG_USER_4,
} from './signal-type.js'
