const GREETING = 64
const FLAG = { MORE: 1, LONG: 2, COMMAND: 4 } as const

/** A message frame of a captured connection. */
export interface ZmtpFrame {
  readonly bytes: Uint8Array
  /** Where it begins in the capture. */
  readonly offset: number
}

/** Bytes of a capture that are no frame. */
export interface ZmtpFault {
  readonly code: string
  readonly offset: number
  readonly length: number
}

/** Cuts one direction of a captured ZeroMQ connection (ZMTP 3) into its message frames; commands are passed over. */
export class ZmtpReader {
  readonly #maxBytes: number
  #rest = Buffer.alloc(0)
  #offset = 0
  #isGreeted = false
  #isLost = false

  /** @param maxBytes the longest frame taken */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Whether a connection begins so. */
  static isGreeting(bytes: Uint8Array): boolean {
    return bytes.length >= 10 && bytes[0] === 0xff && bytes[9] === 0x7f
  }

  /** The frames that are whole with these bytes. */
  *push(chunk: Uint8Array): Iterable<ZmtpFrame | ZmtpFault> {
    if (this.#isLost) return
    this.#rest = this.#rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#rest, chunk])
    if (!this.#isGreeted) {
      if (this.#rest.length < GREETING) return
      this.#isGreeted = true
      this.#skip(GREETING)
    }
    for (;;) {
      const rest = this.#rest
      if (rest.length < 2) return
      const flags = rest[0] as number
      if (flags > (FLAG.MORE | FLAG.LONG | FLAG.COMMAND)) {
        this.#isLost = true
        yield { code: 'ERR_CDTP_PROTOCOL_UNKNOWN', offset: this.#offset, length: rest.length }
        return
      }
      const header = flags & FLAG.LONG ? 9 : 2
      if (rest.length < header) return
      const length = flags & FLAG.LONG ? Number(rest.readBigUInt64BE(1)) : (rest[1] as number)
      if (length > this.#maxBytes) {
        this.#isLost = true
        yield { code: 'ERR_CDTP_MESSAGE_LENGTH', offset: this.#offset, length: rest.length }
        return
      }
      if (rest.length < header + length) return
      const frame = { bytes: rest.subarray(header, header + length), offset: this.#offset + header }
      this.#skip(header + length)
      if (!(flags & FLAG.COMMAND)) yield frame
    }
  }

  /** What is left when the capture ends. */
  *end(): Iterable<ZmtpFault> {
    const { length } = this.#rest
    if (length > 0 && !this.#isLost) yield { code: 'ERR_CDTP_MESSAGE_TRUNCATED', offset: this.#offset, length }
  }

  #skip(bytes: number): void {
    this.#rest = this.#rest.subarray(bytes)
    this.#offset += bytes
  }
}
