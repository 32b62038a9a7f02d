import type { MeasurandError } from './errors.js'

/** What a transport calls. */
export interface TransportHandler {
  /**
   * Bytes came: a piece of a stream, or gathered datagrams (`u16 length`, little-endian, before each). They are valid
   * during the call; where the transport is paused in the call, until it is resumed.
   */
  onChunk(bytes: Uint8Array): void
  /** Written bytes have gone: `write` may go on. */
  onDrain?(): void
  /** The peer will send no more. A stream's transport stays open for writing until it is ended or closed. */
  onEnd?(): void
  /** It is over, once and last; with the error that ended it, if one did. */
  onClose(error?: MeasurandError): void
  /** Datagrams were thrown away because nobody took them in time. */
  onDropped?(datagrams: number, bytes: number): void
  /** The system threw datagrams away before they were read, where it says so (Linux does); looked at each second. */
  onOverrun?(datagrams: number): void
}

/** A connection that carries bytes, or datagrams, and knows nothing of what they mean. */
export interface Transport {
  /** Where the peer is, `host:port`. */
  readonly peer: string
  /** The port on this side; 0 where there is none. */
  readonly localPort: number
  /** Whether nobody else can read what is carried. */
  readonly isSecure?: boolean
  /** Bytes read and written so far. */
  readonly bytesIn: number
  readonly bytesOut: number
  /** Bytes given to `write` that have not gone yet. */
  readonly queuedBytes: number
  /** Begins reading. Nothing is read, and nothing lost, before. */
  start(handler: TransportHandler): void
  /**
   * Sends bytes; several buffers go out as one write (as datagrams: one each). They belong to the transport until
   * `done` is called, during the call or later. Gives `false` while more is queued than its high-water mark: wait for `onDrain`.
   */
  write(bytes: Uint8Array | readonly Uint8Array[], done?: () => void): boolean
  /** Stops reading, at once. */
  pause(): void
  /** Reads again. */
  resume(): void
  /** Sends what is queued, then closes this side. */
  end(): void
  /** Closes it now; what is queued is thrown away. */
  close(): void
}

/** Where to connect or to listen. */
export interface Endpoint {
  readonly host: string
  /** 0 to listen on any free one. */
  readonly port: number
  /** Secures the connection. */
  readonly tls?: TlsOptions
  /** How long a connection may take to come about, ms; 10,000 unless told. */
  readonly connectTimeout?: number
  /** Who listens is told of clients that it does not let in: where they are, and why. */
  readonly onRefused?: (peer: string, error: Error) => void
}

/** Certificates and keys in PEM. */
export interface TlsOptions {
  readonly cert?: string | Uint8Array
  readonly key?: string | Uint8Array
  /** Authorities to trust instead of the machine's. */
  readonly ca?: string | Uint8Array
  /** The name that the server's certificate must have; by default the host. */
  readonly serverName?: string
  /** Whether a client's certificate is demanded (server), or the server's verified (client; by default it is). */
  readonly verify?: boolean
  /**
   * SHA-256 of the only certificates that the peer may have, in hexadecimal with or without colons: trusted whoever has
   * signed them, in place of an authority.
   */
  readonly fingerprint?: string | readonly string[]
}

/** A datagram socket. */
export interface DatagramEndpoint {
  /** The address to receive on; all of the machine's unless told. */
  readonly host?: string
  /** The port to receive on; a free one unless told. */
  readonly port?: number
  /** A multicast group whose datagrams are received too. */
  readonly group?: string
  /** The address of the interface by which a group is joined, or sent to; the system's choice unless told. */
  readonly groupInterface?: string
  /** Routers that datagrams to a group may pass, and one; 1, the own network, unless told. */
  readonly groupTtl?: number
  /** Where datagrams are sent. Unless it is a broadcast address, only those of this peer are taken. */
  readonly remote?: { readonly host: string; readonly port: number; readonly broadcast?: boolean }
  /** The address whose datagrams are taken, whatever their port; all unless told. */
  readonly from?: string
  /** Bytes that may wait while reading is paused, beyond which datagrams are thrown away; 4 MiB unless told. */
  readonly queueBytes?: number
}

/** Somebody who listens. */
export interface Listener {
  readonly host: string
  readonly port: number
  /** Listens no more; connections that it accepted stay. */
  close(): Promise<void>
}

/** The ways to get a transport: {@link systemNetwork}, or a `MemoryNetwork` in tests. */
export interface Network {
  /** Connects; rejects with a `TransportError`. */
  dial(endpoint: Endpoint, signal?: AbortSignal): Promise<Transport>
  /** Listens; every connection is given to `accept`. */
  listen(endpoint: Endpoint, accept: (transport: Transport) => void): Promise<Listener>
  /** Opens a datagram socket. */
  datagrams(endpoint: DatagramEndpoint): Promise<Transport>
  /**
   * Begins to look at a connection that a library of its own carries; gives what is told its bytes, with a number of
   * `CAPTURE_KIND`. Only networks that look at bytes have it.
   */
  observe?(): Observer
}

/** Is told the bytes of a connection, with a number of `CAPTURE_KIND`; they are valid during the call. */
export type Observer = (direction: 'received' | 'sent', kind: number, bytes: Uint8Array) => void
