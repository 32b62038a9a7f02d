import type { Batch } from '../batch/index.js'
import {
  type Books,
  type Clock,
  checkNumbers,
  imbalance,
  type LossRecord,
  MeasurandError,
  type Sink,
  type Source,
  type SourcePolicy,
  systemClock,
  WAIT,
} from '../session/index.js'
import { ingestError } from './error-codes.js'
import { FirstRows } from './first-rows.js'

/** When a pipeline ends, and what happens when the sink does not keep up. */
export interface PipelineOptions {
  /** Rows, in the unit of the source's books, after which it ends; those behind are not received. */
  readonly limit?: number
  /** ms, after which it ends with what has come. */
  readonly duration?: number
  /** Ends it with what has come. */
  readonly signal?: AbortSignal
  readonly policy?: SourcePolicy
  readonly clock?: Clock
}

/** How a pipeline ended. */
export interface PipelineResult {
  readonly source: Source
  readonly books: Books
  readonly losses: readonly LossRecord[]
  /** Whether every row that was due is stored: no loss is open. */
  readonly isComplete: boolean
  /** Who ended it. */
  readonly endedBy: 'source' | 'limit' | 'duration' | 'signal' | 'sink'
  /** What ended it, where that was an error of the source or of the sink. */
  readonly error: Error | undefined
  readonly seconds: number
}

/**
 * Gives every batch of a source to a sink until the source ends, or the limit, the duration or the signal end it; then
 * checks the books. The sink stays open: it may have other sources.
 *
 * ```ts
 * const result = await pipeline(await openSource('sttp://127.0.0.1:7165'), sink, { duration: 60_000 })
 * if (!result.isComplete) console.error(result.losses)
 * ```
 *
 * @throws `ERR_INGEST_BOOKS_UNBALANCED` where rows are neither stored nor accounted for
 */
export async function pipeline(source: Source, sink: Sink, options: PipelineOptions = {}): Promise<PipelineResult> {
  const { limit = Number.POSITIVE_INFINITY, duration, signal, clock = systemClock } = options
  checkNumbers(options, { limit: { min: 0, max: Number.POSITIVE_INFINITY }, duration: WAIT })
  if (options.policy !== undefined) source.policy = options.policy
  const start = clock.elapsed()
  let endedBy: PipelineResult['endedBy'] = 'source'
  let stored = 0
  let failed = 0
  /** Rows of the last batch that lie behind the limit. */
  let behind = 0
  let sinkError: Error | undefined

  const drain = (by: 'duration' | 'signal'): void => {
    if (endedBy !== 'source') return
    endedBy = by
    void source.drain()
  }
  const onAbort = (): void => drain('signal')
  const timer = duration === undefined ? undefined : clock.after(duration, () => drain('duration'))
  if (signal?.aborted) onAbort()
  else signal?.addEventListener('abort', onAbort, { once: true })

  const take = async (batch: Batch): Promise<void> => {
    const rows = source.countOf(batch)
    const left = limit - stored
    if (left <= 0 && rows > 0) {
      behind += rows
      return
    }
    const due = Math.min(rows, left)
    try {
      await sink.write(due === rows ? batch : cut(source, batch, due), source)
      stored += due
    } catch (error) {
      sinkError = error as Error
      failed += due
      endedBy = 'sink'
      const gaps = due === rows ? source.gapsOf?.(batch) : undefined
      for (const gap of gaps ?? [{ count: due }]) source.ledger.add({ cause: 'sink', ...gap })
    }
    behind += rows - due
    if (sinkError !== undefined) return source.close()
    if (stored < limit || endedBy === 'limit') return
    endedBy = 'limit'
    await source.close()
  }

  let sourceError: Error | undefined
  try {
    if (limit > 0) await source.consume(take)
    else {
      endedBy = 'limit'
      await source.close()
    }
  } catch (error) {
    sourceError = error as Error
  } finally {
    timer?.cancel()
    signal?.removeEventListener('abort', onAbort)
  }
  await source.closed
  const { received, filtered, duplicate, dropped, failed: unread } = source.stats
  const books = { received: received - behind, stored, filtered, duplicate, dropped, failed: failed + unread }
  const missing = imbalance(books)
  if (missing !== 0) {
    throw ingestError(
      'ERR_INGEST_BOOKS_UNBALANCED',
      `${missing} rows of ${source.name} are missing: ${JSON.stringify(books)}`,
    )
  }
  return {
    source,
    books,
    losses: [...source.ledger],
    isComplete: source.ledger.totals.open === 0,
    endedBy,
    error: sinkError === undefined ? sourceError : sinkFailure(sinkError),
    seconds: (clock.elapsed() - start) / 1000,
  }
}

function sinkFailure(cause: Error): MeasurandError {
  if (cause instanceof MeasurandError) return cause
  return ingestError('ERR_INGEST_SINK_FAILED', `the sink failed: ${cause.message}`, { cause })
}

/** The batch up to so many rows that count. */
function cut(source: Source, batch: Batch, due: number): Batch {
  for (let rows = due; rows < batch.length; rows++) {
    const first = new FirstRows(batch, rows)
    if (source.countOf(first) >= due) return first
  }
  return batch
}
