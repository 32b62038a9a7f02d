import { sessionError } from './error-codes.js'
import type { MeasurandError } from './errors.js'
import type { Policy } from './source.js'
import type { Stats } from './stats.js'
import type { Transport } from './transport.js'

/** What an outbox is made of. */
export interface OutboxOptions {
  readonly transport: Pick<Transport, 'write' | 'queuedBytes' | 'peer'>
  /** Where bytes and frames that went are counted. */
  readonly stats?: Stats
  /** Bytes that may wait, with those of the transport; 16 MiB unless told. */
  readonly maxBytes?: number
  /** What happens when more would wait; `block` unless told. */
  readonly policy?: Policy
  /** Whether a frame is a datagram and must go by itself. */
  readonly isDatagram?: boolean
  /** Frames were given up under `drop-oldest`. */
  readonly onDrop?: (rows: number, bytes: number) => void
  /** More would wait under `disconnect`. */
  readonly onOverflow?: (error: MeasurandError) => void
}

interface Frame {
  readonly bytes: Uint8Array
  readonly rows: number
  readonly done: (() => void) | undefined
}

const MAX_BYTES = 16 << 20
/** Stands before the head for a frame that was given up. */
const NOTHING: Frame = { bytes: new Uint8Array(0), rows: 0, done: undefined }
/** What one write may carry. */
const WRITE_BYTES = 1 << 20
/** Below this a frame is copied into one buffer with its neighbours: cheaper than a buffer of its own in `writev`. */
const SMALL = 2048
/** Of so many frames that are written at once, one has others of its turn looked for: to do so costs a tenth of a write. */
const LONE = 8

/**
 * The frames on their way to one peer. Those of one turn of the event loop go out as one write, at its end; where it is
 * one frame a turn, at once. The first turn of several behind such may have up to eight writes.
 *
 * ```ts
 * const outbox = new Outbox({ transport, policy: 'block' })
 * transport.start({ ...handler, onDrain: outbox.onDrain })
 * if (!outbox.send(frame, rows)) await outbox.ready()
 * ```
 */
export class Outbox {
  readonly #transport: OutboxOptions['transport']
  readonly #options: OutboxOptions
  readonly #maxBytes: number
  #frames: Frame[] = []
  #head = 0
  #bytes = 0
  /** Frames since the end of the turn is awaited; 0 while it is not. */
  #turn = 0
  /** The last turn that was looked at had one frame: the next frame need not wait for others. */
  #isLone = false
  /** Frames that were written at once. */
  #lone = 0
  /** What is to be called when the frame has gone that was written at once. */
  #done: (() => void) | undefined
  #isBlocked = false
  #isClosed = false
  #waiting: (() => void)[] = []
  #flushed: (() => void)[] = []

  constructor(options: OutboxOptions) {
    this.#transport = options.transport
    this.#options = options
    this.#maxBytes = options.maxBytes ?? MAX_BYTES
  }

  /** Bytes that have not gone yet. */
  get queuedBytes(): number {
    return this.#bytes + this.#transport.queuedBytes
  }

  /** Frames that wait here. */
  get queuedFrames(): number {
    return this.#frames.length - this.#head
  }

