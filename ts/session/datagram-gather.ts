/** The longest datagram that UDP over IPv4 carries. */
export const MAX_DATAGRAM = 65_507

const GATHER_BYTES = 64 * 1024

interface Lost {
  readonly datagrams: number
  readonly bytes: number
}

interface Full {
  readonly chunk: Uint8Array
  /** What had no room behind it. */
  readonly lost: Lost
}

const NOTHING: Lost = { datagrams: 0, bytes: 0 }

/**
 * Gathers datagrams into chunks of up to 64 KiB, `u16 length` (little-endian) before each, so that many of them cross
 * to a decoder in one call. A chunk goes out when the event loop's turn ends, or when the next datagram has no room.
 * What had no room is told where it would have come: behind the chunks that waited, before those that came later.
 */
export class DatagramGather {
  readonly #onChunk: (bytes: Uint8Array) => void
  readonly #onDropped: (datagrams: number, bytes: number) => void
  readonly #maxFull: number
  readonly #full: Full[] = []
  readonly #free: Buffer[] = []
  #open: Buffer = Buffer.allocUnsafeSlow(GATHER_BYTES)
  #used = 0
  #isScheduled = false
  #isPaused = false
  /** What had no room behind the open chunk. */
  #lost: Lost = NOTHING
  /** What had no room behind the chunk that the receiver was lent last. */
  #untold: Lost = NOTHING
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
    const hasRoom = this.#lost === NOTHING && this.#used + 2 + length <= GATHER_BYTES
    if (!hasRoom && !this.#turnOver()) {
      const { datagrams, bytes } = this.#lost
      this.#lost = { datagrams: datagrams + 1, bytes: bytes + length }
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
    if (this.#used > 0 || this.#full.length > 0 || this.#untold !== NOTHING) this.#schedule()
  }

  /** Nothing more comes: gives out what waits, as far as the receiver takes it, and tells what had no room. */
  close(): void {
    this.flush()
    this.#tell()
    for (const { lost } of this.#full.splice(0)) this.#tell(lost)
    this.#tell(this.#takeOpen()?.lost ?? NOTHING)
  }

  /** Gives out what waits, as far as the receiver takes it. */
  flush(): void {
    while (!this.#isPaused) {
      this.#tell()
      const next = this.#full.shift() ?? this.#takeOpen()
      if (next === undefined) return
      this.#untold = next.lost
      this.#lend(next.chunk)
    }
  }

  #tell(lost = this.#untold): void {
    if (lost === this.#untold) this.#untold = NOTHING
    if (lost !== NOTHING) this.#onDropped(lost.datagrams, lost.bytes)
  }

  /** The open chunk, if there is anything in it, or behind it. */
  #takeOpen(): Full | undefined {
    if (this.#used === 0) return undefined
    const full = { chunk: this.#open.subarray(0, this.#used), lost: this.#lost }
    this.#open = this.#fresh()
    this.#used = 0
    this.#lost = NOTHING
    return full
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
    this.#full.push(this.#takeOpen() as Full)
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
