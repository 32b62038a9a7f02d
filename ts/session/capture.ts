import type { Clock } from './clock.js'
import { sessionError } from './error-codes.js'
import type { DatagramEndpoint, Endpoint, Listener, Network, Transport, TransportHandler } from './transport.js'

/** What an item of a raw capture is. */
export const CAPTURE_KIND = {
  stream: 1,
  datagram: 2,
  zeromq: 3,
  zeromqMore: 4,
  webSocketText: 5,
  webSocketBinary: 6,
  httpHead: 7,
  httpBody: 8,
} as const

/** Bytes as they were read or written. */
export interface CaptureItem {
  /** ns since 1970-01-01 UTC. */
  readonly time: bigint
  /** Which connection of the capture, from 0. */
  readonly channel: number
  readonly direction: 'received' | 'sent'
  /** One of {@link CAPTURE_KIND}. */
  readonly kind: number
  readonly bytes: Uint8Array
}

/** The first bytes of a capture. */
export const CAPTURE_MAGIC = Buffer.from('MSRDCAP1')
const HEAD_BYTES = 16
/** Bytes of an item that are taken for sane when a capture is read. */
const ITEM_BYTES = 1 << 28

/** An item as it stands in a capture: `u64 ns | u16 channel | u8 direction | u8 kind | u32 length | bytes`. */
export function captureBytes({ time, channel, direction, kind, bytes }: CaptureItem): Buffer {
  const item = Buffer.allocUnsafe(HEAD_BYTES + bytes.length)
  item.writeBigUInt64LE(time, 0)
  item.writeUInt16LE(channel, 8)
  item.writeUInt8(direction === 'sent' ? 1 : 0, 10)
  item.writeUInt8(kind, 11)
  item.writeUInt32LE(bytes.length, 12)
  item.set(bytes, HEAD_BYTES)
  return item
}

/** The items of a capture; throws a `MalformedError` where it is none, or is cut. */
export async function* captureItems(capture: AsyncIterable<Uint8Array>): AsyncGenerator<CaptureItem> {
  let pieces: Uint8Array[] = []
  let gathered = 0
  /** Bytes without which nothing can be read: an item of megabytes is put together once, not at every piece. */
  let needed = CAPTURE_MAGIC.length
  let offset = 0
  for await (const piece of capture) {
    pieces.push(piece)
    gathered += piece.length
    if (gathered < needed) continue
    const bytes = Buffer.concat(pieces, gathered)
    let at = offset === 0 ? checkMagic(bytes) : 0
    for (;;) {
      const item = itemAt(bytes, at, offset)
      if (typeof item === 'number') {
        needed = item
        break
      }
      yield item
      at += HEAD_BYTES + item.bytes.length
    }
    pieces = [bytes.subarray(at)]
    gathered -= at
    offset += at
  }
  if (offset === 0 || gathered > 0) {
    throw sessionError('ERR_SESSION_CAPTURE_FORMAT', `the capture is cut: ${gathered} bytes are left`, { offset })
  }
}

function checkMagic(bytes: Buffer): number {
  if (bytes.subarray(0, CAPTURE_MAGIC.length).equals(CAPTURE_MAGIC)) return CAPTURE_MAGIC.length
  throw sessionError('ERR_SESSION_CAPTURE_FORMAT', 'the file does not begin as a raw capture does')
}

/** The item that begins there, or how many bytes from there on are needed to tell. */
function itemAt(bytes: Buffer, at: number, offset: number): CaptureItem | number {
  const there = bytes.length - at
  if (there < HEAD_BYTES) return HEAD_BYTES
  const length = bytes.readUInt32LE(at + 12)
  if (length > ITEM_BYTES) {
    throw sessionError('ERR_SESSION_CAPTURE_FORMAT', `an item of ${length} bytes`, { offset: offset + at })
  }
  if (there < HEAD_BYTES + length) return HEAD_BYTES + length
  return {
    time: bytes.readBigUInt64LE(at),
    channel: bytes.readUInt16LE(at + 8),
    direction: bytes[at + 10] === 1 ? 'sent' : 'received',
    kind: bytes[at + 11] as number,
    bytes: bytes.subarray(at + HEAD_BYTES, at + HEAD_BYTES + length),
  }
}

/**
 * A network whose connections are captured byte for byte, in both directions.
 *
 * ```ts
 * const network = new CapturingNetwork(systemNetwork, systemClock, (item) => file.write(captureBytes(item)))
 * const subscriber = new Subscriber({ network })
 * ```
 */
export class CapturingNetwork implements Network {
  readonly #network: Network
  readonly #clock: Clock
  readonly #take: (item: CaptureItem) => void
  #channels = 0

  /** @param take gets every item; its bytes are valid during the call */
  constructor(network: Network, clock: Clock, take: (item: CaptureItem) => void) {
    this.#network = network
    this.#clock = clock
    this.#take = take
  }

  async dial(endpoint: Endpoint, signal?: AbortSignal): Promise<Transport> {
    return this.#capture(await this.#network.dial(endpoint, signal), false)
  }

  listen(endpoint: Endpoint, accept: (transport: Transport) => void): Promise<Listener> {
    return this.#network.listen(endpoint, (transport) => accept(this.#capture(transport, false)))
  }

  async datagrams(endpoint: DatagramEndpoint): Promise<Transport> {
    return this.#capture(await this.#network.datagrams(endpoint), true)
  }

  observe(): (direction: CaptureItem['direction'], kind: number, bytes: Uint8Array) => void {
    const channel = this.#channels++
    return (direction, kind, bytes) => this.#take({ time: this.#clock.now(), channel, direction, kind, bytes })
  }

  /** The transport itself, with what passes through `start` and `write` told. */
  #capture(transport: Transport, isDatagram: boolean): Transport {
    const channel = this.#channels++
    const kind = isDatagram ? CAPTURE_KIND.datagram : CAPTURE_KIND.stream
    const take = (direction: CaptureItem['direction'], bytes: Uint8Array): void =>
      this.#take({ time: this.#clock.now(), channel, direction, kind, bytes })
    const received = (bytes: Uint8Array): void => {
      if (isDatagram) for (const datagram of gathered(bytes)) take('received', datagram)
      else take('received', bytes)
    }
    return new Proxy(transport, {
      get(target, name) {
        if (name === 'start') {
          return (handler: TransportHandler) =>
            target.start({
              ...boundHandler(handler),
              onChunk(bytes) {
                received(bytes)
                handler.onChunk(bytes)
              },
            })
        }
        if (name === 'write') {
          return (bytes: Uint8Array | readonly Uint8Array[], done?: () => void) => {
            for (const part of bytes instanceof Uint8Array ? [bytes] : bytes) take('sent', part)
            return target.write(bytes, done)
          }
        }
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }
}

/** The handler's functions, which may be methods of a class. */
function boundHandler(handler: TransportHandler): TransportHandler {
  return {
    onChunk: (bytes) => handler.onChunk(bytes),
    onDrain: () => handler.onDrain?.(),
    ...(handler.onEnd === undefined ? {} : { onEnd: () => handler.onEnd?.() }),
    onClose: (error) => handler.onClose(error),
    onDropped: (datagrams, bytes) => handler.onDropped?.(datagrams, bytes),
  }
}

/** Datagrams as a transport gathers them, `u16 length` before each. */
function* gathered(bytes: Uint8Array): Generator<Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 0; at + 2 <= bytes.length; ) {
    const length = view.getUint16(at, true)
    yield bytes.subarray(at + 2, at + 2 + length)
    at += 2 + length
  }
}
