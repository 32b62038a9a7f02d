import type { EventLog } from './event-log.js'
import type { Stream } from './stream.js'

/** How long messages are kept; whatever is left out does not bound. */
export interface Retention {
  /** Bytes of messages of one stream, at most. */
  readonly maxBytes?: number
  /** ms. */
  readonly maxAge?: number
}

/** Deletes whole entries of a stream that are too old or too many; gives whether there were any. */
export async function trim(
  stream: Stream,
  log: EventLog,
  { maxBytes, maxAge }: Retention,
  now: number,
): Promise<boolean> {
  if (maxBytes === undefined && maxAge === undefined) return false
  const oldest = maxAge === undefined ? 0 : now - maxAge
  let { start } = stream
  let over = maxBytes === undefined ? Number.NEGATIVE_INFINITY : stream.bytes - maxBytes
  for (;;) {
    const [entry] = start < stream.next ? await stream.read(start, 1) : []
    if (entry === undefined || (over <= 0 && entry.time >= oldest)) break
    over -= entry.packed.length
    start = entry.first + entry.count
  }
  if (start === stream.start) return false
  stream.start = start
  await log.trim(stream.number, start)
  return true
}
