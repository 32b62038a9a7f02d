import type { Clock } from '../session/clock.js'
import { decodeValue, Extension, encodeValue, Float, Timestamp } from './codec.js'

export { Extension, Float, Timestamp }

/**
 * What tags, configurations and metadata hold. Integers beyond 2^53 are bigint; a whole number is an integer on the
 * wire unless it is a {@link Float}; a `Date` becomes a timestamp, and timestamps are exact to the nanosecond.
 */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Date
  | Timestamp
  | Float
  | Extension
  | readonly Value[]
  | Values

/** A map with string keys. */
export interface Values {
  readonly [key: string]: Value | undefined
}

/** Tags encoded once, for records that all have the same. */
export class EncodedTags {
  readonly bytes: Uint8Array

  /** @param portable whether only what the C++ framework reads is written; an error where that is not enough */
  constructor(tags: Values, portable = true) {
    this.bytes = encodeValue(tags, portable)
  }
}

/** The map in some bytes. */
export function decodeMap(bytes: Uint8Array): Values {
  return decodeValue(bytes) as Values
}

/** Nanoseconds since 1970-01-01 UTC. */
export function timestampNs(time: Timestamp): bigint {
  return time.seconds * 1_000_000_000n + BigInt(time.nanoseconds)
}

/** The timestamp of nanoseconds since 1970-01-01 UTC. */
export function timestampOf(ns: bigint): Timestamp {
  const nanoseconds = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
  return new Timestamp((ns - nanoseconds) / 1_000_000_000n, Number(nanoseconds))
}

/** The timestamp of now. */
export function timestampNow(clock: Clock): Timestamp {
  return timestampOf(clock.now())
}
