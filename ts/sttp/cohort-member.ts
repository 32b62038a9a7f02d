import type { MeasurementBatch } from '../batch/index.js'
import type { Outbox, Policy } from '../session/index.js'
import type { Cohort } from './cohort.js'
import type { ServedSubscription } from './served-subscription.js'

/** What a member needs of its client's connection. */
export interface MemberHost {
  /** The client's id. */
  readonly id: Uint8Array
  readonly policy: Policy
  /** Where what is no measurements goes. */
  readonly commandOutbox: Outbox
  /** Where measurements go; the same unless there is a data channel. */
  readonly dataOutbox: Outbox
  /** Bytes of a frame of measurements at most, where there is a data channel. */
  readonly frameBytes: number | undefined
  /** Whether more waits for the client than should. */
  readonly isFull: boolean
  /** Measurements were sent, left out because they are NaN, or given up. */
  sent(rows: number): void
  filtered(rows: number): void
  dropped(rows: number): void
  /** Closes the connection because of that. */
  disconnect(): void
}

/** What a member tells those who route. */
export interface MemberRouting {
  /** Its cache is in force, it is served. */
  joined(member: CohortMember): void
  /** It has caught up and needs a start of its own. */
  relieved(member: CohortMember): void
  /** It is served by nothing any more. */
  left(member: CohortMember): void
}

/** A client among those who get what is published now: the cohort that serves it, and what waits until one does. */
export class CohortMember implements ServedSubscription {
  readonly host: MemberHost
  readonly #routing: MemberRouting
  #signals = 0
  /** Makes the cohort that is asked for, with one of the two caches. */
  #make: ((cacheIndex: number) => Cohort) | undefined
  #cohort: Cohort | undefined
  /** The cohort whose cache was sent and is not in force. */
  #next: Cohort | undefined
  /** A cache was sent and not confirmed: what is asked for meanwhile waits. */
  #isUnconfirmed = false
  /** What was published since the first subscription, until its cache is in force. */
  #held: MeasurementBatch[] = []
  #heldBytes = 0
  /** What is to be sent behind what is held. */
  #last: Uint8Array | undefined
  /** Called when its cache is in force, or it is served by nothing any more: nothing is held then. */
  #onEnter: (() => void)[] = []
  /** Too much waits: measurements are given up until it does not, and a new cache is in force. */
  #isStalled = false
  #isGone = false

  constructor(host: MemberHost, routing: MemberRouting) {
    this.host = host
    this.#routing = routing
  }

  /** The cohort by which it is served. */
  get cohort(): Cohort | undefined {
    return this.#cohort
  }

  get signals(): number {
    return this.#signals
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  /** Whether it could become a member of another cohort now. */
  get isSteady(): boolean {
    return this.#cohort !== undefined && this.#next === undefined && !this.#isStalled
  }

  /** The wire index of a signal by its row, and the cache that it is in; `undefined` where the client does not have it. */
  indexOf(row: number): { readonly index: number; readonly cacheIndex: number } | undefined {
    const index = this.#cohort?.signals.rows.indexOf(row) ?? -1
    return index < 0 ? undefined : { index, cacheIndex: (this.#cohort as Cohort).cacheIndex }
  }

  /** Whether the client has a signal, or will when its first cache is in force. */
  has(row: number): boolean {
    return (this.#cohort ?? this.#next)?.signals.rows.includes(row) ?? false
  }

  /** Resolves when its first cache is in force, or it is served by nothing any more. */
  entered(): Promise<void> {
    if (this.#cohort !== undefined || this.#isGone) return Promise.resolve()
    return new Promise((resolve) => this.#onEnter.push(resolve))
  }

  /** Asks for a cohort of so many signals, which is made when its cache can be sent. */
  want(signals: number, make: (cacheIndex: number) => Cohort): void {
    this.#signals = signals
    this.#make = make
  }

  start(answer: () => void): void {
    if (!this.#isUnconfirmed) this.#offerWanted()
    answer()
  }

  confirm(): void {
    if (!this.#isUnconfirmed) return
    this.#isUnconfirmed = false
    if (this.#make === undefined) this.#next?.confirmedBy(this)
    else this.#offerWanted()
  }

  changeInterval(): boolean {
    return false
  }

  /** Is served by nothing any more. */
  stop(): void {
    this.#isGone = true
    const next = this.#next
    this.#cohort?.leave(this)
    next?.leave(this)
    this.#cohort = undefined
    this.#next = undefined
    this.#make = undefined
    if (next !== undefined) for (const batch of this.#takeHeld()) this.#drop(next.rowsIn(batch))
    this.#tellEnter()
    this.#isStalled = false
    this.#routing.left(this)
  }

  /** Resolves when nothing is held any more. */
  released(): Promise<void> {
    if (this.#held.length === 0) return Promise.resolve()
    return new Promise((resolve) => this.#onEnter.push(resolve))
  }

  /** Resolves when there is room for what has to be held. */
  async ready(): Promise<void> {
    if (this.host.isFull) await this.released()
  }

  /** Sends frames of measurements; `done` is called when their bytes are free. */
  send(frames: Uint8Array, rows: number, done: () => void): void {
    if (this.host.isFull && !this.#isStalled && this.host.policy !== 'block') this.#stall()
    if (this.#isStalled) {
      this.host.dropped(rows)
      done()
      return
    }
    this.host.sent(rows)
    this.host.dataOutbox.send(frames, rows, done)
  }

  /** Keeps what is published while its first cache is not in force. */
  hold(batch: MeasurementBatch): void {
    if (this.#next === undefined || this.#cohort !== undefined || this.#next.isThrottled) return
    if (this.host.isFull) {
      this.#drop(this.#next.rowsIn(batch))
      return
    }
    const copy = batch.copy()
    this.#held.push(copy)
    this.#heldBytes += copy.block.bytes.length
  }

  /** Sends the cache of a cohort; it is served as before until {@link enter}. */
  offer(cohort: Cohort, cache: Uint8Array): void {
    this.#next?.leave(this)
    this.#next = cohort
    this.#isUnconfirmed = true
    this.host.commandOutbox.send(cache)
  }

  /** Sends a frame behind everything that was published so far. */
  sendLast(frame: Uint8Array): void {
    if (this.#cohort === undefined) this.#last = frame
    else this.host.commandOutbox.send(frame)
  }

  /** The cache of a cohort is in force: what was held goes out first. */
  enter(cohort: Cohort): void {
    this.#cohort?.leave(this)
    this.#cohort = cohort
    this.#next = undefined
    this.#isUnconfirmed = false
    this.#isStalled = false
    for (const batch of this.#takeHeld()) cohort.publish(batch.block)
    this.#tellEnter()
    if (this.#last !== undefined) this.host.commandOutbox.send(this.#last)
    this.#last = undefined
    this.#routing.joined(this)
  }

  #offerWanted(): void {
    const make = this.#make
    this.#make = undefined
    make?.(this.#cohort?.cacheIndex === 0 ? 1 : 0).offer([this])
  }

  #takeHeld(): MeasurementBatch[] {
    this.#heldBytes = 0
    return this.#held.splice(0)
  }

  #drop(rows: number): void {
    if (rows > 0) this.host.dropped(rows)
  }

  #tellEnter(): void {
    for (const resolve of this.#onEnter.splice(0)) resolve()
  }

  #stall(): void {
    this.#isStalled = true
    if (this.host.policy === 'disconnect') {
      this.host.disconnect()
      return
    }
    void this.host.dataOutbox.flushed().then(() => {
      if (this.#isStalled && !this.#isGone) this.#routing.relieved(this)
    })
  }
}
