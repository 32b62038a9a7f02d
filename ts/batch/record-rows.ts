import type { Batch } from './batch.js'

/** How many rows of a batch count in the books: of records only data, as BOR and EOR only frame a run. */
export function countedRows(batch: Batch): number {
  if (batch.table !== 'record') return batch.length
  const kinds = batch.columns().find(({ field }) => field.name === 'kind')?.buffers[1]
  if (kinds === undefined) return batch.length
  let count = 0
  for (const kind of kinds) if (kind === 0) count++
  return count
}
