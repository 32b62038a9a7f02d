import type { Row, Signal, SignalTable } from '../batch/index.js'
import type { LossRecord, Source } from '../session/index.js'

/** A row of the signal table as a file has it. */
export interface SignalCells {
  readonly id: number
  readonly source: string
  readonly native_id: Uint8Array
  readonly name: string
  readonly kind: string
  readonly type: string
  readonly unit: string
  readonly rate_hz: number | null
  readonly timeline: string
  readonly scale: number
  readonly offset: number
  readonly meta: string
}

/** A row of the loss table as a file has it. */
export interface LossCells {
  readonly id: bigint
  readonly source: string
  readonly signal: bigint | null
  readonly first_seq: bigint | null
  readonly last_seq: bigint | null
  readonly from: bigint | null
  readonly to: bigint | null
  readonly count: bigint | null
  readonly bytes: bigint | null
  readonly cause: string
  readonly at: bigint
  readonly recovered: bigint
}

/** A row of the session table as a file has it. */
export interface SessionCells {
  readonly source: string
  readonly start: bigint
  readonly end: bigint | null
  readonly peer: string
  readonly quirks: readonly string[]
  readonly clock: string
  readonly counters: string
  readonly config_digest: string
  readonly meta: string
}

/** A signal as a row of the signal table. */
export function signalRow(signal: Signal, source: string): Row {
  return {
    id: signal.id,
    source: signal.source || source,
    native_id: signal.nativeId,
    name: signal.name,
    kind: signal.kind,
    type: signal.type,
    unit: signal.unit,
    rate_hz: signal.rateHz,
    timeline: signal.timeline,
    scale: signal.scale,
    offset: signal.offset,
    meta: json(signal.meta),
  }
}

/** Puts rows of a signal table into one in memory; the last row of an id counts. */
export function fillSignals(signals: SignalTable, rows: readonly SignalCells[]): void {
  for (const row of [...lastOf(rows).values()].sort((a, b) => a.id - b.id)) {
    // Rows of the others keep their meaning where the row of a signal is lost.
    while (signals.length < row.id) signals.add({ nativeId: Buffer.from(`unknown/${signals.length}`) })
    signals.add({
      source: row.source,
      nativeId: row.native_id,
      name: row.name,
      kind: row.kind,
      type: row.type,
      unit: row.unit,
      rateHz: row.rate_hz,
      timeline: row.timeline,
      scale: row.scale,
      offset: row.offset,
      meta: parsed(row.meta),
    })
  }
}

/** A loss as a row of the loss table. */
export function lossRow(record: LossRecord): Row {
  return {
    id: record.id,
    source: record.source,
    signal: record.signal,
    first_seq: record.firstSeq,
    last_seq: record.lastSeq,
    from: record.from,
    to: record.to,
    count: record.count,
    bytes: record.bytes,
    cause: record.cause,
    at: record.at,
    recovered: record.recovered,
  }
}

/** A row of the loss table as the ledger has it. */
export function lossOf(row: LossCells): LossRecord {
  const number = (cell: bigint | null): number | null => (cell === null ? null : Number(cell))
  return {
    id: Number(row.id),
    source: row.source,
    signal: number(row.signal),
    firstSeq: row.first_seq,
    lastSeq: row.last_seq,
    from: row.from,
    to: row.to,
    count: number(row.count),
    bytes: number(row.bytes),
    cause: row.cause as LossRecord['cause'],
    at: row.at,
    recovered: Number(row.recovered),
  }
}

/** What the session table says beside what the source says of itself. */
export interface SessionFacts {
  readonly name: string
  readonly start: bigint
  readonly end: bigint | null
  readonly counters: Readonly<Record<string, unknown>>
  readonly configDigest: string
}

/** A session as a row of the session table. */
export function sessionRow(source: Source, facts: SessionFacts): Row {
  const { peer, quirks, clock, meta } = source.describe()
  return {
    source: facts.name,
    start: facts.start,
    end: facts.end,
    peer,
    quirks,
    clock: json(clock),
    counters: json(facts.counters),
    config_digest: facts.configDigest,
    meta: json(meta),
  }
}

/** The last row of every id. */
export function lastOf<T extends { readonly id: number | bigint }>(rows: readonly T[]): Map<T['id'], T> {
  return new Map(rows.map((row) => [row.id, row]))
}

/** JSON text as an object; what is none gives an empty one. */
export function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

function json(value: unknown): string {
  return JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? String(part) : part)) ?? '{}'
}
