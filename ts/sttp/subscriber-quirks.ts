import type { SttpSubscription } from './codec.js'
import { STTPAPI } from './codes.js'

/** Programs that take the flags of a buffer block for the index of a cache. */
const FLAGLESS = /^STTP (Go|C\+\+) /

/** Whether a subscriber reads the flags of buffer blocks. */
export function knowsBlockFlags({ source = '' }: SttpSubscription): boolean {
  return !FLAGLESS.test(source)
}

/** What a subscriber does otherwise than the protocol, or cannot do and is spared; each has its name in the guide. */
export function subscriberQuirks(subscription: SttpSubscription): string[] {
  const { ignored = [], source, dataChannel } = subscription
  const isSttpapi = source === STTPAPI
  const met = {
    'setting-without-value': ignored.length > 0,
    'one-base-time': isSttpapi,
    'cipher-keys-misread': isSttpapi && dataChannel !== undefined,
    'buffer-blocks-without-flags': !knowsBlockFlags(subscription),
  }
  return Object.entries(met).flatMap(([name, isMet]) => (isMet ? [name] : []))
}
