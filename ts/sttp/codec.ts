// The only file of this system that touches the addon.
import * as native from '../native/index.js'
import { fromNative, type MeasurandError } from '../session/index.js'

export type { SttpCommand, SttpControl, SttpDownlinkOptions, SttpFault, SttpSubscription } from '../native/index.js'
export {
  SttpCipher,
  SttpDataSet,
  SttpLatestMeasurements,
  SttpRowTimes,
  SttpUplink,
  sttpCodeName,
  sttpTimeConstraint,
  sttpWriteCommand,
  sttpWriteResponse,
} from '../native/index.js'

/** Reads what a publisher sends. What is called with every chunk is a function of its own, because a method costs more. */
export class SttpDownlink extends native.SttpDownlink {
  /** Appends the rows of a chunk; gives the block's status. */
  decode = this.decoder()
  /** Appends the rows of gathered datagrams, `u16 length` (little-endian) before each; gives the block's status. */
  decodeDatagrams = this.datagramDecoder()

  /** From now on the times of the rows that it appends are noted there, and nowhere else. */
  note(times: native.SttpRowTimes): void {
    this.decode = this.decoder(times)
    this.decodeDatagrams = this.datagramDecoder(times)
  }
}

/** Writes measurements as data packets, for one subscriber or for several who share cache, format and start. */
export class SttpEncoder extends native.SttpEncoder {
  /**
   * Writes frames of the block's rows from one on into `out` from `start` on, as many as fit whole; gives the rows taken,
   * 0 where `out` has no room for a frame. `result` gets the bytes, the measurements in them, and how many were left out as NaN.
   */
  readonly encode = this.writer()
}

/** The typed error of what the addon threw. */
export function asSttpError(thrown: unknown): MeasurandError {
  return fromNative(thrown, 'sttp')
}
