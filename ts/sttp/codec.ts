// The only file of this system that touches the addon.
import {
  SttpCipher,
  SttpDataSet,
  SttpDownlink,
  SttpEncoder,
  SttpLatestMeasurements,
  SttpRowTimes,
  SttpUplink,
  sttpCodeName,
  sttpTimeConstraint,
  sttpWriteCommand,
  sttpWriteResponse,
} from '../native/index.js'
import { fromNative, type MeasurandError } from '../session/index.js'

export type { SttpCommand, SttpControl, SttpDownlinkOptions, SttpFault, SttpSubscription } from '../native/index.js'
export {
  SttpCipher,
  SttpDataSet,
  SttpDownlink,
  SttpEncoder,
  SttpLatestMeasurements,
  SttpRowTimes,
  SttpUplink,
  sttpCodeName,
  sttpTimeConstraint,
  sttpWriteCommand,
  sttpWriteResponse,
}

/** The typed error of what the addon threw; an error of its other threads has the code in front of its text. */
export function asSttpError(thrown: unknown): MeasurandError {
  const { message } = thrown as Error
  const [, code, text] = /^(ERR_STTP_[A-Z_]+)\|(.*)$/s.exec(message) ?? []
  return fromNative(code === undefined ? thrown : Object.assign(new Error(text), { code }), 'sttp')
}
