import { chmod } from 'node:fs/promises'
import type * as Hdf5 from 'h5wasm'
import { type Batch, rowsOf } from '../batch/index.js'
import type { Sink, Source } from '../session/index.js'
import { cdtpError } from './error-codes.js'
import { MessageType } from './record-batch.js'
import { decodeMap, Timestamp, timestampNs, type Value, type Values } from './value.js'

/** A row of the table `record`. */
interface RecordCells {
  readonly sender: string
  readonly run: string
  readonly kind: number
  readonly seq: bigint
  readonly tags: Uint8Array
  readonly blocks: readonly Uint8Array[]
}

/**
 * Writes the records of one run as an HDF5 file in the layout of Constellation's own H5DataWriter: a group for each
 * sender, in it `BOR` (`user_tags`, `configuration`), `EOR` (`user_tags`, `run_metadata`) and a group `data_000000001` for
 * each record, with the tags as attributes and a dataset `block_00` for each block. The tag `dtype`, a type of numpy, is the
 * type of the blocks; without, they are bytes.
 *
 * The file is written by the optional package `h5wasm`, the HDF5 library compiled to WebAssembly.
 */
export class Hdf5Sink implements Sink {
  stored = 0
  readonly #file: Hdf5.File
  readonly #path: string
  readonly #senders = new Map<string, Hdf5.Group>()
  /** The first row of a BOR or an EOR, which waits for the second. */
  #half: RecordCells | undefined

  private constructor(file: Hdf5.File, path: string) {
    this.#file = file
    this.#path = path
  }

  /** Makes the file; one that is there is replaced. */
  static async open(path: string, source: Source): Promise<Hdf5Sink> {
    const { File, ready } = await hdf5()
    await ready
    let file: Hdf5.File
    try {
      file = new File(path, 'w', { libver: ['v110', 'v110'] })
      await chmod(path, 0o600)
    } catch (cause) {
      throw cdtpError('ERR_CDTP_HDF5_UNWRITABLE', `${path} cannot be made`, { cause })
    }
    // As H5DataWriter says who wrote the file.
    const writer = file.create_group('measurand')
    setAttributes(writer, { source: source.name, date_utc: new Date().toISOString(), swmr_mode: false })
    return new Hdf5Sink(file, path)
  }

  write(batch: Batch, source: Source): void {
    const columns = batch.columns().map(({ field, nullCount, buffers }) => ({ field, nullCount, buffers }))
    try {
      for (const row of rowsOf({ rows: batch.length, columns })) this.#take(row as unknown as RecordCells)
    } catch (cause) {
      throw cdtpError('ERR_CDTP_HDF5_UNWRITABLE', `${this.#path}: ${(cause as Error).message}`, { cause })
    }
    this.stored += source.countOf(batch)
  }

  close(): Promise<void> {
    const status = this.#file.close()
    if (status >= 0) return Promise.resolve()
    return Promise.reject(cdtpError('ERR_CDTP_HDF5_UNWRITABLE', `${this.#path} could not be written to its end`))
  }

  #take(row: RecordCells): void {
    if (row.kind === MessageType.DATA) this.#data(row)
    else if (row.seq === 0n) this.#half = row
    else this.#frame(row)
  }

  #data({ sender, seq, tags, blocks }: RecordCells): void {
    const group = newGroup(this.#sender(sender), `data_${String(seq).padStart(9, '0')}`)
    const values = decodeMap(tags)
    setAttributes(group, values)
    const { dtype } = values
    blocks.forEach((block, at) => {
      const data = typed(block, dtype)
      group.create_dataset({ name: `block_${String(at).padStart(2, '0')}`, data, shape: [data.length] })
    })
  }

  /** The second row of a BOR or an EOR. */
  #frame({ sender, kind, tags }: RecordCells): void {
    const first = this.#half?.sender === sender && this.#half.kind === kind ? this.#half : undefined
    this.#half = undefined
    const isBor = kind === MessageType.BOR
    const group = newGroup(this.#sender(sender), isBor ? 'BOR' : 'EOR')
    setAttributes(group.create_group('user_tags'), first === undefined ? {} : decodeMap(first.tags))
    setAttributes(group.create_group(isBor ? 'configuration' : 'run_metadata'), decodeMap(tags))
  }

  #sender(name: string): Hdf5.Group {
    let group = this.#senders.get(name)
    if (group === undefined) {
      group = this.#file.create_group(name)
      this.#senders.set(name, group)
    }
    return group
  }
}

