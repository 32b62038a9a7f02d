import { type Summary, summariseFile } from './codec.js'
import { type TableFile, withFile } from './layout.js'

/** Files whose extents are kept. */
const LIMIT = 1 << 16

/**
 * How much the files of a recording have, and from when to when. A Parquet file is opened for that once: it does not
 * change any more. A segment is read each time.
 */
export class FileExtents {
  readonly #known = new Map<string, Summary>()
  readonly #limit: number

  /** @param limit files that are kept; 65,536 unless told */
  constructor(limit = LIMIT) {
    this.#limit = limit
  }

  /** Files that are known. */
  get size(): number {
    return this.#known.size
  }

  async of({ path, isSegment }: TableFile): Promise<Summary> {
    const known = this.#known.get(path)
    if (known !== undefined) return known
    const summary = await withFile(path, summariseFile)
    if (isSegment) return summary
    for (const oldest of this.#known.keys()) {
      if (this.#known.size < this.#limit) break
      this.#known.delete(oldest)
    }
    this.#known.set(path, summary)
    return summary
  }
}
