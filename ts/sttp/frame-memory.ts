/** Bytes of a slab. */
const SLAB_BYTES = 1 << 20

/** Slabs that are kept for later when nobody uses them. */
const KEPT = 8

/** A buffer into which frames are written one behind the other; it is used again when all of them have gone. */
export class Slab {
  readonly bytes: Buffer
  /** Where the next frame begins. */
  end = 0
  /** Sends that are under way. */
  users = 0
  /** To be called when one of them is over. */
  readonly release: () => void

  constructor(bytes: number, release: (slab: Slab) => void) {
    this.bytes = Buffer.allocUnsafeSlow(bytes)
    this.release = () => release(this)
  }
}

/**
 * Memory for frames on their way to several subscribers: a buffer given to a socket belongs to it until it has gone, so
 * that frames are written behind one another, and a slab comes back when its last frame has gone.
 */
export class FrameMemory {
  readonly #free: Slab[] = []
  #current = this.#newSlab()

  /** A slab with room for so many bytes, of at most 1 MiB. */
  reserve(bytes: number): Slab {
    if (this.#current.bytes.length - this.#current.end < bytes) {
      const full = this.#current
      this.#current = this.#free.pop() ?? this.#newSlab()
      if (full.users === 0) this.#recycle(full)
    }
    return this.#current
  }

  #newSlab(): Slab {
    return new Slab(SLAB_BYTES, (slab) => {
      slab.users--
      if (slab.users > 0) return
      if (slab === this.#current) slab.end = 0
      else this.#recycle(slab)
    })
  }

  #recycle(slab: Slab): void {
    slab.end = 0
    if (this.#free.length < KEPT) this.#free.push(slab)
  }
}
