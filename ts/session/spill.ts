import { randomUUID } from 'node:crypto'
import { closeSync, openSync, readSync, unlinkSync, writevSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ArrowColumn, type Batch, Block, MeasurementBatch, TableBatch } from '../batch/index.js'
import type { Ready } from './delivery.js'

/** Where batches wait that do not fit into memory. */
export interface SpillOptions {
  /** A directory on a disk that is quick and has room; the system's for temporary files unless told. */
  readonly directory?: string
  /** Bytes of the file at most; 4 GiB unless told. When they are used up, the source has to wait. */
  readonly maxBytes?: number
  /** Told once when the file cannot be written: from then on the source has to wait. */
  readonly onFault?: (error: Error) => void
}

const MAX_BYTES = 4 * 2 ** 30

/**
 * A queue's continuation on disk, as the policy of a source: its oldest batches wait in a file, in order, while the
 * consumer does not keep up, and the source goes on at its own rate.
 *
 * ```ts
 * source.policy = new Spill({ directory: '/var/spool', maxBytes: 2 ** 34 })
 * await pipeline(source, sink)
 * ```
 *
 * Batches of measurements come back as they were, all others as `TableBatch`. The file is without a name: it goes with
 * the process, so that what waits in it is as safe as what waits in memory. It is read and written synchronously, which
 * is what keeps its batches in order with those in memory; each is a memory copy for the system's page cache.
 */
export class Spill {
  readonly maxBytes: number
  readonly #directory: string
  readonly #onFault: ((error: Error) => void) | undefined
  /** Oldest first; the file is used as a ring. */
  readonly #extents: Extent[] = []
  #file: number | undefined
  #spare: Block | undefined
  #fault: Error | undefined

  constructor(options: SpillOptions = {}) {
    this.#directory = options.directory ?? tmpdir()
    this.maxBytes = options.maxBytes ?? MAX_BYTES
    this.#onFault = options.onFault
  }

  /** Bytes that wait in the file. */
  get bytes(): number {
    return this.#extents.reduce((sum, { length }) => sum + length, 0)
  }

  /**
   * Writes a batch behind the others and gives its memory back; `undefined` where there is no room for it.
   *
   * @internal
   */
  keep<B extends Batch>(ready: Ready<B>): SpilledBatch<B> | undefined {
    if (this.#fault !== undefined) return undefined
    const { batch } = ready
    const columns = batch instanceof MeasurementBatch ? [] : batch.columns()
    const extent = this.#store(
      batch instanceof MeasurementBatch ? [batch.block.bytes] : columns.flatMap(({ buffers }) => [...buffers]),
    )
    if (extent === undefined) return undefined
    // What reads it back is made elsewhere: a function made here would keep the batch, and with it the memory.
    const load =
      batch instanceof MeasurementBatch ? this.#blockLoader(batch, extent) : this.#tableLoader(batch, columns, extent)
    ready.release()
    return new SpilledBatch(ready.rows, load as () => Batch as () => B, this.#releaser(extent))
  }

  /** Gives the disk's room back. */
  close(): void {
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
    this.#extents.length = 0
  }

  /** Where so many bytes have room: behind the newest, or, where that is at the end, in front of the oldest. */
  #place(length: number): number | undefined {
    const [oldest, newest] = [this.#extents[0], this.#extents.at(-1)]
    if (oldest === undefined || newest === undefined) return length <= this.maxBytes ? 0 : undefined
    const end = newest.offset + newest.length
    if (newest.offset < oldest.offset) return end + length <= oldest.offset ? end : undefined
    if (end + length <= this.maxBytes) return end
    return length <= oldest.offset ? 0 : undefined
  }

  #write(buffers: readonly Uint8Array[], offset: number, length: number): void {
    this.#file ??= openNameless(this.#directory)
    let written = writevSync(this.#file, buffers, offset)
    if (written === length) return
    const rest = Buffer.concat(buffers)
    while (written < length) {
      const more = writevSync(this.#file, [rest.subarray(written)], offset + written)
      if (more === 0) throw Object.assign(new Error('nothing could be written'), { code: 'ENOSPC' })
      written += more
    }
  }

  #read<T extends Uint8Array>({ offset, length }: Extent, into: T): T {
    for (let at = 0; at < length; ) {
      const read = readSync(this.#file as number, into, at, length - at, offset + at)
      if (read === 0) throw new Error(`${this.#directory}: the file of waiting batches is cut`)
      at += read
    }
    return into
  }

  /** Writes buffers behind the others; `undefined` where there is no room for them. */
  #store(buffers: readonly Uint8Array[]): Extent | undefined {
    const length = buffers.reduce((sum, buffer) => sum + buffer.length, 0)
    const offset = this.#place(length)
    if (offset === undefined) return undefined
    try {
      this.#write(buffers, offset, length)
    } catch (error) {
      this.#fault = error as Error
      this.#onFault?.(this.#fault)
      return undefined
    }
    const extent = { offset, length }
    this.#extents.push(extent)
    return extent
  }

  #releaser(extent: Extent): (loaded: Batch | undefined) => void {
    return (loaded) => {
      this.#extents.splice(this.#extents.indexOf(extent), 1)
      if (loaded instanceof MeasurementBatch) this.#spare = loaded.block
    }
  }

