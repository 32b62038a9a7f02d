import type { ArrowColumn } from './batch.js'
import type { Cell } from './table-batch.js'
import type { Field } from './tables.js'

const NOTHING = new Uint8Array(0)

type Fixed = BigInt64Array | BigUint64Array | Float64Array | Uint32Array | Uint16Array | Uint8Array

/** Builds one column of a cold table. */
export class ColumnBuilder {
  readonly field: Field
  readonly #valid: boolean[] = []
  readonly #cells: Cell[] = []
  #nulls = 0

  constructor(field: Field) {
    this.field = field
  }

  /** Whether no row has a value. */
  get isAllNull(): boolean {
    return this.#nulls === this.#valid.length
  }

  /** Throws a `TypeError` where the cell is not of the column's type. */
  check(cell: Cell): void {
    if (cell === null || cell === undefined) return
    if (!CHECKS[this.field.type](cell)) {
      throw new TypeError(`the column ${this.field.name} takes ${this.field.type}, not ${typeof cell} ${String(cell)}`)
    }
  }

  /** Appends a checked cell; gives about how many bytes it takes. */
  push(cell: Cell): number {
    const missing = cell === null || cell === undefined
    if (missing) this.#nulls++
    this.#valid.push(!missing)
    this.#cells.push(missing ? undefined : cell)
    return cellBytes(cell)
  }

  /** The column's Arrow buffers. */
  finish(): ArrowColumn {
    const { field } = this
    const nullCount = field.nullable ? this.#nulls : 0
    const validity = nullCount === 0 ? NOTHING : bitmap(this.#valid)
    switch (field.type) {
      case 'utf8':
      case 'binary':
        return { field, nullCount, buffers: [validity, ...variable(this.#cells.map(toBytes), false)] }
      case 'list<utf8>':
      case 'list<large_binary>': {
        const lists = this.#cells.map((cell) => (cell ?? []) as readonly (string | Uint8Array)[])
        const offsets = new Int32Array(lists.length + 1)
        lists.forEach((list, row) => {
          offsets[row + 1] = (offsets[row] as number) + list.length
        })
        const items = lists.flat().map(toBytes)
        const itemBuffers = [NOTHING, ...variable(items, field.type === 'list<large_binary>')]
        return { field, nullCount, buffers: [validity, view(offsets), ...itemBuffers], items: { length: items.length } }
      }
      default:
        return { field, nullCount, buffers: [validity, view(fixed(field, this.#cells))] }
    }
  }
}

const isInteger = (bits: number) => (cell: Cell) =>
  (typeof cell === 'number' && Number.isInteger(cell) && cell >= 0 && cell < 2 ** bits) ||
  (typeof cell === 'bigint' && cell >= 0n && cell < 2n ** BigInt(bits))

const CHECKS: Record<Field['type'], (cell: Cell) => boolean> = {
  'timestamp[ns]': (cell) => typeof cell === 'bigint' && BigInt.asIntN(64, cell) === cell,
  f64: (cell) => typeof cell === 'number',
  u64: (cell) => (typeof cell === 'number' ? Number.isSafeInteger(cell) && cell >= 0 : isInteger(64)(cell)),
  u32: isInteger(32),
  u16: isInteger(16),
  u8: isInteger(8),
  utf8: (cell) => typeof cell === 'string',
  binary: (cell) => cell instanceof Uint8Array,
  'list<utf8>': (cell) => Array.isArray(cell) && cell.every((item) => typeof item === 'string'),
  'list<large_binary>': (cell) => Array.isArray(cell) && cell.every((item) => item instanceof Uint8Array),
}

function fixed(field: Field, cells: readonly Cell[]): Fixed {
  switch (field.type) {
    case 'timestamp[ns]':
      return BigInt64Array.from(cells, (cell) => (cell ?? 0n) as bigint)
    case 'u64':
      return BigUint64Array.from(cells, (cell) => BigInt((cell ?? 0n) as bigint | number))
    case 'f64':
      return Float64Array.from(cells, (cell) => (cell ?? 0) as number)
    case 'u32':
      return Uint32Array.from(cells, (cell) => Number(cell ?? 0))
    case 'u16':
      return Uint16Array.from(cells, (cell) => Number(cell ?? 0))
    default:
      return Uint8Array.from(cells, (cell) => Number(cell ?? 0))
  }
}

function variable(items: readonly Uint8Array[], large: boolean): [Uint8Array, Uint8Array] {
  const data = Buffer.concat(items)
  const ends: number[] = [0]
  let end = 0
  for (const item of items) {
    end += item.length
    ends.push(end)
  }
  return [view(large ? BigInt64Array.from(ends, BigInt) : Int32Array.from(ends)), data]
}

function bitmap(valid: readonly boolean[]): Uint8Array {
  const bits = new Uint8Array(Math.ceil(valid.length / 8))
  valid.forEach((isValid, row) => {
    if (isValid) bits[row >> 3] = (bits[row >> 3] as number) | (1 << (row & 7))
  })
  return bits
}

function toBytes(cell: Cell): Uint8Array {
  if (cell instanceof Uint8Array) return cell
  return typeof cell === 'string' ? Buffer.from(cell, 'utf8') : NOTHING
}

function cellBytes(cell: Cell): number {
  if (typeof cell === 'string' || cell instanceof Uint8Array) return cell.length + 4
  if (Array.isArray(cell)) return cell.reduce<number>((sum, item) => sum + cellBytes(item as Cell), 4)
  return 8
}

function view(array: Fixed | Int32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}