  /**
   * Sends a frame, whose bytes belong to the outbox until `done` is called. Gives `false` while more waits than
   * should: under `block`, await `ready()` before the next.
   *
   * @param rows rows in it; a frame without rows is a control message and is never given up
   */
  send(bytes: Uint8Array, rows = 0, done?: () => void): boolean {
    if (this.#isClosed) return false
    const queued = this.queuedBytes
    if (queued + bytes.length > this.#maxBytes && !this.#makeRoom(bytes, rows)) {
      done?.()
      return !this.#isClosed
    }
    if (this.#turn === 0 && this.#isLone && queued === 0 && !this.#isBlocked) {
      if (++this.#lone % LONE === 0) this.#awaitTurn()
      this.#writeNow(bytes, done)
      return this.queuedBytes <= this.#maxBytes
    }
    this.#awaitTurn()
    this.#frames.push({ bytes, rows, done })
    this.#bytes += bytes.length
    return this.queuedBytes <= this.#maxBytes
  }

  /** Resolves when there is room again, or the outbox is closed. */
  ready(): Promise<void> {
    if (this.#isClosed || this.queuedBytes <= this.#maxBytes) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Resolves when every frame was given to the transport, or the outbox is closed. */
  flushed(): Promise<void> {
    if (this.#isClosed || this.queuedFrames === 0) return Promise.resolve()
    return new Promise((resolve) => this.#flushed.push(resolve))
  }

  /** To be called when the transport says that it has room. */
  readonly onDrain = (): void => {
    this.#isBlocked = false
    this.#flush()
  }

  /** Throws away what waits; gives the rows in it. */
  close(): number {
    this.#isClosed = true
    let rows = 0
    for (const frame of this.#frames.slice(this.#head)) rows += frame.rows
    this.#frames = []
    this.#head = 0
    this.#bytes = 0
    for (const resolve of [...this.#waiting.splice(0), ...this.#flushed.splice(0)]) resolve()
    return rows
  }

  /** Whether the frame may be queued. */
  #makeRoom(bytes: Uint8Array, rows: number): boolean {
    const { policy = 'block', onOverflow, onDrop } = this.#options
    if (policy === 'block') return true
    if (policy === 'disconnect') {
      const text = `${this.queuedBytes} bytes wait for ${this.#transport.peer}`
      this.close()
      onOverflow?.(sessionError('ERR_SESSION_QUEUE_FULL', text))
      return false
    }
    for (let index = this.#head; index < this.#frames.length; index++) {
      const frame = this.#frames[index] as Frame
      if (frame.rows === 0) continue
      // Nearly always the head: moving all behind it for each frame that is given up would stall every other peer.
      if (index === this.#head) this.#frames[this.#head++] = NOTHING
      else this.#frames.splice(index--, 1)
      this.#bytes -= frame.bytes.length
      onDrop?.(frame.rows, frame.bytes.length)
      frame.done?.()
      if (this.queuedBytes + bytes.length > this.#maxBytes) continue
      this.#compact()
      return true
    }
    if (rows === 0 || this.queuedFrames === 0) return true
    onDrop?.(rows, bytes.length)
    return false
  }

  /** Only while nothing else is under way, so that there is one at a time. */
  #writeNow(bytes: Uint8Array, done: (() => void) | undefined): void {
    this.#options.stats?.countOut(bytes.length, 1)
    this.#done = done
    this.#isBlocked = !this.#transport.write(bytes, this.#onWritten)
  }

  readonly #onWritten = (): void => {
    const done = this.#done
    this.#done = undefined
    done?.()
    this.#settle()
  }

  #awaitTurn(): void {
    if (this.#turn++ === 0) setImmediate(this.#endTurn)
  }

  readonly #endTurn = (): void => {
    this.#isLone = this.#turn === 1
    this.#turn = 0
    this.#flush()
  }

  #flush(): void {
    while (!this.#isBlocked && this.queuedFrames > 0) {
      const frames = this.#takeSome()
      this.#isBlocked = !this.#transport.write(
        this.#options.isDatagram ? frames.map(({ bytes }) => bytes) : pack(frames),
        () => {
          for (const { done } of frames) done?.()
          this.#settle()
        },
      )
    }
    this.#settle()
  }

  #settle(): void {
    if (this.#waiting.length > 0 && this.queuedBytes <= this.#maxBytes) {
      for (const resolve of this.#waiting.splice(0)) resolve()
    }
    if (this.#flushed.length > 0 && this.queuedFrames === 0) for (const resolve of this.#flushed.splice(0)) resolve()
  }

  #takeSome(): Frame[] {
    let bytes = 0
    let end = this.#head
    while (end < this.#frames.length && bytes < WRITE_BYTES) bytes += (this.#frames[end++] as Frame).bytes.length
    const frames = this.#frames.slice(this.#head, end)
    this.#bytes -= bytes
    this.#head = end
    this.#options.stats?.countOut(bytes, frames.length)
    if (this.#head === this.#frames.length) {
      this.#frames = []
      this.#head = 0
    } else this.#compact()
    return frames
  }

  /** Lets go of the frames before the head when they are as many as those behind it. */
  #compact(): void {
    if (this.#head <= 1024 || this.#head < this.queuedFrames) return
    this.#frames = this.#frames.slice(this.#head)
    this.#head = 0
  }
}

/** The frames as buffers of one write: small neighbours are copied together. */
function pack(frames: readonly Frame[]): Uint8Array | Uint8Array[] {
  if (frames.length === 1) return (frames[0] as Frame).bytes
  const buffers: Uint8Array[] = []
  for (let start = 0; start < frames.length; ) {
    let end = start
    while (end < frames.length && (frames[end] as Frame).bytes.length < SMALL) end++
    if (end - start > 1) {
      buffers.push(Buffer.concat(frames.slice(start, end).map(({ bytes }) => bytes)))
    } else {
      buffers.push((frames[start] as Frame).bytes)
      end = start + 1
    }
    start = end
  }
  return buffers
}
