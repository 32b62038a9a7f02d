import { packedSlice, packedSliceLength } from './entry.js'
import type { Append } from './event-log.js'

/** Messages of NATS that are stored together, at most; the server takes 1,000. */
const BATCH = 900
/** Bytes beside the packed messages: first offset, head, keys, and the headers of NATS. */
const AROUND = 4096

/** Publishes that become one entry; a publish with a key is alone, one that is too long becomes several entries. */
export interface Run {
  /** Indices of its publishes. */
  readonly from: number
  readonly to: number
  readonly key: string | undefined
  readonly count: number
  readonly pieces: readonly { readonly count: number; readonly packed: Buffer }[]
}

/** Splits an append into entries that NATS takes. A publish of which one message is too long has no piece. */
export function runsOf({ publishes, packed }: Append, maxPayload: number): Run[] {
  const limit = maxPayload - AROUND
  const runs: Run[] = []
  let [from, first, count] = [0, 0, 0]
  const finish = (to: number, key?: string): void => {
    if (to > from) runs.push({ from, to, key, count, pieces: piecesOf(packed, first, first + count, limit) })
    from = to
    first += count
    count = 0
  }
  for (const [index, publish] of publishes.entries()) {
    const isLong = packedSliceLength(packed, first, first + count + publish.count) > limit
    if (publish.key !== undefined || isLong) finish(index)
    count += publish.count
    if (publish.key !== undefined) finish(index + 1, publish.key)
  }
  finish(publishes.length)
  return runs
}

/** Groups runs into those that are stored together. */
export function batchesOf(runs: readonly Run[]): Run[][] {
  const batches: Run[][] = []
  let room = 0
  for (const run of runs) {
    if (batches.length === 0 || run.pieces.length > room) {
      batches.push([])
      room = BATCH
    }
    batches.at(-1)?.push(run)
    room -= run.pieces.length
  }
  return batches
}

function piecesOf(packed: Buffer, first: number, end: number, limit: number): { count: number; packed: Buffer }[] {
  const pieces: { count: number; packed: Buffer }[] = []
  for (let from = first; from < end; ) {
    let to = end
    // Halving finds a length that fits; pieces need not be as long as they can be.
    while (to > from && packedSliceLength(packed, from, to) > limit) to = from + Math.floor((to - from) / 2)
    if (to === from) return []
    pieces.push({ count: to - from, packed: packedSlice(packed, from, to) })
    from = to
  }
  return pieces
}
