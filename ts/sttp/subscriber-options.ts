import { COUNT, type NumberRange, type SourceOptions, TIMEOUT, type TlsOptions, WAIT } from '../session/index.js'
import type { BufferBlockOptions } from './subscriber-buffer-blocks.js'
import type { MessageOptions } from './subscriber-events.js'
import type { RecoveryOptions } from './subscriber-recovery.js'
import type { ProtocolVersion } from './subscription.js'

/** What a subscriber can be given. */
export interface SubscriberOptions extends SourceOptions, MessageOptions, RecoveryOptions, BufferBlockOptions {
  /** Whether metadata is asked for at every connection; it is unless told. */
  readonly autoRequestMetadata?: boolean
  /** Whether what `subscribe` was given is subscribed at every connection; it is unless told. */
  readonly autoSubscribe?: boolean
  /** The same as `reconnect: false` where it is `false`. */
  readonly autoReconnect?: boolean
  /** Filters of the metadata, one for a table, separated by `;`. */
  readonly metadataFilters?: string
  /** Secures the connection. */
  readonly tls?: TlsOptions
  /** The version of the protocol: 1 has one signal index cache, 2 and 3 have two; 2 unless told. */
  readonly version?: ProtocolVersion
  /** Whether the publisher's GUIDs are in the order of Microsoft's systems; they are in that of text unless told. */
  readonly swapGuidEndianness?: boolean
  /** ms without a byte after which the publisher is taken for dead (it sends one every 5 s); 30,000 unless told, 0: never. */
  readonly silence?: number
  /** ms that an answer of the publisher may take; 30,000 unless told. */
  readonly answerTimeout?: number
  /** ms that undecodable packets are endured before the subscription is made anew; 2,000 unless told. */
  readonly resetTimeout?: number
  /** Rows of a batch at most; 16,384 unless told. */
  readonly batchRows?: number
  /** Bytes of a data packet, a signal index cache and metadata (as they come) at most; 1, 64 and 256 MiB unless told. */
  readonly frameBytes?: number
  readonly cacheBytes?: number
  readonly metadataBytes?: number
  /** Retries of a connection that broke at most; -1, no limit, unless told. */
  readonly maxRetries?: number
  /** Seconds before the first retry, which grow up to `maxRetryInterval`; 1 and 30 unless told. `reconnect` says more. */
  readonly retryInterval?: number
  readonly maxRetryInterval?: number
  /** Seconds that a connection may take to come about; 2 unless told. */
  readonly socketTimeout?: number
  /** Whether measurements are asked for by TSSC; they are unless told. A subscription's `encoding` says otherwise. */
  readonly compressPayloadData?: boolean
  /** Whether metadata are asked for as gzip; they are unless told. */
  readonly compressMetadata?: boolean
  /** Whether signal index caches are asked for as gzip; they are unless told. */
  readonly compressSignalIndexCache?: boolean
}

/** Which numbers the options may be. */
export const NUMBERS = {
  silence: WAIT,
  answerTimeout: WAIT,
  resetTimeout: WAIT,
  batchRows: COUNT,
  frameBytes: COUNT,
  cacheBytes: COUNT,
  metadataBytes: COUNT,
  socketTimeout: { min: 0, max: TIMEOUT.max / 1000 },
  maxRetries: { min: -1, max: COUNT.max, isWhole: true },
} satisfies { readonly [Name in keyof SubscriberOptions]: NumberRange }
