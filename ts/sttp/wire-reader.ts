import { Block, COLUMN, STATUS } from '../batch/index.js'
import { asSttpError, type SttpControl, SttpDownlink, type SttpDownlinkOptions, type SttpFault } from './codec.js'

/** What a publisher's bytes hold, in order; `rows` are valid until the next item is asked for. */
export type WireItem =
  | { readonly kind: 'control'; readonly control: SttpControl }
  | { readonly kind: 'rows'; readonly block: Block }
  | { readonly kind: 'fault'; readonly fault: SttpFault }
  | { readonly kind: 'lost'; readonly fault: SttpFault }

const ROWS = 4096

/**
 * Reads a publisher's bytes piece by piece, for looking at them.
 *
 * ```ts
 * const reader = new WireReader({ reportPackets: true })
 * for await (const chunk of file) for (const item of reader.read(chunk)) if (item.kind === 'control') show(item.control)
 * ```
 */
export class WireReader {
  readonly downlink: SttpDownlink
  readonly #block: Block

  /** @param rows of a block */
  constructor(options: SttpDownlinkOptions = {}, rows = ROWS) {
    this.downlink = new SttpDownlink(options)
    this.#block = new Block(rows, COLUMN.rawTime)
  }

  /** The items of a chunk. Nothing follows `lost`, also when more is read. */
  read(chunk: Uint8Array): Generator<WireItem, void, undefined> {
    return this.#read(chunk, this.downlink.decode)
  }

  /** The items of a datagram of the data channel. */
  readDatagram(datagram: Uint8Array): Generator<WireItem, void, undefined> {
    const gathered = new Uint8Array(2 + datagram.length)
    new DataView(gathered.buffer).setUint16(0, datagram.length, true)
    gathered.set(datagram, 2)
    return this.#read(gathered, this.downlink.decodeDatagrams)
  }

  *#read(chunk: Uint8Array, decode: SttpDownlink['decode']): Generator<WireItem, void, undefined> {
    const block = this.#block
    for (let rest = chunk; ; rest = rest.subarray(block.consumed)) {
      block.clear()
      let status: number
      try {
        status = decode(rest, block.bytes)
      } catch (error) {
        const { code, message } = asSttpError(error)
        if (code === 'ERR_STTP_FRAME_LENGTH') return
        yield { kind: 'lost', fault: { code, message, offset: 0, length: rest.length } }
        return
      }
      if (block.count > 0) yield { kind: 'rows', block }
      if (status === STATUS.control) {
        for (let control = this.downlink.takeControl(); control !== null; control = this.downlink.takeControl()) {
          yield { kind: 'control', control }
        }
      } else if (status === STATUS.malformed || status === STATUS.lost) {
        const fault = this.downlink.takeError() as SttpFault
        yield { kind: status === STATUS.lost ? 'lost' : 'fault', fault }
        if (status === STATUS.lost) return
      } else if (status === STATUS.needMore) return
    }
  }
}
