// The only file of this room that touches the addon.

import type {
  TiaDecoderOptions,
  TiaFault,
  TiaMessage,
  TiaMetaInfo,
  TiaNotice,
  TiaSelection,
  TiaShape,
  TiaSignalInfo,
  TiaSourceSignal,
} from '../native/index.js'
import * as native from '../native/index.js'
import { fromNative } from '../session/errors.js'
import './error-codes.js'

export {
  TiaChannelSelection as ChannelSelection,
  TiaMeasurementDecoder as MeasurementDecoder,
  TiaMessageReader as MessageReader,
  TiaPacketBuilder as PacketBuilder,
  TiaPacketDecoder as PacketDecoder,
} from '../native/index.js'
export type {
  TiaDecoderOptions as DecoderOptions,
  TiaFault as Fault,
  TiaMessage as Message,
  TiaMetaInfo as NativeMetaInfo,
  TiaNotice as Notice,
  TiaSelection as Selection,
  TiaShape as Shape,
  TiaSignalInfo as NativeSignalInfo,
  TiaSourceSignal as SourceSignal,
}

/** Runs a call of the addon; its errors become ours. */
export function call<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw fromNative(error, 'tia')
  }
}

export const formatPacketBlock = (bytes: Uint8Array, packets: number, samples: number, words: number): void =>
  call(() => native.formatTiaPacketBlock(bytes, packets, samples, words))
export const renumberPackets: (packets: Uint8Array, base: number) => void = native.renumberTiaPackets
export const encodeMessage = (command: string, parameter?: string, content?: Uint8Array): Uint8Array =>
  native.encodeTiaMessage(command, parameter ?? null, content ?? null)
export const readDocument = (xml: string): TiaMetaInfo => call(() => native.readTiaMetaInfo(xml))
export const writeDocument = (info: TiaMetaInfo, dialect: number): string => native.writeTiaMetaInfo(info, dialect)
export const signalBit: (name: string) => number = native.tiaSignalBit
export const signalName = (bit: number, dialect: number): string => call(() => native.tiaSignalName(bit, dialect))
