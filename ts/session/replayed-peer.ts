import { aborted, type Clock, sleep, systemClock } from './clock.js'
import type { Network } from './transport.js'

/** Where the server's end of a capture is replayed. */
export interface ReplayPlace {
  readonly network: Network
  readonly host: string
  /** 0 for a free one. */
  readonly port: number
  readonly signal: AbortSignal
  onListening(port: number): void
}

/** What was sent again. */
export interface Replayed {
  readonly bytes: number
  readonly items: number
}

/** ms without a word after which it is not waited for: it may say the same in fewer. */
const PATIENCE = 1000
/** ms that it may take to read the last bytes. */
const LINGER = 5000

/**
 * The other end of a replay: it is answered when it has said as much as the captured one had.
 *
 * ```ts
 * const peer = new ReplayedPeer(signal)
 * transport.start({ onChunk: (chunk) => peer.says(chunk.length), onClose: () => peer.leaves() })
 * for (const { direction, bytes } of items) {
 *   if (direction === 'sent') peer.expect(bytes.length)
 *   else {
 *     await peer.caughtUp()
 *     transport.write(bytes)
 *   }
 * }
 * await peer.left()
 * ```
 *
 * What is counted, bytes or messages, is the caller's choice.
 */
export class ReplayedPeer {
  /** Resolves when it has hung up. */
  readonly gone: Promise<void>
  readonly #signal: AbortSignal
  readonly #clock: Clock
  #said = 0
  #expected = 0
  #isGone = false
  #onGone: () => void = () => {}
  #onWord: () => void = () => {}

  constructor(signal: AbortSignal, clock: Clock = systemClock) {
    this.#signal = signal
    this.#clock = clock
    this.gone = new Promise((resolve) => {
      this.#onGone = resolve
    })
  }

  /** Whether it has hung up. */
  get isGone(): boolean {
    return this.#isGone
  }

  /** It has said so much more. */
  says(amount: number): void {
    this.#said += amount
    this.#onWord()
  }

  /** The captured one had said so much more. */
  expect(amount: number): void {
    this.#expected += amount
  }

  /** It has hung up. */
  leaves(): void {
    this.#isGone = true
    this.#onGone()
    this.#onWord()
  }

  /** Resolves when it has said as much as the captured one had, has hung up, or says nothing for a second. */
  async caughtUp(): Promise<void> {
    while (this.#said < this.#expected && !this.#isGone) {
      const said = this.#said
      await this.#word()
      if (this.#said === said) break
    }
    this.#said = Math.max(this.#said, this.#expected)
  }

  /** Resolves when it has hung up, or does not for five seconds. */
  async left(): Promise<void> {
    const timer = new AbortController()
    const late = sleep(this.#clock, LINGER, AbortSignal.any([this.#signal, timer.signal]))
    await Promise.race([this.gone, late.catch(() => {})])
    timer.abort()
  }

  /** Resolves with the next word, or without one when the time is over and all that had come until then is read. */
  #word(): Promise<void> {
    const signal = this.#signal
    return new Promise((resolve, reject) => {
      const settle = (end: () => void): void => {
        timer.cancel()
        signal.removeEventListener('abort', abort)
        end()
      }
      const abort = (): void => settle(() => reject(aborted(signal)))
      const timer = this.#clock.after(PATIENCE, () => setImmediate(() => settle(resolve)))
      this.#onWord = () => settle(resolve)
      if (signal.aborted) abort()
      else signal.addEventListener('abort', abort, { once: true })
    })
  }
}
