import {
  type Clock,
  type MeasurandError,
  type Network,
  Outbox,
  type Stats,
  type Timer,
  type Transport,
} from '../session/index.js'
import { BUFFER_BLOCK } from './buffer-block.js'
import type { SealedBlock } from './buffer-block-sender.js'
import { CipherKeys } from './cipher-keys.js'
import type { SttpControl } from './codec.js'

/** How a publisher sends by UDP to the subscribers who ask for it. */
export interface DataChannelOptions {
  /** Bytes of a datagram at most, 60 to 32,764, which it is unless told; 1,452 fits into one packet of any Ethernet. */
  readonly datagramBytes?: number
  /**
   * Whether data are encrypted by AES-256-CBC: `tls` (unless told) for subscribers whose command channel is secured,
   * `always` also where the keys can be read by anybody on the way, `never`.
   */
  readonly encryption?: 'tls' | 'always' | 'never'
  /** ms after which the keys change; 60,000 unless told. */
  readonly keyLifetime?: number
}

/** Bytes of a datagram that every peer takes. */
export const MAX_DATAGRAM_BYTES = 32_764
/** Bytes of a datagram that has room for one measurement, encrypted. */
export const MIN_DATAGRAM_BYTES = 60
/** Bytes by which a datagram grows at most when it is encrypted. */
const CIPHER_BYTES = 16
const LENGTH_BYTES = 4
const INDEX_BYTES = 4
/** How long datagrams may be under way, ms: then the key that encrypted them is replaced. */
const UNDER_WAY = 500
/** Keys change on demand this often at most, ms. */
const ROTATION_PAUSE = 1000
const KEY_LIFETIME = 60_000

/** What a data channel is made of. */
export interface DataChannelParts {
  readonly network: Network
  readonly clock: Clock
  readonly remote: { readonly host: string; readonly port: number }
  readonly options: DataChannelOptions
  readonly isEncrypted: boolean
  readonly maxBytes: number
  readonly stats: Stats
  /** Sends a response by the command channel. */
  readonly respond: (response: SttpControl) => void
  readonly onClose: (error: MeasurandError | undefined) => void
}

/** The UDP channel of one subscriber at its publisher: frames go out as datagrams, without their length. */
export class DataChannel {
  /** Where frames of measurements go. */
  readonly outbox: Outbox
  /** Bytes of a frame, with its length, so that its datagram is not too long. */
  readonly frameBytes: number
  readonly peer: string
  readonly #transport: Transport
  readonly #clock: Clock
  readonly #keys: CipherKeys | undefined
  readonly #keyLifetime: number
  readonly #respond: (response: SttpControl) => void
  #lifetime: Timer | undefined
  #renewal: Timer | undefined
  #rotated = Number.NEGATIVE_INFINITY
  #isClosed = false

  /** Opens the socket, and sends the keys where data are encrypted. */
  static async open(parts: DataChannelParts): Promise<DataChannel> {
    const transport = await parts.network.datagrams({ remote: parts.remote })
    return new DataChannel(transport, parts)
  }

  private constructor(
    transport: Transport,
    { clock, options, isEncrypted, maxBytes, stats, ...calls }: DataChannelParts,
  ) {
    const { datagramBytes = MAX_DATAGRAM_BYTES, keyLifetime = KEY_LIFETIME } = options
    this.peer = transport.peer
    this.frameBytes = datagramBytes + LENGTH_BYTES - (isEncrypted ? CIPHER_BYTES : 0)
    this.#transport = transport
    this.#clock = clock
    this.#respond = calls.respond
    this.#keyLifetime = keyLifetime
    this.outbox = new Outbox({
      transport: {
        peer: transport.peer,
        get queuedBytes() {
          return transport.queuedBytes
        },
        write: (frames, done) =>
          transport.write(this.#datagrams(frames instanceof Uint8Array ? [frames] : frames), done),
      },
      stats,
      maxBytes,
      isDatagram: true,
    })
    transport.start({ onChunk: () => {}, onDrain: this.outbox.onDrain, onClose: (error) => calls.onClose(error) })
    if (!isEncrypted) return
    this.#keys = new CipherKeys()
    this.#respond(this.#keys.response)
    this.#live()
  }

  get isEncrypted(): boolean {
    return this.#keys !== undefined
  }

  /** A buffer block as those who have keys read it, on either channel: index and payload are encrypted. */
  sealed(block: SealedBlock): SealedBlock {
    if (this.#keys === undefined) return block
    const plain = Buffer.concat([Buffer.alloc(INDEX_BYTES), block.payload])
    plain.writeInt32BE(block.index)
    const encrypted = this.#keys.cipher.encryptBytes(plain)
    return {
      index: encrypted.readInt32BE(),
      payload: encrypted.subarray(INDEX_BYTES),
      flags: block.flags | (this.#keys.isOdd ? BUFFER_BLOCK.keyIndex : 0),
    }
  }

  /** Changes the key; `false` where there is none, or it was changed a moment ago. */
  rotateKeys(): boolean {
    const now = this.#clock.elapsed()
    if (this.#keys === undefined || now - this.#rotated < ROTATION_PAUSE) return false
    this.#rotated = now
    this.#keys.rotate()
    this.#respond(this.#keys.response)
    this.#renewal?.cancel()
    this.#renewal = this.#clock.after(UNDER_WAY, () => {
      this.#keys?.renew()
      if (this.#keys !== undefined) this.#respond(this.#keys.response)
    })
    this.#live()
    return true
  }

  /** Closes it now; gives the measurements that were waiting. */
  close(): number {
    if (this.#isClosed) return 0
    this.#isClosed = true
    this.#lifetime?.cancel()
    this.#renewal?.cancel()
    this.#transport.close()
    return this.outbox.close()
  }

  /** Frames as datagrams, encrypted where there are keys. */
  #datagrams(buffers: readonly Uint8Array[]): Uint8Array[] {
    const datagrams: Uint8Array[] = []
    for (const buffer of buffers) split(this.#encrypted(buffer), datagrams)
    return datagrams
  }

  #encrypted(frames: Uint8Array): Uint8Array {
    if (this.#keys === undefined) return frames
    const out = Buffer.allocUnsafe(frames.length + CIPHER_BYTES * split(frames))
    return out.subarray(0, this.#keys.cipher.encrypt(frames, out))
  }

  #live(): void {
    this.#lifetime?.cancel()
    this.#lifetime = this.#clock.after(this.#keyLifetime, () => this.rotateKeys())
  }
}

/** Adds what follows the lengths of frames to datagrams; gives how many frames there are. */
function split(frames: Uint8Array, datagrams?: Uint8Array[]): number {
  const view = new DataView(frames.buffer, frames.byteOffset, frames.byteLength)
  let count = 0
  for (let at = 0; at < frames.length; count++) {
    const end = at + LENGTH_BYTES + view.getUint32(at)
    datagrams?.push(frames.subarray(at + LENGTH_BYTES, end))
    at = end
  }
  return count
}
