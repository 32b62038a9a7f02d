import type { Policy, SessionOptions, TlsOptions } from '../session/index.js'
import type { Precedence } from './data-set.js'

/** What a publisher can be given. */
export interface PublisherOptions extends SessionOptions {
  /** Subscribers at most; no limit unless told. */
  readonly maxConnections?: number
  /** Bytes that may wait for one subscriber; 16 MiB unless told. */
  readonly queueBytes?: number
  /**
   * What happens when more would wait for a subscriber: `drop-oldest` (unless told) gives up what cannot be sent until
   * everything that waits has gone, and harms nobody else; `disconnect` closes the connection; `block` lets
   * `Publisher.publish` give `false`, and all wait for the slowest.
   */
  readonly policy?: Policy
  /** How operators bind in the subscribers' filters. */
  readonly precedence?: Precedence
}

/** Where a publisher listens. */
export interface PublisherEndpoint {
  /** All addresses of the machine unless told. */
  readonly host?: string
  /** 0 for a free one. */
  readonly port: number
  readonly tls?: TlsOptions
}
