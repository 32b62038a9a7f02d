import { type Row, type TableBatch, TableBuilder, type TableName } from '../batch/index.js'
import type { Delivery, Filler, Ready } from './delivery.js'
import type { Stats } from './stats.js'
import type { Transport } from './transport.js'

/** What a table intake is made of. */
export interface TableIntakeOptions {
  readonly delivery: Delivery<TableBatch>
  readonly stats: Stats
  /** What is paused while there is no room. */
  readonly transport?: Pick<Transport, 'pause' | 'resume'>
  /** Whether its rows are counted in the books; not so where they are made from counted ones. By default they are. */
  readonly isCounted?: boolean
  /** Rows of a batch; 4,096 unless told. */
  readonly maxRows?: number
  /** Bytes of a batch; 1 MiB unless told. */
  readonly maxBytes?: number
}

/** Gathers rows that come one by one (events, records, texts) and hands them to the delivery as batches. */
export class TableIntake implements Filler<TableBatch> {
  readonly #builder: TableBuilder
  readonly #options: TableIntakeOptions
  readonly #maxRows: number
  readonly #maxBytes: number
  readonly #unit: 0 | 1
  #isOfferScheduled = false
  #isPaused = false

  constructor(table: TableName, options: TableIntakeOptions) {
    this.#builder = new TableBuilder(table)
    this.#options = options
    this.#maxRows = options.maxRows ?? 4096
    this.#maxBytes = options.maxBytes ?? 1 << 20
    this.#unit = options.isCounted === false ? 0 : 1
    options.delivery.attach(this)
  }

  get rows(): number {
    return this.#builder.length
  }

  get isHolding(): boolean {
    return this.#isPaused
  }

  /**
   * Takes a row. The consumer gets the rows of one turn of the event loop together. Gives `false` when the queue is
   * full: the transport is paused until there is room, and nothing more should be pushed.
   */
  push(row: Row): boolean {
    this.#builder.push(row)
    this.#options.stats.received += this.#unit
    if (this.#builder.length < this.#maxRows && this.#builder.byteLength < this.#maxBytes) {
      this.#scheduleOffer()
      return !this.#isPaused
    }
    const { delivery } = this.#options
    delivery.push(this.seal())
    if (delivery.isFull) this.#pause()
    return !this.#isPaused
  }

  seal(): Ready<TableBatch> {
    const bytes = this.#builder.byteLength
    const rows = this.#builder.length * this.#unit
    return { batch: this.#builder.finish(), rows, bytes, release: () => {} }
  }

  room(): void {
    const { delivery, transport } = this.#options
    while (delivery.isFull) if (!delivery.makeRoom()) return
    this.#isPaused = false
    delivery.tellPressure(false)
    transport?.resume()
  }

  /** Nothing more comes from it. */
  finish(): void {
    this.#isPaused = false
    const { delivery } = this.#options
    if (this.rows > 0) delivery.push(this.seal())
    delivery.detach(this)
  }

  discard(): number {
    const rows = this.rows * this.#unit
    this.#builder.finish()
    this.#isPaused = false
    return rows
  }

  #pause(): void {
    const { delivery, transport } = this.#options
    delivery.scheduleRoom()
    if (this.#isPaused) return
    this.#isPaused = true
    delivery.tellPressure(true)
    transport?.pause()
  }

  #scheduleOffer(): void {
    if (this.#isOfferScheduled) return
    this.#isOfferScheduled = true
    setImmediate(() => {
      this.#isOfferScheduled = false
      if (this.rows > 0) this.#options.delivery.offer()
    })
  }
}
