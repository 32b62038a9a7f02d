import { type Clock, type Source, systemClock, type Timer } from '../session/index.js'
import type { Call } from './command.js'
import { formatBytes, formatCount } from './values.js'

const EVERY = 500

/** A line on stderr that says how it goes, where stderr is a terminal; gives the function that ends it. */
export function showProgress(call: Call, sources: readonly Source[], clock: Clock = systemClock): () => void {
  if (!call.err.isTTY) return () => {}
  let rows = 0
  let bytes = 0
  let at = clock.elapsed()
  const show = (): void => {
    const sum = (count: (source: Source) => number): number => sources.reduce((total, one) => total + count(one), 0)
    const now = clock.elapsed()
    const [rowsNow, bytesNow] = [sum(({ stats }) => stats.received), sum(({ stats }) => stats.bytesIn)]
    const rate = (count: number): number => Math.round((count * 1000) / (now - at))
    const parts = [
      `${formatCount(rowsNow)} rows`,
      `${formatCount(rate(rowsNow - rows))} rows/s`,
      `${formatBytes(rate(bytesNow - bytes))}/s`,
      `waiting ${formatBytes(sum(({ stats }) => stats.queuedBytes))}`,
      `lost ${formatCount(sum(({ stats }) => stats.lost + stats.dropped))}`,
      `reconnects ${formatCount(sum(({ stats }) => stats.reconnects))}`,
    ]
    call.err.write(`\r\x1b[K${parts.join('  ')}`)
    rows = rowsNow
    bytes = bytesNow
    at = now
    timer = clock.after(EVERY, show)
  }
  let timer: Timer = clock.after(EVERY, show)
  return () => {
    timer.cancel()
    call.err.write('\r\x1b[K')
  }
}
