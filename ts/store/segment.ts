import { type FileHandle, open } from 'node:fs/promises'
import type { ArrowColumn, Field } from '../batch/index.js'
import { batchHeader, schemaMessage } from './codec.js'
import { fileError, onFile } from './error-codes.js'

const ALIGNMENT = 64
const PADDING = new Uint8Array(ALIGNMENT)
const END_OF_STREAM = new Uint8Array([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0])

/**
 * Writes an Arrow IPC stream: the schema once, then each batch by one `writev` of a header and the columns where they
 * lie. After a cut at any byte all whole batches can be read.
 */
export class Segment {
  readonly path: string
  /** Its columns in order. */
  readonly fields: readonly Field[]
  #file: FileHandle
  #offset: number
  #rows = 0
  #header: { readonly rows: number; readonly key: Float64Array; readonly bytes: Uint8Array } | undefined

  private constructor(path: string, fields: readonly Field[], file: FileHandle, offset: number) {
    this.path = path
    this.fields = fields
    this.#file = file
    this.#offset = offset
  }

  /** Makes the file, which must not be there, with mode 0600. */
  static async create(path: string, fields: readonly Field[]): Promise<Segment> {
    const schema = schemaMessage(fields)
    let file: FileHandle | undefined
    try {
      file = await open(path, 'wx', 0o600)
      const segment = new Segment(path, fields, file, 0)
      await segment.#append([schema], schema.length)
      return segment
    } catch (error) {
      await file?.close()
      throw fileError(error, 'write', path)
    }
  }

  /** Bytes written. */
  get byteLength(): number {
    return this.#offset
  }

  /** Rows written. */
  get rows(): number {
    return this.#rows
  }

  /**
   * Writes a batch, whose columns are those of the segment; the kernel has it when this resolves. When it rejects, the
   * file is as it was before, and another batch can be tried.
   */
  async write(rows: number, columns: readonly ArrowColumn[]): Promise<void> {
    const chunks: Uint8Array[] = [this.#headerOf(rows, columns)]
    let total = (chunks[0] as Uint8Array).length
    for (const { buffers } of columns) {
      for (const buffer of buffers) {
        if (buffer.length === 0) continue
        const padding = -buffer.length & (ALIGNMENT - 1)
        chunks.push(buffer)
        if (padding > 0) chunks.push(PADDING.subarray(0, padding))
        total += buffer.length + padding
      }
    }
    await this.#append(chunks, total)
    this.#rows += rows
  }

  /** Marks the end of the stream, waits until the disk has all of it (unless told not to) and closes the file. */
  async close(sync = true): Promise<void> {
    try {
      await this.#append([END_OF_STREAM], END_OF_STREAM.length)
      if (sync) await this.#file.datasync()
    } catch (error) {
      throw fileError(error, 'write', this.path)
    } finally {
      await this.#file.close()
    }
  }

  /** Batches of a session are mostly of one size, and then their headers are equal. */
  #headerOf(rows: number, columns: readonly ArrowColumn[]): Uint8Array {
    const nodes: number[] = []
    const lengths: number[] = []
    for (const { nullCount, buffers, items } of columns) {
      nodes.push(rows, nullCount)
      if (items !== undefined) nodes.push(items.length, 0)
      for (const buffer of buffers) lengths.push(buffer.length)
    }
    const key = Float64Array.from([...nodes, ...lengths])
    const last = this.#header
    if (last !== undefined && last.rows === rows && isEqual(last.key, key)) return last.bytes
    const bytes = batchHeader(rows, key.subarray(0, nodes.length), key.subarray(nodes.length))
    this.#header = { rows, key, bytes }
    return bytes
  }

  async #append(chunks: Uint8Array[], total: number): Promise<void> {
    const start = this.#offset
    try {
      let { bytesWritten: written } = await this.#file.writev(chunks, start)
      while (written < total) {
        const rest = behind(chunks, written)
        const { bytesWritten } = await this.#file.writev(rest, start + written)
        if (bytesWritten === 0) throw Object.assign(new Error('nothing could be written'), { code: 'ENOSPC' })
        written += bytesWritten
      }
    } catch (error) {
      await this.#file.truncate(start).catch(() => {})
      throw fileError(error, 'write', this.path)
    }
    this.#offset = start + total
  }
}

/**
 * Whether a segment's schema is whole: that of a writer that died at its begin is cut, or zeros where the power went too.
 * What is no segment counts as begun.
 */
export async function isBegun(path: string): Promise<boolean> {
  const head = Buffer.alloc(8)
  const file = await onFile('read', path, () => open(path))
  try {
    const { bytesRead } = await onFile('read', path, () => file.read(head, 0, head.length, 0))
    if (head.every((byte) => byte === 0)) return false
    if (!head.subarray(0, Math.min(bytesRead, 4)).every((byte) => byte === 0xff)) return true
    if (bytesRead < head.length) return false
    const { size } = await onFile('read', path, () => file.stat())
    return size >= head.length + head.readUInt32LE(4)
  } finally {
    await file.close()
  }
}

/** What is left of chunks behind so many bytes. */
function behind(chunks: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let skip = bytes
  const rest: Uint8Array[] = []
  for (const chunk of chunks) {
    if (skip < chunk.length) rest.push(skip === 0 ? chunk : chunk.subarray(skip))
    skip = Math.max(0, skip - chunk.length)
  }
  return rest
}

function isEqual(a: Float64Array, b: Float64Array): boolean {
  return a.length === b.length && a.every((number, at) => number === b[at])
}
