import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Clock, Timer } from '../session/index.js'
import { BUFFER_BLOCK } from './buffer-block.js'
import { type SttpSubscription, sttpWriteResponse } from './codec.js'
import { hasModes, MODE } from './codes.js'
import { knowsBlockFlags } from './subscriber-quirks.js'

/** What is sent of a block beside its number. */
export interface SealedBlock {
  readonly flags: number
  readonly index: number
  readonly payload: Uint8Array
}

/** What a sender of buffer blocks needs of its connection. */
export interface BufferBlockHost {
  readonly clock: Clock
  readonly modes: number
  /** Resolves when the client has a cache, or is gone. */
  ready(): Promise<void>
  /** Where a signal is in the client's cache now. */
  indexOf(row: number): { readonly index: number; readonly cacheIndex: number } | undefined
  /** The block encrypted, where the client has keys. */
  sealed(block: SealedBlock): SealedBlock
  /** Sends a frame. */
  send(frame: Uint8Array): void
  /** A block was sent so often without being confirmed, or was not when the connection ended, that it may be lost. */
  lost(bytes: number): void
}

/** How blocks are sent to a client. */
export interface BufferBlockForm {
  /** Whether the client reads flags; others take any bit for the second cache, and always confirm. */
  readonly hasFlags: boolean
  /** Whether the payload is compressed. */
  readonly isCompressed: boolean
  /** ms after which a block that was not confirmed is sent again. */
  readonly retransmission: number
}

interface Unconfirmed {
  readonly row: number
  readonly payload: Uint8Array
  readonly form: BufferBlockForm
  tries: number
  timer: Timer
}

/** How often a block is sent before it is given up. */
const TRIES = 4

/** The blocks of bytes that one client is sent: numbered, and sent again until they are confirmed. */
export class BufferBlockSender {
  readonly #host: BufferBlockHost
  readonly #unconfirmed = new Map<number, Unconfirmed>()
  #sequence = 0
  #bytes = 0
  /** The block before is on its way: compression ends in its order. */
  #before: Promise<void> = Promise.resolve()
  #isOver = false

  constructor(host: BufferBlockHost) {
    this.#host = host
  }

  /** Bytes that are kept until they are confirmed. */
  get heldBytes(): number {
    return this.#bytes
  }

  /** Sends bytes of a signal, by its row; resolves when they are on their way. */
  send(row: number, bytes: Uint8Array, form: BufferBlockForm, confirm: boolean): Promise<void> {
    const sequence = this.#sequence
    this.#sequence = (sequence + 1) >>> 0
    this.#bytes += bytes.length
    const payload = form.isCompressed ? promisify(gzip)(bytes, { level: 1 }) : Promise.resolve(Buffer.from(bytes))
    const before = this.#before
    this.#before = (async () => {
      const ready = await payload
      await before
      await this.#host.ready()
      this.#bytes -= bytes.length
      if (this.#isOver) {
        this.#host.lost(bytes.length)
        return
      }
      if (!confirm) {
        if (!this.#write(sequence, row, ready, form, 0)) this.#host.lost(ready.length)
        return
      }
      this.#bytes += ready.length
      const block: Unconfirmed = { row, payload: ready, form, tries: 0, timer: { cancel() {} } }
      this.#unconfirmed.set(sequence, block)
      this.#try(sequence, block)
    })()
    return this.#before
  }

  /** The client has confirmed a block; `false` where it was not awaited. */
  confirmed(sequence: number): boolean {
    const block = this.#unconfirmed.get(sequence)
    if (block === undefined) return false
    this.#forget(sequence, block)
    return true
  }

  /** The connection is over. */
  close(): void {
    this.#isOver = true
    for (const [sequence, block] of [...this.#unconfirmed]) {
      this.#forget(sequence, block)
      this.#host.lost(block.payload.length)
    }
  }

  #forget(sequence: number, block: Unconfirmed): void {
    block.timer.cancel()
    this.#bytes -= block.payload.length
    this.#unconfirmed.delete(sequence)
  }

  #try(sequence: number, block: Unconfirmed): void {
    if (block.tries++ === TRIES || !this.#write(sequence, block.row, block.payload, block.form, BUFFER_BLOCK.confirm)) {
      this.#forget(sequence, block)
      this.#host.lost(block.payload.length)
      return
    }
    block.timer = this.#host.clock.after(block.form.retransmission, () => this.#try(sequence, block))
  }

  /** Writes a block with the index that its signal has now; `false` where the client has the signal no more. */
  #write(sequence: number, row: number, payload: Uint8Array, form: BufferBlockForm, flags: number): boolean {
    const place = this.#host.indexOf(row)
    if (place === undefined) return false
    const cache = place.cacheIndex === 1 ? BUFFER_BLOCK.cacheIndex : 0
    const compressed = form.isCompressed ? BUFFER_BLOCK.compressed : 0
    const plain = { flags: form.hasFlags ? flags | compressed | cache : cache, index: place.index, payload }
    const { payload: bytes, ...block } = form.hasFlags ? this.#host.sealed(plain) : plain
    const response = { type: 'bufferBlock', sequence, ...block, payload: Buffer.from(bytes) }
    this.#host.send(sttpWriteResponse(response, this.#host.modes))
    return true
  }
}

/** The setting of a subscription that says when blocks are sent again, in s, and its default in ms. */
const RETRANSMISSION = 'bufferblockretransmissiontimeout'
const RETRANSMISSION_DELAY = 5000

/** How blocks are sent to a client of these operational modes. */
export function bufferBlockForm(subscription: SttpSubscription | undefined, modes: number): BufferBlockForm {
  const { other = [] } = subscription ?? {}
  const hasFlags = knowsBlockFlags(subscription ?? {})
  const named = other.findIndex((name, at) => at % 2 === 0 && name.toLowerCase() === RETRANSMISSION)
  const seconds = named < 0 ? Number.NaN : Number(other[named + 1])
  return {
    hasFlags,
    isCompressed: hasFlags && hasModes(modes, MODE.compressPayload | MODE.gzip),
    retransmission: seconds > 0 ? Math.min(seconds, 3600) * 1000 : RETRANSMISSION_DELAY,
  }
}
