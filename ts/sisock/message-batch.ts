import { type Framing, LENGTH } from './serializer.js'

/** Messages that go at once at the beginning of a turn: the peer works on them while the next ones are made. */
const FIRST = 4
/** Messages from this size on go alone, and are not copied. */
const LARGE = 1 << 15

/** Gathers the messages of a turn of the event loop, which share WebSocket messages where the framing allows it. */
export class MessageBatch {
  /** Bytes that are best free in front of a message: its length goes there, and nothing is copied for it. */
  readonly room: number
  readonly #framing: Framing
  readonly #write: (bytes: Uint8Array) => void
  #parts: Buffer[] = []
  #count = 0
  #limit = FIRST
  #isTold = false

  /** @param write sends a WebSocket message */
  constructor(framing: Framing, write: (bytes: Uint8Array) => void) {
    this.room = framing.isBatched && framing.isBinary ? LENGTH : 0
    this.#framing = framing
    this.#write = write
  }

  /** @param room bytes in front of the message that are free */
  push(message: Buffer, room: number): void {
    if (!this.#framing.isBatched) {
      this.#write(message)
      return
    }
    const isLarge = message.length >= LARGE
    if (isLarge) this.flush()
    this.#parts.push(...this.#framing.inBatch(message, room))
    this.#count++
    if (isLarge || this.#count >= this.#limit) {
      this.#limit *= 2
      this.flush()
    }
    if (this.#isTold) return
    this.#isTold = true
    setImmediate(() => {
      this.#isTold = false
      this.flush()
      this.#limit = FIRST
    })
  }

  flush(): void {
    if (this.#count === 0) return
    const parts = this.#parts
    this.#parts = []
    this.#count = 0
    this.#write(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts))
  }
}
