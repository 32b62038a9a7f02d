import { STATUS } from '../batch/index.js'
import { fromNative, type IntakeHandler, type SourcePolicy, type Stats, type Transport } from '../session/index.js'
import type { PacketDecoder } from './codec.js'
import { PacketBatch, PacketBlock } from './packet-batch.js'

/** Packets and samples of a block: a few socket reads. */
const ROOM = { packets: 8192, samples: 1 << 17, words: 4096 }

/** What a packet intake is made of. */
export interface PacketIntakeOptions {
  readonly decoder: PacketDecoder
  readonly transport: Pick<Transport, 'pause' | 'resume'>
  readonly handler: IntakeHandler
  readonly stats: Stats
  /** Packets cannot wait on disk: where measurements would, the transport waits. */
  readonly policy: SourcePolicy
  /** Bytes that may wait for the consumer. */
  readonly queueBytes: number
  /** Batches were given up under `drop-oldest`. */
  readonly onDrop: (batch: PacketBatch) => void
  /** More would wait under `disconnect`. */
  readonly onOverflow: () => void
}

/**
 * Drives a packet decoder with the chunks of one transport for one consumer. Without room, it keeps the rest of the
 * chunk where it lies and pauses the transport.
 */
export class PacketIntake {
  readonly #options: PacketIntakeOptions
  readonly #free: PacketBlock[] = []
  readonly #queue: PacketBlock[] = []
  readonly #limit: number
  #made = 0
  #open: PacketBlock | undefined
  #reading: PacketBlock | undefined
  #held: Uint8Array | undefined
  #resolve: ((batch: PacketBatch | undefined) => void) | undefined
  #isRunning = false
  #isFinished = false

  constructor(options: PacketIntakeOptions) {
    this.#options = options
    this.#limit = 3 + Math.floor(options.queueBytes / (ROOM.samples * 4))
  }

  /** Takes a chunk of the transport. */
  readonly feed = (chunk: Uint8Array): void => {
    if (this.#isFinished) return
    this.#options.stats.bytesIn += chunk.length
    this.#run(chunk)
  }

  /** The next batch; `undefined` at the end. The one before is not valid any more. */
  next(): Promise<PacketBatch | undefined> {
    this.#release()
    if (this.#queue.length === 0 && this.#held !== undefined) this.#run(this.#held)
    const ready = this.#shift()
    if (ready !== undefined || this.#isOver) return Promise.resolve(ready)
    return new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  /** The transport is closed: what there is is still given out. */
  finish(): void {
    this.#isFinished = true
    if (this.#isOver) this.#give(undefined)
  }

  /** Throws away what waits; gives the samples in it. */
  discard(): number {
    let samples = this.#open?.sampleCount ?? 0
    for (const block of this.#queue.splice(0)) samples += block.sampleCount
    this.#open = undefined
    this.#held = undefined
    this.finish()
    return samples
  }

  /** Whether bytes wait for room. */
  get isHolding(): boolean {
    return this.#held !== undefined
  }

  get #isOver(): boolean {
    return this.#isFinished && this.#held === undefined && this.#queue.length === 0 && !this.#open?.count
  }

  #run(chunk: Uint8Array): void {
    if (this.#isRunning) return
    this.#isRunning = true
    const wasHeld = this.#held !== undefined
    this.#held = this.#decode(chunk)
    this.#isRunning = false
    if (this.#held !== undefined && !wasHeld) this.#options.transport.pause()
    else if (this.#held === undefined && wasHeld) this.#options.transport.resume()
    if (this.#resolve !== undefined) {
      const ready = this.#shift()
      if (ready !== undefined || this.#isOver) this.#give(ready)
    }
  }

  /** Decodes as far as there is room; gives the rest where there is none. */
  #decode(chunk: Uint8Array): Uint8Array | undefined {
    const { decoder, handler, stats } = this.#options
    for (let at = 0; ; ) {
      const block = this.#take()
      if (block === undefined) return chunk.subarray(at)
      const [packets, samples] = [block.count, block.sampleCount]
      let status: number
      try {
        status = decoder.decode(at === 0 ? chunk : chunk.subarray(at), block.bytes)
      } catch (error) {
        this.#isFinished = true
        handler.onLost(fromNative(error, 'tia'))
        return undefined
      }
      stats.messagesIn += block.count - packets
      stats.received += block.sampleCount - samples
      at += block.consumed
      switch (status) {
        case STATUS.full:
          if (block.count === 0) this.#open = new PacketBlock({ ...ROOM, samples: block.wanted })
          else {
            this.#queue.push(block)
            this.#open = undefined
          }
          break
        case STATUS.control:
          handler.onControl()
          break
        case STATUS.malformed:
          handler.onMalformed()
          break
        case STATUS.lost:
          this.#isFinished = true
          handler.onLost(undefined)
          return undefined
        default:
          return undefined
      }
    }
  }

  #take(): PacketBlock | undefined {
    if (this.#open !== undefined) return this.#open
    let block = this.#free.pop()
    if (block === undefined && this.#made < this.#limit) {
      this.#made++
      block = new PacketBlock(ROOM)
    }
    if (block === undefined) block = this.#makeRoom()
    block?.clear()
    this.#open = block
    return block
  }

  #makeRoom(): PacketBlock | undefined {
    const { policy, onDrop, onOverflow } = this.#options
    if (policy === 'disconnect') onOverflow()
    if (policy !== 'drop-oldest') return undefined
    const oldest = this.#queue.shift()
    if (oldest !== undefined) onDrop(new PacketBatch(oldest))
    return oldest
  }

  #shift(): PacketBatch | undefined {
    let block = this.#queue.shift()
    if (block === undefined && this.#open !== undefined && this.#open.count > 0) {
      block = this.#open
      this.#open = undefined
    }
    if (block === undefined) return undefined
    this.#reading = block
    return new PacketBatch(block)
  }

  #release(): void {
    if (this.#reading === undefined) return
    // A block made for one huge packet does not stay.
    if (this.#reading.room.samples === ROOM.samples) this.#free.push(this.#reading)
    else this.#made--
    this.#reading = undefined
  }

  #give(batch: PacketBatch | undefined): void {
    const resolve = this.#resolve
    this.#resolve = undefined
    resolve?.(batch)
  }
}
