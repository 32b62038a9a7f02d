import type { Decoder } from '../../ts/session/block-intake.js'

/** Bytes with a meaning of their own; every other is a row whose value it is. */
export const CONTROL = 250
export const MALFORMED = 251
export const LOST = 252
/** The byte behind it says how many thousand rows of value 7 follow: rows that no bytes are left for. */
export const RUN = 253

/** A decoder of one byte a row, with everything that a decoder may do. */
export class ByteDecoder implements Decoder {
  calls = 0
  #run = 0
  #wantsLength = false

  decode(chunk: Uint8Array, bytes: Uint8Array): number {
    this.calls++
    const header = new Uint32Array(bytes.buffer, bytes.byteOffset, 16)
    const capacity = header[0] as number
    const values = new Float64Array(bytes.buffer, bytes.byteOffset + 64 + Math.ceil((capacity * 8) / 64) * 64, capacity)
    let count = header[2] as number
    let at = 0
    const close = (status: number): number => {
      header[2] = count
      header[5] = status
      header[6] = at
      return status
    }
    for (;;) {
      for (; this.#run > 0; this.#run--) {
        if (count === capacity) return close(1)
        values[count++] = 7
      }
      if (at === chunk.length) return close(0)
      const byte = chunk[at] as number
      if (this.#wantsLength) {
        this.#wantsLength = false
        this.#run = byte * 1000
        at++
      } else if (byte === CONTROL || byte === MALFORMED || byte === LOST) {
        at++
        return close(byte - CONTROL + 2)
      } else if (byte === RUN) {
        this.#wantsLength = true
        at++
      } else {
        if (count === capacity) return close(1)
        values[count++] = byte
        at++
      }
    }
  }
}
