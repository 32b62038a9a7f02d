import type { StatusStream } from '../session/index.js'
import type { SttpControl } from './codec.js'

/**
 * Deviations of a publisher that a subscriber meets and works around; each is told once, as a status event and in the
 * session table. Most are found by the decoder; those here need to know more than bytes.
 */
export class PublisherQuirks {
  readonly #status: StatusStream
  readonly #names = new Set<string>()
  #isAtEnd = false

  constructor(status: StatusStream) {
    this.#status = status
  }

  /** Their names, in the order in which they were met. */
  get names(): string[] {
    return [...this.#names]
  }

  /** Whether the publisher is sttpapi's: texts with their length in front are its mark. */
  get isSttpapi(): boolean {
    return this.#names.has('text-length-prefix')
  }

  /** Tells a deviation, the first time that it is met. */
  add(name: string): void {
    if (this.#names.has(name)) return
    this.#names.add(name)
    this.#status.emit('quirk', { quirk: name })
  }

  /** Keys came on a connection: others may have read them. */
  keysCame({ active }: SttpControl, isSecure: boolean): void {
    this.#status.emit('cipher-keys', { active })
    if (!isSecure) this.add('cipher-keys-in-clear')
  }

  /** A packet could not be decompressed: sttpapi leaves half a measurement where a state flag has more than 7 bits. */
  packetFailed(code: string): void {
    if (this.isSttpapi && code.startsWith('ERR_STTP_TSSC')) this.add('tssc-damaged')
  }

  /** A filter had to be written in another way: sttpapi cuts it at every semicolon. */
  filterJoined(given: string, joined: string): void {
    if (given !== joined) this.add('filter-cut-at-semicolons')
  }

  /**
   * Whether the publisher has stopped for good: sttpapi's cannot count beyond the packet 65,535, and says from then on
   * only that it is alive. To be asked at each keep-alive, with the number of the last packet.
   */
  hasStopped(lastSequence: number | null): boolean {
    const wasAtEnd = this.#isAtEnd
    this.#isAtEnd = this.isSttpapi && lastSequence === 0xffff
    if (!wasAtEnd || !this.#isAtEnd) return false
    this.#isAtEnd = false
    this.add('tssc-ends-at-65535')
    return true
  }
}
