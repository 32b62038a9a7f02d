/** The longest datagram that UDP over IPv4 carries. */
export const MAX_DATAGRAM = 65_507

const GATHER_BYTES = 64 * 1024

/**
 * Gathers datagrams into chunks of up to 64 KiB, `u16 length` (little-endian) before each, so that many of them cross
 * to a decoder in one call. A chunk goes out when the event loop's turn ends, or when the next datagram has no room.
 */
export class DatagramGather {
  readonly #onChunk: (bytes: Uint8Array) => void
  readonly #onDropped: (datagrams: number, bytes: number) => void
  readonly #maxFull: number
  readonly #full: Uint8Array[] = []
  readonly #free: Buffer[] = []
  #open: Buffer = Buffer.allocUnsafeSlow(GATHER_BYTES)
  #used = 0
  #isScheduled = false
  #isPaused = false
  /** What the receiver holds while it pauses. */
  #lent: Buffer | undefined

  /** @param queueBytes bytes that may wait while it is paused */
  constructor(
    onChunk: (bytes: Uint8Array) => void,
    onDropped: (datagrams: number, bytes: number) => void,
    queueBytes: number,
  ) {
    this.#onChunk = onChunk
    this.#onDropped = onDropped
    this.#maxFull = Math.max(1, Math.floor(queueBytes / GATHER_BYTES))
  }

  /** Takes a datagram. */
  add(datagram: Uint8Array): void {
    const { length } = datagram
    if (this.#used + 2 + length > GATHER_BYTES && !this.#turnOver()) {
      this.#onDropped(1, length)
      return
    }
    this.#open.writeUInt16LE(length, this.#used)
    this.#open.set(datagram, this.#used + 2)
    this.#used += 2 + length
    this.#schedule()
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    if (this.#lent !== undefined) this.#free.push(this.#lent)
    this.#lent = undefined
    if (this.#used > 0 || this.#full.length > 0) this.#schedule()
  }

  /** Gives out what waits, as far as the receiver takes it. */
  flush(): void {
    while (!this.#isPaused && this.#full.length > 0) this.#lend(this.#full.shift() as Uint8Array)
    if (this.#isPaused || this.#used === 0) return
    const chunk = this.#open.subarray(0, this.#used)
    this.#open = this.#fresh()
    this.#used = 0
    this.#lend(chunk)
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isPaused) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.flush()
    })
  }

  /** Makes room for the next datagram; `false` where the queue is full. */
  #turnOver(): boolean {
    this.flush()
    if (this.#used === 0) return true
    if (this.#full.length >= this.#maxFull) return false
    this.#full.push(this.#open.subarray(0, this.#used))
    this.#open = this.#fresh()
    this.#used = 0
    return true
  }

  #lend(chunk: Uint8Array): void {
    const buffer = Buffer.from(chunk.buffer as ArrayBuffer, 0, GATHER_BYTES)
    this.#onChunk(chunk)
    if (this.#isPaused) this.#lent = buffer
    else this.#free.push(buffer)
  }

  #fresh(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(GATHER_BYTES)
  }
}
