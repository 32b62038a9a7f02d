import type { RowLine } from './messages.js'

/** Lines that a page shows at most. */
const KEPT = 100

/** The newest lines. */
export class LastRows {
  #rows: RowLine[] = []
  #fresh = 0

  push(line: RowLine): void {
    this.#rows.push(line)
    if (this.#rows.length > 2 * KEPT) this.#rows = this.#rows.slice(-KEPT)
    this.#fresh = Math.min(this.#fresh + 1, KEPT)
  }

  /** All that are kept, oldest first. */
  get all(): readonly RowLine[] {
    return this.#rows.slice(-KEPT)
  }

  /** Those since the last call. */
  take(): readonly RowLine[] {
    const fresh = this.#fresh === 0 ? [] : this.#rows.slice(-this.#fresh)
    this.#fresh = 0
    return fresh
  }
}
