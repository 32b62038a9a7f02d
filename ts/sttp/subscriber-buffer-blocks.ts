import type { TableBatch } from '../batch/index.js'
import { type Delivery, type SourceOptions, TableIntake } from '../session/index.js'
import {
  BUFFER_BLOCK,
  type BufferBlock,
  type BufferBlockHost,
  BufferBlockIntake,
  recordOfBlock,
} from './buffer-block.js'
import type { SttpControl } from './codec.js'
import { guidText } from './measurement.js'
import type { SubscriberConnection } from './subscriber-connection.js'
import type { MessageOptions } from './subscriber-events.js'
import { type RecoveryOptions, SubscriberRecovery } from './subscriber-recovery.js'

const BUFFER_BLOCK_BYTES = 16 << 20

/** What a subscriber does with buffer blocks. */
export interface BufferBlockOptions {
  /** Bytes of a buffer block at most, decompressed; 16 MiB unless told. */
  readonly bufferBlockBytes?: number
  /**
   * Whether buffer blocks come among the batches, as batches of the table `record` (look at `batch.table`): `seq` is the
   * number of the block in its connection, the `run`; its `tags` name the signal by its GUID. Not unless told.
   */
  readonly recordBufferBlocks?: boolean
}

/** A subscriber's buffer blocks: confirmed, and given to its function or its records. */
export abstract class SubscriberBufferBlocks extends SubscriberRecovery {
  readonly #limit: number
  readonly #areRecorded: boolean
  /** What a connection held when it ended is still taken, beside what the next one brings. */
  readonly #intakes = new WeakMap<SubscriberConnection, BufferBlockIntake>()
  #records: TableIntake | undefined

  constructor(name: string, options: SourceOptions & MessageOptions & RecoveryOptions & BufferBlockOptions) {
    super(name, options)
    this.#limit = options.bufferBlockBytes ?? BUFFER_BLOCK_BYTES
    this.#areRecorded = options.recordBufferBlocks ?? false
  }

  /** Blocks are numbered from 0 on each connection. @internal */
  protected beginBlocks(connection: SubscriberConnection): void {
    const host: BufferBlockHost = {
      signalId: (row) => guidText(this.signals.at(row)?.nativeId ?? new Uint8Array(16)),
      give: (block) => this.#give(connection, block),
      again: (sequence) => this.status.emit('buffer-block-again', { sequence }),
      lose: (gap) => this.lose(gap),
      recover: (id) => void this.recover(id, 1),
      malformed: (code, message, { offset = 0, length = 0 }) => {
        this.errorMessage(`${this.peer}: ${message}`)
        this.malformed(code, offset, length)
      },
    }
    this.#intakes.set(connection, new BufferBlockIntake(host, this.#limit))
  }

  /** The signals of later blocks are those of a signal index cache, whose rows are given. @internal */
  protected useCacheForBlocks(
    connection: SubscriberConnection,
    { cacheIndex = 0, indexes }: SttpControl,
    rows: Uint32Array,
  ): void {
    this.#intakes.get(connection)?.setCache(cacheIndex, indexes as Int32Array, rows)
  }

  /** Takes a block that came. @internal */
  protected takeBlock(connection: SubscriberConnection, control: SttpControl): void {
    const { sequence = 0, flags = 0 } = control
    if (flags & BUFFER_BLOCK.confirm) connection.send({ type: 'confirmBufferBlock', sequence })
    this.#intakes.get(connection)?.take(control)
  }

  /** The connection is over. @internal */
  protected endBlocks(): void {
    this.#records?.finish()
    this.#records = undefined
  }

  #give(connection: SubscriberConnection, block: BufferBlock): void {
    this.bufferBlockReceived?.(block)
    if (this.#areRecorded) {
      // Batches of both tables go to the one consumer, who looks at `batch.table`.
      const delivery = this.delivery as unknown as Delivery<TableBatch>
      this.#records ??= new TableIntake('record', { delivery, stats: this.stats, transport: connection.gate.handle() })
      this.#records.push(
        recordOfBlock(block, `buffer-blocks-${this.stats.reconnects + 1}`, this.peer, this.clock.now()),
      )
    } else if (this.bufferBlockReceived === undefined) {
      this.lose({ cause: 'decoder', bytes: block.bytes.length })
    }
  }
}
