import { open, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { MeasurandError } from '../session/index.js'
import { type Compacted, compactSegment, type Tail } from './codec.js'
import { fileError, onFile } from './error-codes.js'

/** Compacts closed segments to Parquet, one at a time, on a thread of the pool. */
export class CompactionQueue {
  /** What could not be compacted and why; the segments are as they were. */
  readonly errors: MeasurandError[] = []
  #last: Promise<void> = Promise.resolve()
  #waiting = 0

  /** Segments that wait or are being compacted. */
  get length(): number {
    return this.#waiting
  }

  /** Compacts a closed segment when its turn comes; `done` is told what came of it. */
  add(segment: string, target: string, done: (compacted: Compacted) => void = () => {}): void {
    this.#waiting++
    this.#last = this.#last.then(async () => {
      try {
        done(await compact(segment, target))
      } catch (error) {
        this.errors.push(fileError(error, 'write', target))
      } finally {
        this.#waiting--
      }
    })
  }

  /** Resolves when nothing waits any more; never rejects. */
  async drained(): Promise<void> {
    while (this.#waiting > 0) await this.#last
  }
}

/**
 * Replaces a segment by its Parquet file, which is whole under its name or not there at all. A segment with bytes that
 * are neither batches nor the mark of a cut is kept as `*.damaged`: somebody may want to look at it.
 */
export async function compact(segment: string, target: string): Promise<Compacted> {
  const temporary = `${target}.tmp`
  let compacted: Compacted
  try {
    compacted = await compactSegment(segment, temporary)
  } catch (error) {
    await unlink(temporary).catch(() => {})
    throw error
  }
  await onFile('write', target, async () => {
    await rename(temporary, target)
    await syncDirectory(dirname(target))
    if (isDamaged(compacted.tail)) await rename(segment, `${segment}.damaged`)
    else await unlink(segment)
  })
  return compacted
}

/** Whether the bytes behind the last batch are not what a cut leaves. */
export function isDamaged(tail: Tail): boolean {
  return tail.fault === 'malformed' || tail.fault === 'behind'
}

/** Waits until the disk has the names of a directory; not every system can open one. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r').catch(() => undefined)
  try {
    await directory?.sync()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error
  } finally {
    await directory?.close()
  }
}
