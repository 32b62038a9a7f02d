import type { Batch, SignalTable } from '../batch/index.js'
import type { Gap, Ledger } from './ledger.js'
import type { Spill } from './spill.js'
import type { StatsSnapshot } from './stats.js'
import type { StatusStream } from './status.js'

/** What happens when a bounded queue is full: wait, give up the oldest, or give up the connection. */
export type Policy = 'block' | 'drop-oldest' | 'disconnect'

/** The same for a source, whose queue may also go on in a file. */
export type SourcePolicy = Policy | Spill

/** What a source says of itself for the session table; no secrets. */
export interface SourceDescription {
  /** Where the peer is. */
  readonly peer: string
  /** Deviations of the peer that are worked around. */
  readonly quirks: readonly string[]
  /** How the system's time relates to UTC (anchor, offset, drift). */
  readonly clock: Readonly<Record<string, unknown>>
  /** What else is known: subject, run, ... */
  readonly meta: Readonly<Record<string, unknown>>
}

/**
 * Something that gives batches: any session. It has one consumer, a loop or a function. A batch is valid until the
 * loop's next turn, or until what the function gave has resolved; `batch.copy()` keeps it.
 */
export interface Source<B extends Batch = Batch> extends AsyncIterable<B>, AsyncDisposable {
  /** The name under which it is stored. */
  readonly name: string
  /** `sttp`, `tia`, `cdtp`, `stream-sea` or `sisock`; a recording has that of what it holds. */
  readonly system: string
  readonly signals: SignalTable
  readonly stats: StatsSnapshot
  readonly ledger: Ledger
  readonly status: StatusStream
  /** What happens when the consumer does not keep up; `block` unless told. */
  policy: SourcePolicy
  /** Resolves when it is over: with the error that ended it, or nothing. Never rejects. */
  readonly closed: Promise<Error | undefined>
  /** What the session table says of it. */
  describe(): SourceDescription
  /** Rows of a batch in the unit of the books: all, except where some are made from others or frame a run. */
  countOf(batch: B): number
  /** What the ledger says of a batch that is lost whole, where the source knows more than the number of its rows. */
  gapsOf?(batch: Batch): readonly Omit<Gap, 'cause'>[]
  /** Rows of another table that are made from a batch's; they are stored beside them and not counted in the books. */
  derive?(batch: Batch): Batch | undefined
  /** Gives every batch to a function; resolves at the end, rejects with what ended it. */
  consume(call: (batch: B) => void | Promise<void>): Promise<void>
  /** Ends it now. Rows that nobody has taken are not received. */
  close(): Promise<void>
  /** Ends it after what has come was taken. */
  drain(): Promise<void>
}

/** Something that takes batches: a recording, a bus, a publisher. */
export interface Sink {
  /** Takes a batch; it may use the batch's memory until it resolves, not longer. Rejects with a `StorageError`. */
  write(batch: Batch, source: Source): void | Promise<void>
  /** Rows that it has taken for good. */
  readonly stored: number
  /** Writes out what it holds; what was stored before stays readable whatever happens. */
  close(): Promise<void>
}
