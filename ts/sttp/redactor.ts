import { CAPTURE_KIND, type CaptureItem } from '../session/index.js'

const UPDATE_CIPHER_KEYS = 0x85
/** `u32 length` of the frame. */
const LENGTH_BYTES = 4
/** `u8 response | u8 command | u32 length | u8 active index`, behind which keys and initialization vectors follow. */
const HEAD_BYTES = 7

/** Blanks the cipher keys that a publisher sends, the only secret on this wire, in the items of a capture. */
export function redactor(): (item: CaptureItem) => CaptureItem {
  const channels = new Map<number, KeyBlanker>()
  return (item) => {
    if (item.kind !== CAPTURE_KIND.stream || item.direction !== 'received') return item
    let blanker = channels.get(item.channel)
    if (blanker === undefined) {
      blanker = new KeyBlanker()
      channels.set(item.channel, blanker)
    }
    return { ...item, bytes: blanker.blank(item.bytes) }
  }
}

/** Follows the frames of one connection, wherever its bytes were cut. */
class KeyBlanker {
  /** Bytes of the frame that were seen. */
  #seen = 0
  #length = 0
  #isOfKeys = false
  /** Bytes of a key's length that were seen, the length so far, and how much of the key is left. */
  #lengthSeen = 0
  #keyLength = 0
  #keyLeft = 0

  /** The same bytes, or a copy without the keys. */
  blank(bytes: Uint8Array): Uint8Array {
    let blanked = bytes
    for (let at = 0; at < bytes.length; ) {
      if (this.#seen <= LENGTH_BYTES) {
        this.#begin(bytes[at++] as number)
        continue
      }
      const end = Math.min(bytes.length, at + LENGTH_BYTES + this.#length - this.#seen)
      if (this.#isOfKeys) {
        if (blanked === bytes) blanked = Uint8Array.from(bytes)
        for (let byte = at; byte < end; byte++) blanked[byte] = this.#keyByte(blanked[byte] as number)
      } else this.#seen += end - at
      at = end
      if (this.#seen === LENGTH_BYTES + this.#length) this.#seen = 0
    }
    return blanked
  }

  /** Takes a byte of the frame's length, or its first byte, which says what it is. */
  #begin(byte: number): void {
    if (this.#seen < LENGTH_BYTES) this.#length = ((this.#seen === 0 ? 0 : this.#length << 8) | byte) >>> 0
    else this.#isOfKeys = byte === UPDATE_CIPHER_KEYS
    this.#seen++
    this.#lengthSeen = 0
    this.#keyLeft = 0
    if (this.#seen === LENGTH_BYTES + this.#length) this.#seen = 0
  }

  /** What stays of the next byte of a frame with keys: lengths do, keys do not. */
  #keyByte(byte: number): number {
    this.#seen++
    if (this.#seen <= LENGTH_BYTES + HEAD_BYTES) return byte
    if (this.#keyLeft > 0) {
      this.#keyLeft--
      return 0
    }
    this.#keyLength = ((this.#lengthSeen === 0 ? 0 : this.#keyLength << 8) | byte) >>> 0
    this.#lengthSeen = (this.#lengthSeen + 1) % 4
    if (this.#lengthSeen === 0) this.#keyLeft = this.#keyLength
    return byte
  }
}
