import type { Batch } from '../batch/index.js'
import { type Clock, systemClock, type Timer } from './clock.js'
import { tell } from './diagnostics.js'
import { sessionError } from './error-codes.js'
import type { MeasurandError } from './errors.js'
import type { SourcePolicy } from './source.js'
import { Spill, SpilledBatch } from './spill.js'

/** A batch that waits for the consumer. */
export interface Ready<B extends Batch = Batch> {
  readonly batch: B
  /** Its rows in the unit of the books: what was added to `received`. */
  readonly rows: number
  /** Bytes of memory that wait with it. */
  readonly bytes: number
  /** Takes the memory back: nobody reads the batch any more. */
  release(): void
}

/** What fills batches: rows gather in its open batch while the consumer is busy. */
export interface Filler<B extends Batch = Batch> {
  /** Rows in the open batch. */
  readonly rows: number
  /** Whether it holds bytes that will become rows as soon as there is room. */
  readonly isHolding: boolean
  /** Closes the open batch and gives it out; called only while it has rows. */
  seal(): Ready<B>
  /** There is room again: go on with what is held. */
  room(): void
  /** Throws away what it has, for good; gives the rows of the open batch in the unit of the books. */
  discard(): number
}

/** What a delivery is made of. */
export interface DeliveryOptions<B extends Batch> {
  readonly source: string
  readonly clock?: Clock
  readonly policy?: SourcePolicy
  /** Bytes that may wait for the consumer; 16 MiB unless told. */
  readonly queueBytes?: number
  /** How long rows may gather in a batch that is not full, ms; 0 unless told. */
  readonly maxDelay?: number
  /** A batch was given up under `drop-oldest`. */
  readonly onDrop?: (dropped: Ready<B>) => void
  /** A full queue has become empty: later drops are another loss. */
  readonly onRelief?: () => void
  /** Where the waiting bytes are counted. */
  readonly stats?: { queuedBytes: number }
  /** The queue is full under `disconnect`, or what waited on disk cannot be read back. */
  readonly onOverflow?: (error: MeasurandError) => void
}

export const QUEUE_BYTES = 16 << 20

type Resolve<B> = (result: IteratorResult<B, undefined>) => void

/**
 * Hands batches to the one consumer of a session: a `for await` loop or a function, never both. The consumer is given
 * the oldest full batch, or else the open one as it is; a batch is valid until the consumer comes back. Costs are per
 * batch, never per row.
 *
 * ```ts
 * const delivery = new Delivery<MeasurementBatch>({ source: 'sttp-127-0-0-1-7165' })
 * const intake = new BlockIntake({ delivery, ring, decoder, transport, handler, stats, signals })
 * for await (const batch of delivery) sum += batch.length
 * ```
 */
export class Delivery<B extends Batch = Batch> implements AsyncIterable<B> {
  policy: SourcePolicy
  readonly queueBytes: number
  readonly #options: DeliveryOptions<B>
  readonly #clock: Clock
  readonly #maxDelay: number
  readonly #fillers: Filler<B>[] = []
  readonly #queue: Ready<B>[] = []
  /** How many at the head of the queue wait on disk. */
  #spilled = 0
  #queuedBytes = 0
  #reading: Ready<B> | undefined
  #consumer: 'none' | 'loop' | 'function' = 'none'
  #resolve: Resolve<B> | undefined
  #reject: ((error: Error) => void) | undefined
  #call: ((batch: B) => void | Promise<void>) | undefined
  #timer: Timer | undefined
  #isDue = false
  #isAsking = false
  #isRoomScheduled = false
  #isLate = false
  #hasDropped = false
  #isEnded = false
  #error: Error | undefined
  #onDrained: (() => void)[] = []

