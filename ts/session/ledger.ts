/** Where a loss happened. */
export type LossCause = 'wire' | 'decoder' | 'queue' | 'sink' | 'disconnect'

/** What is known of a loss when it is found. */
export interface Gap {
  readonly cause: LossCause
  /** By default that of the ledger. */
  readonly source?: string
  /** Row of the signal table. */
  readonly signal?: number
  /** Sequence numbers of the system, both inclusive. */
  readonly firstSeq?: bigint
  readonly lastSeq?: bigint
  /** Times of the missing rows, ns since 1970-01-01 UTC. */
  readonly from?: bigint
  readonly to?: bigint
  /** Rows. */
  readonly count?: number
  readonly bytes?: number
  /** When it was found; now unless told. */
  readonly at?: bigint
  /** Which run, where numbers begin anew with each: no gap goes on in another. */
  readonly run?: object | string
}

/** A loss; `null` is what nobody knows. */
export interface LossRecord {
  readonly id: number
  readonly source: string
  readonly signal: number | null
  readonly firstSeq: bigint | null
  readonly lastSeq: bigint | null
  readonly from: bigint | null
  readonly to: bigint | null
  readonly count: number | null
  readonly bytes: number | null
  readonly cause: LossCause
  readonly at: bigint
  /** Rows of it that came after all. */
  readonly recovered: number
}

/** A loss as JSON has it: 64-bit numbers and times as text. */
export type LossJson = {
  [K in keyof LossRecord]: LossRecord[K] extends bigint | null ? string | Extract<LossRecord[K], null> : LossRecord[K]
}

/** Sums over a ledger. */
export interface LossTotals {
  /** Records. */
  readonly records: number
  /** Rows missing at first, as far as they can be counted. */
  readonly missing: number
  readonly recovered: number
  /** Records of which rows are missing still, or might be. */
  readonly open: number
}

type Draft = { -readonly [K in keyof LossRecord]: LossRecord[K] }

/**
 * Says of every row that did not arrive what is known of it.
 *
 * ```ts
 * const ledger = new Ledger('sttp-127-0-0-1-7165', clock)
 * const id = ledger.add({ cause: 'wire', firstSeq: 7n, lastSeq: 9n, count: 3 })
 * ledger.recover(id, 3)
 * ledger.totals // { records: 1, missing: 3, recovered: 3, open: 0 }
 * ```
 *
 * A gap that goes on where the newest record of its signal and cause ends becomes part of that record.
 */
export class Ledger implements Iterable<LossRecord> {
  readonly #source: string
  readonly #now: () => bigint
  readonly #limit: number
  readonly #records = new Map<number, Draft>()
  readonly #newest = new Map<string, { readonly record: Draft; readonly run: Gap['run'] }>()
  readonly #listeners = new Set<(record: LossRecord) => void>()
  #nextId = 1
  #missing = 0
  #recovered = 0

  /**
   * @param clock says when a loss was found
   * @param limit records, beyond which a gap widens the newest record of its signal and cause: coarser, never silent
   */
  constructor(source: string, clock: { now(): bigint }, limit = 65_536) {
    this.#source = source
    this.#now = () => clock.now()
    this.#limit = limit
  }

  /** Enters a loss; gives the id of its record. */
  add(gap: Gap): number {
    const key = `${gap.source ?? ''} ${gap.signal ?? ''} ${gap.cause}`
    const newest = this.#newest.get(key)
    this.#missing += gap.count ?? 0
    const isNext = newest !== undefined && newest.run === gap.run && goesOn(newest.record, gap)
    if (newest !== undefined && (isNext || this.#records.size >= this.#limit)) {
      widen(newest.record, gap)
      return this.#changed(newest.record)
    }
    const record: Draft = {
      id: this.#nextId++,
      source: gap.source ?? this.#source,
      signal: gap.signal ?? null,
      firstSeq: gap.firstSeq ?? null,
      lastSeq: gap.lastSeq ?? null,
      from: gap.from ?? null,
      to: gap.to ?? null,
      count: gap.count ?? null,
      bytes: gap.bytes ?? null,
      cause: gap.cause,
      at: gap.at ?? this.#now(),
      recovered: 0,
    }
    this.#records.set(record.id, record)
    this.#newest.set(key, { record, run: gap.run })
    return this.#changed(record)
  }

  /** Rows of a record came after all. */
  recover(id: number, rows: number): void {
    const record = this.#get(id)
    record.recovered += rows
    this.#recovered += rows
    this.#changed(record)
  }

  /** Adds what became known of a record later: where a broken connection's gap ends, how many rows were in it. */
  complete(id: number, known: Partial<Pick<Gap, 'firstSeq' | 'lastSeq' | 'from' | 'to' | 'count' | 'bytes'>>): void {
    const record = this.#get(id)
    if (known.count !== undefined) this.#missing += known.count - (record.count ?? 0)
    Object.assign(record, known)
    this.#changed(record)
  }

  /** More of the same was lost: the record takes the gap in, its counts are added. */
  grow(id: number, gap: Omit<Gap, 'cause'>): void {
    const record = this.#get(id)
    this.#missing += gap.count ?? 0
    widen(record, gap)
    this.#changed(record)
  }

  /** The record of an id. */
  at(id: number): LossRecord | undefined {
    return this.#records.get(id)
  }

  /** Calls for every record that is new or has changed; gives the function that stops it. */
  onChange(listener: (record: LossRecord) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  get totals(): LossTotals {
    let open = 0
    for (const record of this.#records.values()) if (!isRecovered(record)) open++
    return { records: this.#records.size, missing: this.#missing, recovered: this.#recovered, open }
  }

  [Symbol.iterator](): IterableIterator<LossRecord> {
    return this.#records.values()
  }

  toJSON(): LossJson[] {
    return Array.from(this.#records.values(), lossJson)
  }

  #get(id: number): Draft {
    const record = this.#records.get(id)
    if (record === undefined) throw new RangeError(`the ledger has no record ${id}`)
    return record
  }

  #changed(record: Draft): number {
    for (const listener of this.#listeners) listener(record)
    return record.id
  }
}

/** Whether every row of it has come after all. */
export function isRecovered(record: LossRecord): boolean {
  return record.count !== null && record.recovered >= record.count
}

/** The record as JSON has it. */
export function lossJson(record: LossRecord): LossJson {
  const text = (value: bigint | null): string | null => (value === null ? null : String(value))
  return {
    ...record,
    firstSeq: text(record.firstSeq),
    lastSeq: text(record.lastSeq),
    from: text(record.from),
    to: text(record.to),
    at: String(record.at),
  }
}

/** Only sequence numbers prove that nothing lies between two gaps. */
function goesOn(record: LossRecord, gap: Gap): boolean {
  return record.recovered === 0 && record.lastSeq !== null && gap.firstSeq === record.lastSeq + 1n
}

function widen(record: Draft, gap: Omit<Gap, 'cause'>): void {
  const sum = (a: number | null, b: number | undefined): number | null => (a === null || b === undefined ? null : a + b)
  if (gap.lastSeq !== undefined) record.lastSeq = gap.lastSeq
  if (gap.to !== undefined) record.to = gap.to
  record.from ??= gap.from ?? null
  record.firstSeq ??= gap.firstSeq ?? null
  record.count = sum(record.count, gap.count)
  record.bytes = sum(record.bytes, gap.bytes)
}
