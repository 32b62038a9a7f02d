import type { Signal } from '../batch/index.js'
import type { Policy, SessionOptions, TlsOptions } from '../session/index.js'
import type { ClientConnection } from './client-connection.js'
import type { DataChannelOptions } from './data-channel.js'
import type { Precedence } from './data-set.js'

/** What subscribers are allowed; each can be changed while the publisher runs, and holds for later requests. */
export interface PublisherPermissions {
  /** Subscribers at most; -1, no limit, unless told. */
  maximumAllowedConnections: number
  /** Whether metadata are given out; they are unless told. */
  isMetadataRefreshAllowed: boolean
  /** Whether NaN values are left out for subscribers that ask for it; they are unless told. */
  isNaNValueFilterAllowed: boolean
  /** Whether NaN values are left out for every subscriber; not unless told. */
  isNaNValueFilterForced: boolean
  /** Whether compact times are offsets from base times, which saves 4 bytes each, or 6 in ms; they are unless told. */
  useBaseTimeOffsets: boolean
}

/** What a publisher can be given. */
export interface PublisherOptions extends SessionOptions, Partial<Readonly<PublisherPermissions>> {
  /** GUID by which this publisher is named as the source node of what it adds to metadata; a new one unless told. */
  readonly nodeId?: string
  /** Bytes that may wait for one subscriber; 16 MiB unless told. */
  readonly queueBytes?: number
  /** Bytes of a buffer block at most; 1,000,000 unless told. Subscribers have limits of their own. */
  readonly bufferBlockBytes?: number
  /**
   * ms that measurements may wait for others, so that small batches go out in few packets: many times the rate, and so
   * much later. 0 unless told.
   */
  readonly maxDelay?: number
  /**
   * What happens when more would wait for a subscriber: `drop-oldest` (unless told) gives up what cannot be sent until
   * everything that waits has gone, and harms nobody else; `disconnect` closes the connection; `block` lets
   * `Publisher.publish` give `false`, and all wait for the slowest.
   */
  readonly policy?: Policy
  /** How data are sent by UDP to subscribers who ask for it; `false`: they are refused. */
  readonly dataChannel?: DataChannelOptions | false
  /** How operators bind in the subscribers' filters. */
  readonly precedence?: Precedence
  /** Whether a subscriber may have a signal; what it may not have is named as unauthorized in its cache. All unless told. */
  readonly permit?: (connection: ClientConnection, signal: Signal) => boolean
  /** Where messages for people go; nowhere unless told. */
  readonly statusMessage?: (text: string) => void
  /** Where messages of trouble go; nowhere unless told. */
  readonly errorMessage?: (text: string) => void
}

/** Where a publisher listens. */
export interface PublisherEndpoint {
  /** All addresses of the machine unless told. */
  readonly host?: string
  /** 0 for a free one. */
  readonly port: number
  readonly tls?: TlsOptions
}