/** A number that came twice has its second record beside the first. */
function newGroup(parent: Hdf5.Group, name: string): Hdf5.Group {
  let free = name
  for (let copy = 2; parent.get_type(free) >= 0; copy++) free = `${name}_${copy}`
  return parent.create_group(free)
}

/** The names that numpy has for types that typed arrays have. */
const TYPES: Readonly<Record<string, new (buffer: ArrayBuffer) => NumberArray>> = {
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  float32: Float32Array,
  float64: Float64Array,
}
const LETTERS: Readonly<Record<string, string>> = { i: 'int', u: 'uint', f: 'float' }

type NumberArray =
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Float32Array
  | Float64Array

/** A block as numbers of a type of numpy, such as `uint16` or `<u2`; as bytes where it is none, or they do not fit. */
function typed(block: Uint8Array, dtype: Value | undefined): NumberArray {
  if (typeof dtype !== 'string') return block
  const [, letter, bytes] = /^[<=|]?([iuf])([1248])$/.exec(dtype) ?? []
  const name = letter === undefined ? dtype : `${LETTERS[letter]}${8 * Number(bytes)}`
  const Numbers = Object.hasOwn(TYPES, name) ? TYPES[name] : undefined
  if (Numbers === undefined) return block
  const copy = block.slice()
  try {
    return new Numbers(copy.buffer as ArrayBuffer)
  } catch {
    return block
  }
}

/** Writes a map as attributes; the keys of nested maps are joined with dots, as H5DataWriter does. */
function setAttributes(group: Hdf5.Group, values: Values, prefix = ''): void {
  for (const [key, value] of Object.entries(values)) {
    if (value === undefined) continue
    const name = prefix === '' ? key : `${prefix}.${key}`
    if (isMap(value)) setAttributes(group, value, name)
    else setAttribute(group, name, value)
  }
}

function setAttribute(group: Hdf5.Group, name: string, value: Value): void {
  if (typeof value === 'boolean') group.create_attribute(name, Uint8Array.of(value ? 1 : 0), [])
  else if (typeof value === 'bigint' || Number.isSafeInteger(value)) {
    const integer = BigInt(value as bigint | number)
    if (integer > 0x7fff_ffff_ffff_ffffn) group.create_attribute(name, BigUint64Array.of(integer), [])
    else group.create_attribute(name, BigInt64Array.of(integer), [])
  } else if (typeof value === 'number') group.create_attribute(name, Float64Array.of(value), [])
  else if (value instanceof Uint8Array) group.create_attribute(name, value.slice())
  else if (Array.isArray(value)) setList(group, name, value)
  else group.create_attribute(name, textOf(value))
}

function setList(group: Hdf5.Group, name: string, items: readonly Value[]): void {
  if (items.length === 0) group.create_attribute(name, new Float64Array(0), [0])
  else if (items.every((item) => Number.isSafeInteger(item) || typeof item === 'bigint')) {
    group.create_attribute(name, BigInt64Array.from(items as (number | bigint)[], BigInt))
  } else if (items.every((item) => typeof item === 'number')) {
    group.create_attribute(name, Float64Array.from(items as number[]))
  } else group.create_attribute(name, items.map(textOf))
}

function textOf(value: Value | undefined): string {
  if (value === null || value === undefined) return 'None'
  if (value instanceof Timestamp) {
    const ns = timestampNs(value)
    const iso = new Date(Number(value.seconds) * 1000).toISOString().slice(0, 19)
    return `${iso}.${String(((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n).padStart(9, '0')}+00:00`
  }
  if (typeof value === 'string') return value
  return JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? String(item) : item))
}

function isMap(value: Value): value is Values {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

async function hdf5(): Promise<typeof Hdf5> {
  try {
    return await import('h5wasm/node')
  } catch (cause) {
    throw cdtpError('ERR_CDTP_HDF5_MISSING', 'HDF5 needs the package h5wasm: npm install h5wasm', { cause })
  }
}