  /** The batch's own block went back to its ring: what is kept of it is which signals and wire it is of. */
  #blockLoader(batch: MeasurementBatch, extent: Extent): () => MeasurementBatch {
    return () => {
      const { capacity, allocated } = batch.block
      const spare = this.#spare
      this.#spare = undefined
      const isFitting = spare?.capacity === capacity && spare.allocated === allocated
      const block = isFitting ? spare : new Block(capacity, allocated)
      this.#read(extent, block.bytes)
      return batch.over(block)
    }
  }

  #tableLoader({ table, length }: Batch, columns: readonly ArrowColumn[], extent: Extent): () => TableBatch {
    const heads = columns.map(({ field, nullCount, items, buffers }) => ({
      head: { field, nullCount, ...(items === undefined ? {} : { items: { length: items.length } }) },
      lengths: buffers.map((buffer) => buffer.length),
    }))
    return () => {
      const bytes = this.#read(extent, Buffer.allocUnsafe(extent.length))
      let end = 0
      const restored = heads.map(({ head, lengths }) => ({
        ...head,
        buffers: lengths.map((size) => {
          end += size
          return bytes.subarray(end - size, end)
        }),
      }))
      return new TableBatch(table, length, restored)
    }
  }
}

interface Extent {
  readonly offset: number
  readonly length: number
}

/** A batch that waits in a file. */
export class SpilledBatch<B extends Batch> implements Ready<B> {
  readonly rows: number
  /** None of memory. */
  readonly bytes = 0
  readonly #load: () => B
  readonly #release: (loaded: B | undefined) => void
  #batch: B | undefined

  constructor(rows: number, load: () => B, release: (loaded: B | undefined) => void) {
    this.rows = rows
    this.#load = load
    this.#release = release
  }

  /** Read from the file when it is first asked for; throws where that fails. */
  get batch(): B {
    this.#batch ??= this.#load()
    return this.#batch
  }

  release(): void {
    this.#release(this.#batch)
  }
}

/** A file that is gone when it is closed, however the process ends. */
function openNameless(directory: string): number {
  const path = join(directory, `measurand-${randomUUID()}.spill`)
  const file = openSync(path, 'wx+', 0o600)
  try {
    unlinkSync(path)
  } catch (error) {
    // Windows keeps the name of an open file; it stays until the system clears its temporary files.
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY' && (error as NodeJS.ErrnoException).code !== 'EPERM') {
      closeSync(file)
      throw error
    }
  }
  return file
}
