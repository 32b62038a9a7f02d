import type { PipelineResult } from '../ingest/index.js'
import { type Books, isRecovered, type LossRecord, lossJson } from '../session/index.js'
import { type Call, EXIT } from './command.js'
import { describe, exitCodeOf, sinkExitCodeOf } from './exit-code.js'
import { formatCount } from './values.js'

/** Tells how the pipelines of a command ended; gives its exit code. */
export function summarize(call: Call, results: readonly PipelineResult[], sinkError?: Error): number {
  const books = results.reduce(add, { received: 0, stored: 0, filtered: 0, duplicate: 0, dropped: 0, failed: 0 })
  const losses = results.flatMap((result) => result.losses)
  const seconds = Math.max(0, ...results.map((result) => result.seconds))
  const failures = new Map<Error, number>()
  for (const { error, endedBy } of results) {
    if (error === undefined || isInterrupt(call, error)) continue
    failures.set(error, endedBy === 'sink' ? sinkExitCodeOf(error) : exitCodeOf(error))
  }
  if (sinkError !== undefined) failures.set(sinkError, sinkExitCodeOf(sinkError))
  const texts = new Set([...failures.keys()].map(describe))
  for (const text of texts) call.err.write(`measurand: ${text}\n`)
  if (call.json)
    void call.out.json({ event: 'summary', ...books, lost: losses.map(lossJson), seconds: Number(seconds.toFixed(6)) })
  else tell(call, books, losses, seconds)
  return exitCode(call, [...failures.values()], losses)
}

/** Whether an error only says that Ctrl-C was pressed. */
function isInterrupt(call: Call, error: Error & { code?: unknown }): boolean {
  return call.signal.aborted && error.code === 'ERR_SESSION_ABORTED'
}

function exitCode(call: Call, failures: readonly number[], losses: readonly LossRecord[]): number {
  if (failures.length > 0) return Math.max(...failures)
  if (call.signal.aborted) return EXIT.interrupted
  return losses.every(isRecovered) ? EXIT.done : EXIT.incomplete
}

function tell(call: Call, books: Books, losses: readonly LossRecord[], seconds: number): void {
  const parts = Object.entries(books).filter(([name, rows]) => rows > 0 || name === 'received' || name === 'stored')
  const text = parts.map(([name, rows]) => `${name} ${formatCount(rows)}`).join(', ')
  call.err.write(`${text} in ${seconds.toFixed(1)} s; the books balance\n`)
  for (const loss of losses.slice(0, SHOWN)) call.err.write(`  ${lossText(loss)}\n`)
  if (losses.length > SHOWN) call.err.write(`  and ${losses.length - SHOWN} more losses\n`)
}

const SHOWN = 10

function lossText({ source, cause, count, bytes, firstSeq, lastSeq, recovered }: LossRecord): string {
  const size =
    count === null ? (bytes === null ? 'an unknown number of rows' : `${bytes} bytes`) : `${formatCount(count)} rows`
  const where = firstSeq === null ? '' : `, numbers ${firstSeq} to ${lastSeq}`
  return `lost by ${source} (${cause}): ${size}${where}${recovered > 0 ? `, ${formatCount(recovered)} recovered` : ''}`
}

function add(sum: Books, { books }: PipelineResult): Books {
  return {
    received: sum.received + books.received,
    stored: sum.stored + books.stored,
    filtered: sum.filtered + books.filtered,
    duplicate: sum.duplicate + books.duplicate,
    dropped: sum.dropped + books.dropped,
    failed: sum.failed + books.failed,
  }
}
