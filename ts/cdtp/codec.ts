// The only file of this room that touches the addon.

import type { CdtpAnomaly, CdtpBeacon, CdtpFault, ChpHeartbeat, CmdpMessage, CscpMessage } from '../native/index.js'
import * as native from '../native/index.js'
import { fromNative } from '../session/errors.js'
import { cdtpError } from './error-codes.js'

export {
  CdtpExtension as Extension,
  CdtpFloat as Float,
  CdtpIndexer as Indexer,
  CdtpSequenceAccount as SequenceAccount,
  CdtpTimestamp as Timestamp,
} from '../native/index.js'
export type { CdtpAnomaly, CdtpBeacon, CdtpFault, ChpHeartbeat, CmdpMessage, CscpMessage }

type Timestamp = native.CdtpTimestamp

/** Runs a call of the addon; its errors become ours. */
function call<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if ((error as { code?: unknown }).code === 'InvalidArg') {
      throw cdtpError('ERR_CDTP_VALUE_UNSUPPORTED', (error as Error).message, { cause: error })
    }
    throw fromNative(error, 'cdtp')
  }
}

export const keepFreedMemory: (bytes: number) => void = native.keepFreedMemory
export const collectEarlier: (bytes: number) => void = native.collectEarlier
export const indexBytes: (records: number, blocks: number) => number = native.cdtpIndexBytes
export const formatIndex: (bytes: Uint8Array, records: number, blocks: number) => void = native.formatCdtpIndex
export const gatherRecords = (message: Uint8Array, index: Uint8Array, out: Uint8Array): void =>
  native.gatherCdtpRecords(message, index, out)
export const recordTimes = (message: Uint8Array, index: Uint8Array, out: Uint8Array): void =>
  native.cdtpRecordTimes(message, index, out)
export const runConditionName = (code: bigint): string => native.cdtpRunConditionName(code)

export const encodeValue = (value: unknown, portable: boolean): Uint8Array =>
  call(() => native.encodeCdtpValue(value, portable))
export const decodeValue = (bytes: Uint8Array): unknown => call(() => native.decodeCdtpValue(bytes))
export const encodeRunMessage = (sender: string, kind: number, userTags: Uint8Array, run: Uint8Array): Uint8Array =>
  call(() => native.encodeCdtpRunMessage(sender, kind, userTags, run))

export const decodeChirp = (datagram: Uint8Array): CdtpBeacon => call(() => native.decodeChirp(datagram))
export const encodeChirp = (beacon: CdtpBeacon): Uint8Array => call(() => native.encodeChirp(beacon))
export const decodeChp = (frames: Uint8Array[]): ChpHeartbeat => call(() => native.decodeChp(frames))
export const encodeChp = (
  sender: string,
  time: Timestamp,
  state: number,
  flags: number,
  interval: number,
  status?: string,
): Uint8Array[] => call(() => native.encodeChp(sender, time, state, flags, interval, status))
export const decodeCscp = (frames: Uint8Array[]): CscpMessage => call(() => native.decodeCscp(frames))
export const encodeCscp = (
  sender: string,
  time: Timestamp,
  tags: unknown,
  verb: number,
  text: string,
  payload: unknown,
): Uint8Array[] => call(() => native.encodeCscp(sender, time, tags, verb, text, payload ?? null, payload !== undefined))
export const decodeCmdp = (frames: Uint8Array[]): CmdpMessage => call(() => native.decodeCmdp(frames))
export const encodeCmdpLog = (
  sender: string,
  time: Timestamp,
  level: string,
  topic: string,
  text: string,
): Uint8Array[] => call(() => native.encodeCmdpLog(sender, time, level, topic, text))
export const encodeCmdpMetric = (
  sender: string,
  time: Timestamp,
  name: string,
  value: unknown,
  unit: string,
): Uint8Array[] => call(() => native.encodeCmdpMetric(sender, time, name, value, unit))
export const encodeCmdpTopics = (sender: string, time: Timestamp, logs: boolean, topics: unknown): Uint8Array[] =>
  call(() => native.encodeCmdpTopics(sender, time, logs, topics))
