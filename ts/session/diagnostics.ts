import { type Channel, channel } from 'node:diagnostics_channel'
import { debuglog } from 'node:util'

const log = debuglog('measurand')

/**
 * The channels of `node:diagnostics_channel` on which sessions tell what they do, and the messages on each. The same
 * appears on stderr with `NODE_DEBUG=measurand`.
 */
export const CHANNELS = {
  /** `{ source, state, at, detail? }`: a session changed its state. */
  status: channel('measurand:session:status'),
  /** A `LossRecord` that is new or has changed. */
  loss: channel('measurand:session:loss'),
  /** `{ source, code, offset, length }`: bytes could not be read. */
  malformed: channel('measurand:session:malformed'),
  /** `{ source, paused }`: reading stopped because nobody takes the rows, or goes on. */
  pressure: channel('measurand:session:pressure'),
} as const satisfies Record<string, Channel>

/** Tells a channel's subscribers and the debug log; the message is built only where somebody listens. */
export function tell(name: keyof typeof CHANNELS, message: () => object): void {
  const subscribed = CHANNELS[name].hasSubscribers
  if (!subscribed && !log.enabled) return
  const built = message()
  if (subscribed) CHANNELS[name].publish(built)
  if (log.enabled) log('%s %o', name, built)
}
