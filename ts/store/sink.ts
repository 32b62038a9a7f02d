import { createHash } from 'node:crypto'
import type { Batch } from '../batch/index.js'
import { type Books, type Clock, type Sink, type Source, systemClock } from '../session/index.js'
import { CompactionQueue } from './compaction.js'
import { storeError } from './error-codes.js'
import { Recording } from './recording.js'
import { withoutSecrets } from './recording-file.js'
import type { Recovery } from './recovery.js'
import { DEFAULT_ROTATION, parseRotation, type Rotation } from './rotation.js'
import { SourceRecording } from './source-recording.js'

/** How a recording is written. */
export interface StoreSinkOptions {
  /** When a segment is closed and compacted: `256MiB|10m` unless told. */
  readonly rotation?: Rotation | string
  /** Whether records (opaque blobs) are compacted too; they stay Arrow unless told. */
  readonly compactRecords?: boolean
  readonly clock?: Clock
}

/**
 * Files as a sink: every batch is with the kernel when `write` resolves, and closed segments become Parquet.
 *
 * ```ts
 * const sink = await StoreSink.open('monday')
 * await source.consume((batch) => sink.write(batch, source))
 * await sink.close()
 * ```
 */
export class StoreSink implements Sink {
  readonly #recording: Recording
  readonly #rotation: Rotation
  readonly #compactRecords: boolean
  readonly #clock: Clock
  readonly #compaction = new CompactionQueue()
  readonly #sources = new Map<Source, Promise<SourceRecording>>()
  readonly #open: SourceRecording[] = []
  readonly #names = new Map<Source, string>()
  #closed: Promise<void> | undefined

  private constructor(recording: Recording, options: StoreSinkOptions, rotation: Rotation) {
    this.#recording = recording
    this.#rotation = rotation
    this.#compactRecords = options.compactRecords ?? false
    this.#clock = options.clock ?? systemClock
  }

  /** Opens a recording for writing, or makes one. */
  static async open(directory: string, options: StoreSinkOptions = {}): Promise<StoreSink> {
    const { rotation = DEFAULT_ROTATION } = options
    const parsed = typeof rotation === 'string' ? parseRotation(rotation) : rotation
    return new StoreSink(await Recording.open(directory, options.clock), options, parsed)
  }

  /** Sources of earlier writers that died, and what was done to them. */
  get recovered(): readonly Recovery[] {
    return this.#recording.recovered
  }

  /** Rows that the kernel has, in the systems' units. */
  get stored(): number {
    return this.#open.reduce((sum, recording) => sum + recording.stored, 0)
  }

  /** The name of a source in the recording, once it has one. */
  nameOf(source: Source): string | undefined {
    return this.#names.get(source)
  }

  /** Gives a source its directory before its first row, and says where it is (by default what it says of its peer). */
  async add(source: Source, url?: string): Promise<void> {
    await this.#recordingOf(source, url)
  }

  /** Writes a batch; the kernel has it when this resolves. Rejects with a `StorageError`. */
  async write(batch: Batch, source: Source): Promise<void> {
    const recording = await this.#recordingOf(source)
    await recording.write(batch)
  }

  /** Says how the books of a source stand where that is not what the source itself counts. */
  async settle(source: Source, books: Partial<Books>): Promise<void> {
    const recording = await this.#recordingOf(source)
    recording.settle(books)
  }

  /**
   * Closes and compacts all files and checks that they have every row. Rejects with the first thing that went wrong,
   * after everything else was closed.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const faults: unknown[] = []
    const attempt = (work: Promise<unknown>): Promise<unknown> => work.catch((fault) => faults.push(fault))
    await Promise.allSettled(this.#sources.values())
    for (const recording of this.#open) await attempt(recording.closeTables())
    await this.#compaction.drained()
    faults.push(...this.#compaction.errors)
    for (const recording of this.#open) await attempt(recording.finish())
    await attempt(this.#recording.close())
    if (faults.length > 0) throw faults[0]
  }

  #recordingOf(source: Source, url?: string): Promise<SourceRecording> {
    if (this.#closed !== undefined) {
      return Promise.reject(storeError('ERR_STORE_CLOSED', `${this.#recording.directory} is closed`))
    }
    let recording = this.#sources.get(source)
    if (recording === undefined) {
      recording = this.#begin(source, url ?? source.describe().peer)
      this.#sources.set(source, recording)
      recording.catch(() => this.#sources.delete(source))
    }
    return recording
  }

  async #begin(source: Source, url: string): Promise<SourceRecording> {
    const { name, directory } = await this.#recording.add({ name: source.name, system: source.system, url })
    const recording = new SourceRecording({
      directory,
      name,
      source,
      rotation: this.#rotation,
      clock: this.#clock,
      compaction: this.#compaction,
      compactRecords: this.#compactRecords,
      configDigest: createHash('sha256').update(withoutSecrets(url)).digest('hex'),
    })
    this.#open.push(recording)
    this.#names.set(source, name)
    await recording.begin()
    return recording
  }
}
