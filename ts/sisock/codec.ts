// The only file of this room that touches the addon.
import * as native from '../native/index.js'
import { fromNative } from '../session/errors.js'

/** Numbers by which the addon knows the formats. */
export const FORMAT = { json: 0, msgpack: 1, cbor: 2 } as const

/** How a message is written. */
export type SerializerName = 'json' | 'msgpack' | 'cbor'

/** Arrays and maps in one another. */
const DEPTH = 64
/** Below so many numbers an array is made faster than a `Float64Array`. */
const DOUBLES = 16
const SCRATCH = Buffer.allocUnsafeSlow(1 << 16)

/** Reads a whole message; arrays of numbers become `Float64Array`s where `columns` is true. */
export function readMessage(format: 1 | 2, bytes: Uint8Array, columns: boolean): unknown {
  try {
    return native.readMessage(format, bytes, DEPTH, columns ? DOUBLES : 0)
  } catch (error) {
    throw fromNative(error, 'sisock')
  }
}

/** Writes a whole message into memory of its own, with `room` free bytes in front of it. */
export function writeMessage(format: 1 | 2, value: unknown, room = 0): Buffer {
  try {
    const length = native.writeMessage(format, value, SCRATCH)
    const isShort = length <= SCRATCH.length
    const whole = isShort ? Buffer.allocUnsafe(room + length) : Buffer.allocUnsafeSlow(room + length)
    const message = whole.subarray(room)
    if (isShort) SCRATCH.copy(message, 0, 0, length)
    else native.writeMessage(format, value, message)
    return message
  } catch (error) {
    throw fromNative(error, 'sisock')
  }
}

/** Places in what {@link messageHead} fills; `NaN` is what a message does not have. */
export const HEAD = {
  count: 0,
  end: 1,
  items: 2,
  first: 16,
  second: 17,
  textStart: 18,
  textEnd: 19,
  length: 20,
} as const

/** Finds the items of a message and gives its type. */
export function messageHead(format: number, bytes: Uint8Array, out: Float64Array): number {
  try {
    return native.messageHead(format, bytes, DEPTH, out)
  } catch (error) {
    throw fromNative(error, 'sisock')
  }
}
