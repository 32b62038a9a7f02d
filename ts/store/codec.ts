// The only file of this room that touches the addon.

import type { Field } from '../batch/index.js'
import * as native from '../native/index.js'
import { fromNative } from '../session/index.js'

/** How a segment ends. */
export interface Tail {
  /** Whether its writer closed it. */
  readonly closed: boolean
  /** Offset behind the last whole batch. */
  readonly offset: number
  /** Bytes behind that. */
  readonly bytes: number
  /** Why they are no batch: `cut`, `zeros`, `behind` (the end of the stream) or `malformed`. */
  readonly fault?: string
  /** The same in words. */
  readonly reason?: string
}

/** What a compaction did. */
export interface Compacted {
  readonly rows: number
  /** 16 hexadecimal digits. */
  readonly checksum: string
  /** Bytes of the Parquet file. */
  readonly bytes: number
  readonly tail: Tail
}

/** Consecutive sequence numbers that a file has. */
export interface SequenceRun {
  /** Who counts: empty for measurements, the sender of records, the stream of events. */
  readonly of: string
  readonly first: bigint
  readonly last: bigint
}

/** What a file has. */
export interface Inspection {
  readonly fields: readonly ColumnField[]
  readonly isParquet: boolean
  readonly bytes: number
  readonly rows: number
  /** Rows that count in the books: of records only data. */
  readonly counted: number
  readonly batches: number
  readonly firstTime?: bigint
  readonly lastTime?: bigint
  readonly unknownTimes: number
  /** Rows of each signal of the signal table. */
  readonly signalRows: readonly number[]
  readonly unknownSignals: number
  /** Over every column of its rows, 16 hexadecimal digits. */
  readonly checksum: string
  /** What a recording shares with the recording of its replay. */
  readonly replay: string
  readonly storedRows?: number
  readonly storedChecksum?: string
  readonly tail?: Tail
  readonly compactedTailBytes: number
  readonly sequences: readonly SequenceRun[]
  readonly sequencesComplete: boolean
}

/** A column as a file has it. */
export interface ColumnField {
  readonly name: string
  readonly type: string
  readonly nullable: boolean
  readonly metadata?: Readonly<Record<string, string>>
}

/** Rows as columns. */
export interface Columns {
  readonly rows: number
  readonly columns: readonly {
    readonly field: ColumnField
    readonly nullCount: number
    readonly buffers: readonly Uint8Array[]
    readonly items?: number
  }[]
}

/** Which rows a reader gives. */
export interface Selection {
  /** ns since 1970-01-01 UTC. */
  readonly since?: bigint
  /** ns since 1970-01-01 UTC; rows of this time are not wanted. */
  readonly until?: bigint
  /** For each row of the signal table 1 where it is wanted. */
  readonly signals?: Uint8Array
}

/** How a read ended: the file is at its end, the block is full, or the next rows have to be taken as columns. */
export const PROGRESS = { end: 0, full: 1, columns: 2 } as const

/** The bytes with which a segment of these columns starts. */
export function schemaMessage(fields: readonly Field[]): Uint8Array {
  const plain = fields.map(({ name, type, nullable, metadata }) =>
    metadata === undefined ? { name, type, nullable } : { name, type, nullable, metadata: { ...metadata } },
  )
  return coded(() => native.storeSchemaMessage(plain))
}

/** The bytes in front of a batch's columns. */
export function batchHeader(rows: number, nodes: Float64Array, lengths: Float64Array): Uint8Array {
  return coded(() => native.storeBatchHeader(rows, nodes, lengths))
}

/** Writes the whole batches of a segment as a Parquet file, which is on the disk when this resolves. */
export function compactSegment(source: string, target: string): Promise<Compacted> {
  return native.storeCompact(source, target).catch(reject)
}

/** Reads a file whole and says what it has. */
export function inspectFile(path: string, nativeIds: readonly Uint8Array[] = []): Promise<Inspection> {
  return native.storeInspect(path, [...nativeIds]).catch(reject)
}

/** How much a file has. */
export interface Summary {
  readonly isParquet: boolean
  readonly bytes: number
  readonly rows: number
  readonly firstTime?: bigint
  readonly lastTime?: bigint
}

/** Says how much a file has: of a Parquet file as its metadata says, a segment is read. */
export function summariseFile(path: string): Promise<Summary> {
  return native.storeSummarise(path).catch(reject)
}

/** The checksum of rows behind others: of the first ones, and of the `rows` next ones. */
export function joinChecksums(first: string, next: string, rows: number): string {
  return coded(() => native.storeJoinChecksums(first, next, rows))
}

/** Reads the selected rows of a file. */
export class FileReader {
  readonly #reader: native.StoreReader

  constructor(path: string, selection: Selection = {}) {
    this.#reader = coded(() => new native.StoreReader(path, selection))
  }

  get fields(): readonly ColumnField[] {
    return this.#reader.fields()
  }

  /** Rows read so far that were not selected. */
  get filtered(): number {
    return this.#reader.filtered()
  }

  /** How a segment ends, once it was read to its end. */
  get tail(): Tail | null {
    return this.#reader.tail()
  }

  /** Appends rows to a block, which nobody may touch until this resolves; gives one of {@link PROGRESS}. */
  read(block: Uint8Array): Promise<number> {
    return this.#reader.read(block).catch(reject)
  }

  /** The next rows as columns; null at the end. */
  takeColumns(): Promise<Columns | null> {
    return this.#reader.takeColumns().catch(reject)
  }
}

function coded<T>(call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw fromNative(error, 'store')
  }
}

function reject(error: unknown): never {
  throw fromNative(error, 'store')
}
