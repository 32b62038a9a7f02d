// What the judges of STTP bytes share: frames around payloads, and rows as the wire has them.
import type { Block } from '../../../ts/batch/index.js'
import { TIME_UNKNOWN } from '../../../ts/batch/index.js'
import type { SttpControl } from '../../../ts/sttp/codec.js'
import { Ticks } from '../../../ts/sttp/ticks.js'

/** The frame of a response to Subscribe. */
export function responseFrame(code: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(10)
  head.writeUInt32BE(payload.length + 6)
  head[4] = code
  head[5] = 2
  head.writeUInt32BE(payload.length, 6)
  return Buffer.concat([head, payload])
}

/** A cache of signals without names under these wire indexes. */
export function cacheOf(indexes: readonly number[]): SttpControl {
  return {
    type: 'signalIndexCache',
    cacheIndex: 0,
    indexes: Int32Array.from(indexes),
    signalIds: Buffer.alloc(16 * indexes.length),
    sources: indexes.map(() => ''),
    keyIds: new BigUint64Array(indexes.length),
  }
}

/** A row's ticks as the wire had them; `null` where it had none. */
export function rowTicks(block: Block, row: number): bigint | null {
  const time = block.time[row] as bigint
  if (block.present !== 0) return block.rawTime[row] as bigint
  return time === TIME_UNKNOWN ? null : Ticks.fromNs(time)
}

/** A row's value as the hexadecimal bits of the wire's float32, also of a NaN. */
export function float32Bits(block: Block, row: number): string {
  const value = block.value[row] as number
  const bits = new DataView(block.value.buffer).getBigUint64(block.value.byteOffset + row * 8, true)
  const word = Buffer.alloc(4)
  if (Number.isNaN(value)) {
    word.writeUInt32BE(Number(((bits >> 63n) << 31n) | 0x7f80_0000n | ((bits >> 29n) & 0x7f_ffffn)))
  } else {
    word.writeFloatBE(value)
  }
  return word.toString('hex')
}
