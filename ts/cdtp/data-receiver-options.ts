import type { Clock } from '../session/clock.js'
import type { Delivery } from '../session/delivery.js'
import type { Network } from '../session/index.js'
import type { Ledger } from '../session/ledger.js'
import type { SourcePolicy } from '../session/source.js'
import type { Stats } from '../session/stats.js'
import type { StatusStream } from '../session/status.js'
import type { DataRecord } from './data-record.js'
import type { Logger } from './logger.js'
import type { RecordBatch } from './record-batch.js'
import type { Values } from './value.js'
import type { Zmq } from './zeromq.js'

/** What a receiver is made of: the seed's arguments by name, and options. All can be left out. */
export interface DataReceiverOptions {
  /** A ZeroMQ context; that of the package unless told. */
  readonly context?: Zmq.Context
  readonly logger?: Logger
  readonly receiveBorCb?: (sender: string, userTags: Values, configuration: Values) => void | Promise<void>
  readonly receiveDataCb?: (sender: string, record: DataRecord) => void | Promise<void>
  readonly receiveEorCb?: (sender: string, userTags: Values, runMetadata: Values) => void | Promise<void>
  /** Canonical names of the transmitters that are taken; null or left out: all. */
  readonly dataTransmitters?: ReadonlySet<string> | null
  /** The name in ledger and status; `cdtp` unless told. */
  readonly name?: string
  /** Whether a malformed message ends the run, as it does in the peers; it is put aside unless told. */
  readonly malformedIsFatal?: boolean
  /** Whether a sender may begin another run after its EOR, without `startReceiving` in between. */
  readonly manyRuns?: boolean
  /** Bytes of batches that may wait for the consumer; 16 MiB unless told. ZeroMQ's high-water mark follows it. */
  readonly queueBytes?: number
  readonly policy?: SourcePolicy
  /** The longest message taken, bytes; 256 MiB unless told. */
  readonly maxMessageBytes?: number
  /** Records of a batch; a message with more gives several. 16,384 unless told. */
  readonly maxRecords?: number
  /** Blocks of a record; 65,536 unless told. */
  readonly maxBlocks?: number
  /** Looks at the frames that come, as `Network.observe`. */
  readonly observe?: Network['observe']
  /** Told of every batch. */
  readonly onBatch?: (batch: RecordBatch) => void
  /** Takes the batches instead of callbacks or a loop. */
  readonly delivery?: Delivery<RecordBatch>
  readonly stats?: Stats
  readonly ledger?: Ledger
  readonly status?: StatusStream
  readonly clock?: Clock
}