  constructor(options: DeliveryOptions<B>) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.policy = options.policy ?? 'block'
    this.queueBytes = options.queueBytes ?? QUEUE_BYTES
    this.#maxDelay = options.maxDelay ?? 0
  }

  /** Bytes of full batches that wait. */
  get queuedBytes(): number {
    return this.#queuedBytes
  }

  /** Whether no more should be produced now. */
  get isFull(): boolean {
    return this.#queuedBytes >= this.queueBytes
  }

  /** Adds a filler; the delivery is over only when its rows are out. */
  attach(filler: Filler<B>): void {
    this.#fillers.push(filler)
  }

  /** Lets a filler go that has nothing left. */
  detach(filler: Filler<B>): void {
    const index = this.#fillers.indexOf(filler)
    if (index >= 0) this.#fillers.splice(index, 1)
    this.#settle()
  }

  /** Takes a full batch. Gives `false` when its producer should let the consumer run before it goes on. */
  push(ready: Ready<B>): boolean {
    if (this.#isOver) {
      ready.release()
      return true
    }
    this.#queue.push(ready)
    this.#count(ready.bytes)
    if (this.#isAsking) return false
    if (!this.#isIdle) return !this.isFull
    this.#give(this.#shift() as Ready<B>)
    return this.#consumer === 'function' && this.#isIdle
  }

  /** Says that rows are in an open batch: an idle consumer gets them, at once or when `maxDelay` is over. */
  offer(): void {
    if (this.#isAsking || !this.#isIdle) return
    if (this.#maxDelay > 0 && !this.#isDue && !this.#isEnded) this.#startTimer()
    else this.#giveNext()
  }

  /**
   * Puts the oldest waiting batch on disk, gives it up, or gives up the connection, as the policy says; `false` where it
   * says to wait. The consumer is always given a turn of the event loop first.
   */
  makeRoom(): boolean {
    if (!this.#isLate || this.policy === 'block' || this.#isOver) return false
    if (this.policy instanceof Spill) return this.#spill(this.policy)
    if (this.policy === 'disconnect') {
      const text = `${this.#queuedBytes} bytes wait for the consumer of ${this.#options.source}`
      this.#options.onOverflow?.(sessionError('ERR_SESSION_QUEUE_FULL', text))
      return false
    }
    // Batches without rows are what the others are read by, and small.
    const oldest = this.#queue.findIndex(({ rows }) => rows > 0)
    const [ready] = oldest < 0 ? [] : this.#queue.splice(oldest, 1)
    if (ready === undefined) return false
    this.#count(-ready.bytes)
    this.#drop(ready)
    return true
  }

  /** Lets every filler go on, in the next turn of the event loop. */
  scheduleRoom(): void {
    if (this.#isRoomScheduled) return
    this.#isRoomScheduled = true
    setImmediate(() => {
      this.#isRoomScheduled = false
      this.#isLate = true
      for (const filler of [...this.#fillers]) if (filler.isHolding) filler.room()
      this.#isLate = false
      this.#settle()
    })
  }

  /** Nothing more will come: the consumer gets what there is, then the end, or the error. */
  end(error?: Error): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#error = error
    this.#timer?.cancel()
    this.offer()
    this.#settle()
  }

  /** Ends it now, for the consumer too; gives the rows that nobody has taken. */
  close(error?: Error): number {
    let rows = 0
    for (const ready of this.#queue.splice(0)) {
      rows += ready.rows
      ready.release()
    }
    for (const filler of this.#fillers.splice(0)) rows += filler.discard()
    this.#count(-this.#queuedBytes)
    this.end(error)
    return rows
  }

  /** Resolves when it has ended and everything was taken. */
  get drained(): Promise<void> {
    if (this.#isOver && this.#reading === undefined) return Promise.resolve()
    return new Promise((resolve) => this.#onDrained.push(resolve))
  }

  /** Gives every batch to a function; resolves at the end, rejects with the error that ended it, or the function's own. */
  consume(call: (batch: B) => void | Promise<void>): Promise<void> {
    this.#take('function')
    return new Promise((resolve, reject) => {
      this.#call = call
      this.#resolve = () => resolve()
      this.#reject = reject
      this.#giveNext()
      this.#settle()
    })
  }

  [Symbol.asyncIterator](): AsyncIterator<B, undefined> {
    this.#take('loop')
    return {
      next: () => this.#next(),
      return: async () => {
        this.#release()
        this.#resolve?.({ done: true, value: undefined })
        this.#resolve = undefined
        this.#reject = undefined
        this.#consumer = 'none'
        this.#settle()
        return { done: true, value: undefined }
      },
    }
  }

  #take(consumer: 'loop' | 'function'): void {
    if (this.#consumer !== 'none') {
      throw sessionError('ERR_SESSION_CONSUMER_SECOND', `${this.#options.source} has a consumer already`)
    }
    this.#consumer = consumer
  }

  get #isOver(): boolean {
    return this.#isEnded && this.#queue.length === 0 && this.#fillers.every((f) => f.rows === 0 && !f.isHolding)
  }

  /** Whether the consumer waits for a batch. */
  get #isIdle(): boolean {
    return this.#resolve !== undefined && this.#reading === undefined
  }

  #next(): Promise<IteratorResult<B, undefined>> {
    if (this.#resolve !== undefined) {
      return Promise.reject(sessionError('ERR_SESSION_CONSUMER_SECOND', 'the loop waits for a batch already'))
    }
    this.#release()
    const ready = this.#nextReady()
    if (ready !== undefined) {
      this.#reading = ready
      return Promise.resolve({ done: false, value: ready.batch })
    }
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
      this.#settle()
    })
  }

  /** The oldest full batch, or what held bytes give, or the open batch. */
  #nextReady(): Ready<B> | undefined {
    if (this.#queue.length === 0) {
      this.#isAsking = true
      for (const filler of this.#fillers) {
        if (filler.isHolding) filler.room()
        if (this.#queue.length > 0) break
      }
      this.#isAsking = false
    } else if (this.#fillers.some((filler) => filler.isHolding)) {
      this.scheduleRoom()
    }
    const ready = this.#shift()
    if (ready !== undefined) return ready
    if (this.#hasDropped) {
      this.#hasDropped = false
      this.#options.onRelief?.()
    }
    const filler = this.#fillers.find(({ rows }) => rows > 0)
    if (filler === undefined) {
      this.#isDue = false
      return undefined
    }
    if (this.#maxDelay > 0 && !this.#isDue && !this.#isEnded) {
      this.#startTimer()
      return undefined
    }
    this.#isDue = false
    return filler.seal()
  }

  #giveNext(): void {
    if (!this.#isIdle) return
    const ready = this.#nextReady()
    if (ready !== undefined) this.#give(ready)
  }

  #give(ready: Ready<B>): void {
    this.#reading = ready
    if (this.#call !== undefined) {
      this.#giveToFunction(this.#call, ready)
      return
    }
    const resolve = this.#resolve as Resolve<B>
    this.#resolve = undefined
    this.#reject = undefined
    resolve({ done: false, value: ready.batch })
  }

  /** Calls with one batch after the other, without recursion, until there is none or the function takes its time. */
  #giveToFunction(call: (batch: B) => void | Promise<void>, first: Ready<B>): void {
    for (let ready: Ready<B> | undefined = first; ready !== undefined; ready = this.#nextReady()) {
      this.#reading = ready
      try {
        const pending = call(ready.batch)
        if (pending !== undefined) {
          pending.then(
            () => {
              this.#release()
              this.#giveNext()
              this.#settle()
            },
            (error: Error) => this.#fail(error),
          )
          return
        }
      } catch (error) {
        this.#fail(error as Error)
        return
      }
      this.#release()
    }
    this.#settle()
  }

  #fail(error: Error): void {
    this.#release()
    this.#reject?.(error)
    this.#resolve = undefined
    this.#reject = undefined
    this.#call = undefined
  }

  #release(): void {
    const reading = this.#reading
    this.#reading = undefined
    reading?.release()
  }

  #shift(): Ready<B> | undefined {
    const ready = this.#queue.shift()
    if (ready === undefined) return undefined
    if (ready instanceof SpilledBatch && !this.#isReadable(ready)) return undefined
    this.#count(-ready.bytes)
    if (this.#spilled > 0) this.#spilled--
    return ready
  }

  /** Whether a batch could be read back from its file; what cannot ends the session, and was never received. */
  #isReadable(spilled: SpilledBatch<B>): boolean {
    try {
      return spilled.batch.length >= 0
    } catch (cause) {
      this.#queue.unshift(spilled)
      const text = `batches of ${this.#options.source} that waited on disk cannot be read: ${(cause as Error).message}`
      this.#options.onOverflow?.(sessionError('ERR_SESSION_SPILL_UNREADABLE', text, { cause }))
      return false
    }
  }

  #drop(ready: Ready<B>): void {
    this.#hasDropped = true
    this.#options.onDrop?.(ready)
    ready.release()
  }

  #spill(spill: Spill): boolean {
    const ready = this.#queue[this.#spilled]
    const kept = ready && spill.keep(ready)
    if (ready === undefined || kept === undefined) return false
    this.#queue[this.#spilled++] = kept
    this.#count(-ready.bytes)
    return true
  }

  #count(bytes: number): void {
    this.#queuedBytes += bytes
    if (this.#options.stats !== undefined) this.#options.stats.queuedBytes += bytes
  }

  #startTimer(): void {
    if (this.#timer !== undefined) return
    this.#timer = this.#clock.after(this.#maxDelay, () => {
      this.#timer = undefined
      this.#isDue = true
      this.#giveNext()
    })
  }

  /** Tells the end when it has come. */
  #settle(): void {
    if (!this.#isOver || this.#reading !== undefined) return
    if (this.policy instanceof Spill) this.policy.close()
    const [resolve, reject] = [this.#resolve, this.#reject]
    this.#resolve = undefined
    this.#reject = undefined
    const error = this.#error
    if (error === undefined) resolve?.({ done: true, value: undefined })
    else if (reject !== undefined) {
      this.#error = undefined
      reject(error)
    }
    for (const drained of this.#onDrained.splice(0)) drained()
  }

  /** Tells the diagnostics channel that reading stopped or goes on. */
  tellPressure(paused: boolean): void {
    tell('pressure', () => ({ source: this.#options.source, paused }))
  }
}
