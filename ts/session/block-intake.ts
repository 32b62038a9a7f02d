import { type Block, BlockRing, MeasurementBatch, type SignalTable, STATUS } from '../batch/index.js'
import type { Delivery, Filler, Ready } from './delivery.js'
import { fromNative, type MeasurandError, type System } from './errors.js'
import type { Stats } from './stats.js'
import type { Transport } from './transport.js'

/** A class of the addon that appends rows to a block. */
export interface Decoder {
  /** Reads from a chunk into a block; gives one of `STATUS`. `block.consumed` says how far it came. */
  decode(chunk: Uint8Array, block: Uint8Array): number
}

/** What a decoder meets beside rows; in the order of the bytes. */
export interface IntakeHandler {
  /** A control message is ready to be taken from the decoder. */
  onControl(): void
  /** A message is malformed, its framing is intact; the error is to be taken from the decoder. */
  onMalformed(): void
  /** Framing is lost: the decoder is of no more use, and the connection with it. */
  onLost(error: MeasurandError | undefined): void
}

/** What a block intake is made of. */
export interface BlockIntakeOptions {
  readonly system: System
  readonly delivery: Delivery<MeasurementBatch>
  readonly ring: BlockRing
  readonly decoder: Decoder
  /** What is paused while there is no room. */
  readonly transport: Pick<Transport, 'pause' | 'resume'> & Partial<Pick<Transport, 'bytesIn'>>
  readonly handler: IntakeHandler
  readonly stats: Stats
  readonly signals: SignalTable
  /** `f32` where the wire has float32. */
  readonly wire?: 'f32'
}

/**
 * Drives a decoder with the chunks of one transport and hands its blocks to the delivery. Without room, it keeps the
 * rest of the chunk where it lies and pauses the transport: nothing is copied.
 */
export class BlockIntake implements Filler<MeasurementBatch> {
  readonly #options: BlockIntakeOptions
  #block: Block | undefined
  #held: Uint8Array | undefined
  #pushed = 0
  #bytesIn = 0
  #isRunning = false
  #isFinishing = false
  #isStopped = false

  constructor(options: BlockIntakeOptions) {
    this.#options = options
    options.delivery.attach(this)
  }

  get rows(): number {
    return this.#block?.count ?? 0
  }

  get isHolding(): boolean {
    return this.#held !== undefined
  }

  /** Takes a chunk of the transport. */
  readonly feed = (chunk: Uint8Array): void => {
    if (this.#isStopped) return
    const { stats, transport } = this.#options
    // The lengths that stand before gathered datagrams were never on the wire.
    const bytesIn = transport.bytesIn ?? this.#bytesIn + chunk.length
    stats.bytesIn += bytesIn - this.#bytesIn
    this.#bytesIn = bytesIn
    this.#run(chunk)
  }

  /** The transport is closed: what is held is still decoded, then the intake is done. */
  finish(): void {
    this.#isFinishing = true
    this.#settle()
  }

  discard(): number {
    const { rows } = this
    this.#block?.clear()
    this.#stop()
    return rows
  }

  seal(): Ready<MeasurementBatch> {
    const { signals, wire } = this.#options
    const ready = new ReadyBlock(this.#block as Block, this.#options.ring, signals, wire)
    this.#block = undefined
    if (this.#isFinishing) queueMicrotask(() => this.#settle())
    return ready
  }

  room(): void {
    const held = this.#held
    if (held === undefined || this.#isRunning) return
    this.#run(held)
    if (this.#held !== undefined || this.#isStopped || this.#isFinishing) return
    this.#options.delivery.tellPressure(false)
    this.#options.transport.resume()
  }

  #run(chunk: Uint8Array): void {
    const pushed = this.#pushed
    this.#isRunning = true
    const rest = this.#decode(chunk)
    this.#isRunning = false
    if (rest !== undefined && !this.#isStopped) this.#hold(rest, this.#pushed > pushed)
    else this.#held = undefined
    if (this.rows > 0) this.#options.delivery.offer()
    this.#settle()
  }

  /** Decodes as far as there is room; gives the rest where there is none. */
  #decode(chunk: Uint8Array): Uint8Array | undefined {
    const { decoder, delivery, handler, stats } = this.#options
    for (let at = 0; ; ) {
      const block = this.#take()
      if (block === undefined) return chunk.subarray(at)
      const before = block.count
      let status: number
      try {
        status = decoder.decode(at === 0 ? chunk : chunk.subarray(at), block.bytes)
      } catch (error) {
        handler.onLost(fromNative(error, this.#options.system))
        this.#stop()
        return undefined
      }
      stats.received += block.count - before
      at += block.consumed
      switch (status) {
        case STATUS.full:
          this.#pushed++
          if (!delivery.push(this.seal())) return chunk.subarray(at)
          break
        case STATUS.control:
          handler.onControl()
          break
        case STATUS.malformed:
          handler.onMalformed()
          break
        case STATUS.lost:
          handler.onLost(undefined)
          this.#stop()
          return undefined
        default:
          return undefined
      }
      if (this.#isStopped) return undefined
    }
  }

  #take(): Block | undefined {
    const { ring, delivery } = this.#options
    this.#block ??= ring.take()
    if (this.#block === undefined && delivery.makeRoom()) this.#block = ring.take()
    return this.#block
  }

  #hold(rest: Uint8Array, hasMoved: boolean): void {
    const { transport, delivery } = this.#options
    if (hasMoved || this.#held === undefined) delivery.scheduleRoom()
    if (this.#held === undefined) {
      delivery.tellPressure(true)
      transport.pause()
    }
    this.#held = rest
  }

  /** Decodes no more; what is held is thrown away, rows that are decoded stay. */
  #stop(): void {
    this.#isStopped = true
    this.#held = undefined
    this.finish()
  }

  #settle(): void {
    if (!this.#isFinishing || this.#held !== undefined || this.rows > 0) return
    const { delivery, ring } = this.#options
    if (this.#block !== undefined) ring.give(this.#block)
    this.#block = undefined
    delivery.detach(this)
  }
}

/** The blocks that a session's intakes share: as many as may wait, and one to read and two to fill. None is made before it is needed. */
export function ringFor(queueBytes: number, rows: number, optional = 0): BlockRing {
  const rowBytes = 24 + 8 * popCount(optional)
  return new BlockRing(Math.max(1, Math.floor(queueBytes / (rows * rowBytes))) + 3, rows, optional)
}

function popCount(bits: number): number {
  let count = 0
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++
  return count
}

class ReadyBlock implements Ready<MeasurementBatch> {
  readonly batch: MeasurementBatch
  readonly rows: number
  readonly bytes: number
  readonly #ring: BlockRing

  constructor(block: Block, ring: BlockRing, signals: SignalTable, wire: 'f32' | undefined) {
    this.batch = new MeasurementBatch(block, signals, wire)
    this.rows = block.count
    this.bytes = block.bytes.length
    this.#ring = ring
  }

  release(): void {
    this.#ring.give(this.batch.block)
  }
}
