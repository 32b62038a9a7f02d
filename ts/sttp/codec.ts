// The only file of this system that touches the addon.
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
} from '../native/index.js'

/** The typed error of what the addon threw. */
export function asSttpError(thrown: unknown): MeasurandError {
  return fromNative(thrown, 'sttp')
}
