/** What the page is told of a source. */
export interface SourceMessage {
  readonly type: 'source'
  readonly name: string
  readonly system: string
  readonly signals: readonly {
    /** Row of the signal table. */
    readonly id: number
    readonly name: string
    readonly kind: string
    readonly unit: string
    readonly rateHz: number | null
  }[]
}

/** What the page is told twice a second. */
export interface StatsMessage {
  readonly type: 'stats'
  readonly state: string
  /** Rows. */
  readonly received: number
  readonly lost: number
  readonly dropped: number
  readonly duplicate: number
  readonly recovered: number
  readonly reconnects: number
  /** Gaps in the ledger. */
  readonly gaps: number
  readonly quirks: readonly string[]
}

/** What the page asks for: the signals that it shows, and the ms of a pixel. */
export interface LookMessage {
  readonly type: 'look'
  readonly signals: readonly number[]
  readonly bucketMs: number
}

/** A row that is no number: an event, a record, a text. */
export interface RowLine {
  /** ms since 1970-01-01 UTC. */
  readonly time: number
  /** Its stream, sender or signal. */
  readonly from: string
  readonly text: string
}

/** What the page is told of the newest of them. */
export interface RowsMessage {
  readonly type: 'rows'
  /** Oldest first. */
  readonly rows: readonly RowLine[]
}
