import type { Clock, MeasurandError, Policy, Stats, StatsSnapshot } from '../session/index.js'
import type { ClientConnection } from './client-connection.js'
import type { SttpSubscription } from './codec.js'
import type { DataChannel } from './data-channel.js'
import type { ServedSubscription } from './served-subscription.js'
import type { PayloadEncoding } from './subscription.js'

/** What a connection needs of its publisher. */
export interface ConnectionHost {
  readonly clock: Clock
  readonly queueBytes: number
  readonly policy: Policy
  readonly stats: Stats
  /** Metadata for a refresh with these filters; rejects with why there are none. */
  metadata(filters: string, modes: number): Promise<Uint8Array>
  /** What is to serve a subscription, `before` among it if it can; throws what is wrong with the subscription. */
  serve(
    connection: ClientConnection,
    subscription: SttpSubscription,
    before: ServedSubscription | undefined,
  ): ServedSubscription
  /** Opens the data channel of a subscription that asks for one; rejects where there can be none. */
  openChannel(connection: ClientConnection, subscription: SttpSubscription): Promise<DataChannel>
  told(connection: ClientConnection, event: ConnectionEvent): void
  dropped(connection: ClientConnection, rows: number): void
  /** A buffer block of so many bytes may not have arrived. */
  lostBlock(connection: ClientConnection, bytes: number): void
  malformed(connection: ClientConnection, code: string, offset: number, length: number): void
}

/** What happened on a connection. */
export type ConnectionEvent =
  | { readonly kind: 'joined' | 'unsubscribed' }
  | { readonly kind: 'left'; readonly error?: MeasurandError }
  | { readonly kind: 'stalled'; readonly queuedBytes: number }
  | { readonly kind: 'quirk'; readonly quirk: string }
  | { readonly kind: 'subscribed'; readonly signals: number }
  | { readonly kind: 'user-command'; readonly number: number; readonly payload: Uint8Array }
  | { readonly kind: 'processing-interval'; readonly interval: number }
  | { readonly kind: 'buffer-block-confirmed'; readonly sequence: number }
  | { readonly kind: 'notification-confirmed'; readonly hash: number }

/** What a publisher says of one of its subscribers. */
export interface ClientDescription {
  /** `host:port`. */
  readonly peer: string
  /** GUID that the publisher gave it. */
  readonly subscriberId: string
  /** Name and version of its program, as far as it has said. */
  readonly program: string
  /** Of the protocol; 0 before it has said it. */
  readonly version: number
  readonly encoding: PayloadEncoding
  readonly isSubscribed: boolean
  readonly filter: string | null
  /** What it does otherwise than the protocol and is borne, by name. */
  readonly quirks: readonly string[]
  /** Signals of its subscription. */
  readonly signals: number
  readonly stats: StatsSnapshot
}
