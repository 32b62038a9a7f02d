import { gunzipSync } from 'node:zlib'
import type { Row } from '../batch/index.js'
import type { Gap } from '../session/index.js'
import type { SttpControl } from './codec.js'

/** Bits of a buffer block's flags. */
export const BUFFER_BLOCK = { confirm: 0x01, keyIndex: 0x04, compressed: 0x08, cacheIndex: 0x10 } as const

/** Bytes of a signal, as they were published. */
export interface BufferBlock {
  /** GUID of the signal. */
  readonly signalId: string
  /** Row of the signal in the session's table. */
  readonly signal: number
  /** Number of the block; they count from 0 at each connection. */
  readonly sequence: number
  readonly bytes: Uint8Array
}

/** What becomes of the blocks of a connection. */
export interface BufferBlockHost {
  /** GUID of the signal of a row. */
  signalId(row: number): string
  give(block: BufferBlock): void
  /** It had come before: the publisher had not had its confirmation yet. */
  again(sequence: number): void
  /** Enters a gap into the ledger; gives the id of the record. */
  lose(gap: Gap): number
  /** A missing block came after all. */
  recover(id: number): void
  malformed(code: string, message: string, control: SttpControl): void
}

/** Blocks that are remembered to be missing. */
const REMEMBERED = 65_536

/** Reads the buffer blocks of one connection: finds their signals, decompresses them, and knows which have come. */
export class BufferBlockIntake {
  readonly #limit: number
  readonly #host: BufferBlockHost
  readonly #caches: (() => ReadonlyMap<number, number>)[] = []
  /** Every block before this one has come, or is missing. */
  #next = 0
  /** Missing blocks, and their record in the ledger. */
  readonly #missing = new Map<number, number>()

  /** @param limit bytes of a block at most, decompressed */
  constructor(host: BufferBlockHost, limit: number) {
    this.#host = host
    this.#limit = limit
  }

  /** A signal index cache: its wire indexes and the rows of their signals. Most are never asked for one. */
  setCache(cacheIndex: number, indexes: Int32Array, rows: Uint32Array): void {
    let known: ReadonlyMap<number, number> | undefined
    this.#caches[cacheIndex] = () => {
      known ??= new Map(Array.from(rows, (row, at) => [indexes[at] as number, row]))
      return known
    }
  }

  /** Takes a block that came. */
  take(control: SttpControl): void {
    const { sequence = 0, flags = 0, index = 0, payload = Buffer.alloc(0) } = control
    const missing = this.#missing.get(sequence)
    if (sequence < this.#next && missing === undefined) {
      this.#host.again(sequence)
      return
    }
    if (sequence > this.#next) this.#miss(this.#next, sequence - 1)
    this.#next = Math.max(this.#next, sequence + 1)
    this.#missing.delete(sequence)
    const signal = this.#caches[flags & BUFFER_BLOCK.cacheIndex ? 1 : 0]?.().get(index)
    if (signal === undefined) {
      const message = `the buffer block ${sequence} is of the signal ${index}, which its cache does not have`
      this.#host.malformed('ERR_STTP_BUFFER_BLOCK_SIGNAL', message, control)
      return
    }
    let bytes: Uint8Array = payload
    try {
      if ((flags & BUFFER_BLOCK.compressed) !== 0) bytes = gunzipSync(payload, { maxOutputLength: this.#limit })
    } catch (error) {
      const message = `the buffer block ${sequence} cannot be decompressed: ${(error as Error).message}`
      this.#host.malformed('ERR_STTP_BUFFER_BLOCK_GZIP', message, control)
      return
    }
    if (missing !== undefined) this.#host.recover(missing)
    this.#host.give({ signalId: this.#host.signalId(signal), signal, sequence, bytes })
  }

  #miss(first: number, last: number): void {
    const id = this.#host.lose({
      cause: 'wire',
      firstSeq: BigInt(first),
      lastSeq: BigInt(last),
      count: last - first + 1,
    })
    for (let sequence = Math.max(first, last - REMEMBERED); sequence <= last; sequence++) {
      this.#missing.set(sequence, id)
    }
    for (const sequence of this.#missing.keys()) {
      if (this.#missing.size <= REMEMBERED) return
      this.#missing.delete(sequence)
    }
  }
}

/** The signal's GUID as MessagePack: `{"signal": GUID}`. */
const TAGS_HEAD = Buffer.concat([Buffer.from([0x81, 0xa6]), Buffer.from('signal'), Buffer.from([0xd9, 36])])

/**
 * A block as a row of the table `record`. Blocks are numbered from 0 at each connection, so that each is a run.
 *
 * @param received ns since 1970-01-01 UTC
 */
export function recordOfBlock(
  { signalId, sequence, bytes }: BufferBlock,
  run: string,
  peer: string,
  received: bigint,
): Row {
  const tags = Buffer.concat([TAGS_HEAD, Buffer.from(signalId)])
  return { run, sender: peer, kind: 0, seq: BigInt(sequence), rx: received, condition: 0, tags, blocks: [bytes] }
}
