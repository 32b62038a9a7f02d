import { describeFlags } from './state-flags.js'
import { Ticks } from './ticks.js'

/** The GUID of 16 bytes as text. */
export function guidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, 16).toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** The 16 bytes of a GUID in text order, with or without braces; `undefined` where it is none. */
export function guidBytes(text: string): Uint8Array | undefined {
  const [, ...parts] =
    /^\{?([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})\}?$/i.exec(text) ?? []
  return parts.length === 0 ? undefined : Buffer.from(parts.join(''), 'hex')
}

/** Turns GUIDs, 16 bytes each, from the order of Microsoft's systems into that of text, or back, where they are. */
export function swapGuids(bytes: Uint8Array): void {
  for (let at = 0; at + 16 <= bytes.length; at += 16) {
    bytes.subarray(at, at + 4).reverse()
    bytes.subarray(at + 4, at + 6).reverse()
    bytes.subarray(at + 6, at + 8).reverse()
  }
}

/**
 * One measurement, as the row interface gives and takes it.
 *
 * ```ts
 * const measurement = new Measurement()
 * measurement.signalId = '28bbb1fc-3434-48d3-87a8-bf5024c089d5'
 * measurement.timestamp = Ticks.utcNow()
 * measurement.value = 59.98
 * publisher.publishMeasurements([measurement])
 * ```
 */
export class Measurement {
  /** GUID of the signal. */
  signalId: string
  value: number
  /** Ticks: 100 ns since 0001-01-01 UTC, with leap bits. */
  timestamp: bigint
  /** Bits of `StateFlags`. */
  flags: number

  constructor(signalId = '00000000-0000-0000-0000-000000000000', value = Number.NaN, timestamp = 0n, flags = 0) {
    this.signalId = signalId
    this.value = value
    this.timestamp = timestamp
    this.flags = flags
  }

  /** The timestamp as a `Date`, cut to the millisecond. */
  get dateTime(): Date {
    return Ticks.toDate(this.timestamp)
  }

  /** `28bbb1fc-3434-48d3-87a8-bf5024c089d5 @ 19:43:53.600 = 516.545 (Normal)`. */
  toString(): string {
    const time = Ticks.toShortString(this.timestamp)
    return `${this.signalId} @ ${time} = ${this.value.toFixed(3)} (${describeFlags(this.flags)})`
  }
}
