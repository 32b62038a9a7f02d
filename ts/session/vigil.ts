/** Bytes of a chunk from which a peer counts as one that sends as fast as it can. */
const SATURATED = 64 * 1024
/** Turns of the event loop without such a chunk after which the process may sleep. */
const TURNS = 32

/**
 * Keeps the event loop from sleeping between large chunks, some 30 us each time: a peer on the same machine that need
 * not wake this process for every piece sends up to a third more.
 */
export class Vigil {
  #turns = 0

  /** A chunk came. */
  saw(bytes: number): void {
    if (bytes < SATURATED) return
    if (this.#turns === 0) setImmediate(this.#turn)
    this.#turns = TURNS
  }

  readonly #turn = (): void => {
    this.#turns--
    if (this.#turns > 0) setImmediate(this.#turn)
  }
}
