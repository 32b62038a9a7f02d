import { type ArrowColumn, type Batch, type Cell, cellOf, type Signal, SignalTable } from '../batch/index.js'
import type { RowLine } from './messages.js'
import { milliseconds } from './points.js'

/** Where ids of fields begin: those below are rows of the source's signal table. */
export const FIELD_ID = 1 << 20
/** Fields beyond are not shown; a payload may have new names for ever. */
const FIELDS = 512
const DEPTH = 4
const TEXT = 2000

/** What takes the values of fields. */
export type PutPoint = (id: number, timeMs: number, value: number) => void

/**
 * Makes traces and lines of rows that are no measurements: of an event the numbers in its payload, by their place in
 * it (`values/0`), of a record its bytes.
 */
export class Fields {
  readonly #signals = new SignalTable()

  /** The fields met so far, with the ids of the page. */
  get signals(): Signal[] {
    return Array.from(this.#signals, (signal) => ({ ...signal, id: FIELD_ID + signal.id }))
  }

  /** How many there are. */
  get length(): number {
    return this.#signals.length
  }

  /** The id of a field; undefined beyond the limit. */
  idOf(kind: string, name: string, unit = ''): number | undefined {
    const nativeId = Buffer.from(`${kind}\n${name}`)
    const known = this.#signals.rowOf(nativeId)
    if (known !== undefined) return FIELD_ID + known
    return this.#signals.length < FIELDS ? FIELD_ID + this.#signals.add({ nativeId, name, kind, unit }) : undefined
  }

  /** Reads rows `from` to `to`: their values go to `put`, if there is one, their texts come back. */
  read(batch: Batch, from: number, to: number, now: number, put: PutPoint | undefined): RowLine[] {
    const columns = new Map(batch.columns().map((column) => [column.field.name, column]))
    const cell = (name: string): ((row: number) => Cell) => {
      const column = columns.get(name)
      return column === undefined ? () => undefined : cellOf(column)
    }
    const [time, rx] = [cell('time'), cell('rx')]
    const timeOf = (row: number): number => {
      const ms = milliseconds(time(row) ?? rx(row))
      return Number.isNaN(ms) ? now : ms
    }
    const lineOf = batch.table === 'event' ? this.#event(cell, put) : this.#record(cell, columns.get('blocks'), put)
    return Array.from({ length: to - from }, (_, at) => lineOf(from + at, timeOf(from + at)))
  }

  #event(
    cell: (name: string) => (row: number) => Cell,
    put: PutPoint | undefined,
  ): (row: number, time: number) => RowLine {
    const [stream, payload] = [cell('stream'), cell('payload')]
    return (row, time) => {
      const [from, text] = [String(stream(row)), String(payload(row))]
      if (put !== undefined) this.#explode(from, '', parsed(text), time, put, DEPTH)
      return { time, from, text: text.slice(0, TEXT) }
    }
  }

  #explode(kind: string, path: string, value: unknown, time: number, put: PutPoint, depth: number): void {
    if (typeof value === 'number' || typeof value === 'boolean') {
      const id = this.idOf(kind, path === '' ? 'value' : path)
      if (id !== undefined) put(id, time, Number(value))
    } else if (typeof value === 'object' && value !== null && depth > 0) {
      for (const [name, part] of Object.entries(value)) {
        this.#explode(kind, path === '' ? name : `${path}/${name}`, part, time, put, depth - 1)
      }
    }
  }

  #record(
    cell: (name: string) => (row: number) => Cell,
    blocks: ArrowColumn | undefined,
    put: PutPoint | undefined,
  ): (row: number, time: number) => RowLine {
    const [sender, run, kind, seq] = ['sender', 'run', 'kind', 'seq'].map(cell) as [Read, Read, Read, Read]
    const bytesOf = blockBytes(blocks)
    return (row, time) => {
      const [from, bytes] = [String(sender(row)), bytesOf(row)]
      const type = KINDS[Number(kind(row))] ?? 'DATA'
      const id = type === 'DATA' ? this.idOf(from, `${from} record`, 'B') : undefined
      if (id !== undefined) put?.(id, time, bytes)
      return { time, from, text: `${type} ${String(seq(row))} of ${String(run(row))}, ${bytes} bytes` }
    }
  }
}

type Read = (row: number) => Cell

const KINDS = ['DATA', 'BOR', 'EOR']

/** Bytes of a record's blocks, which stay where they are. */
function blockBytes(blocks: ArrowColumn | undefined): (row: number) => number {
  const [lists, ends] = [blocks?.buffers[1], blocks?.buffers[3]].map(
    (bytes) => bytes && new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  )
  if (lists === undefined || ends === undefined) return () => 0
  const end = (row: number): number => Number(ends.getBigInt64(8 * lists.getInt32(4 * row, true), true))
  return (row) => end(row + 1) - end(row)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
