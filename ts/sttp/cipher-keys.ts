import { randomBytes } from 'node:crypto'
import { SttpCipher, type SttpControl } from './codec.js'

interface Pair {
  readonly key: Buffer
  readonly iv: Buffer
}

/**
 * The keys of one subscriber's data channel, an even and an odd one, of which one is in use. They change in two steps: the
 * other one, which the subscriber has had for long, comes into use; later, when nothing encrypted by the first is under
 * way any more, that is replaced by a new one. So no datagram meets a subscriber without its key.
 */
export class CipherKeys {
  readonly #pairs: [Pair, Pair] = [newPair(), newPair()]
  #active: 0 | 1 = 0
  #cipher = this.#newCipher()

  /** What encrypts by the key in use. */
  get cipher(): SttpCipher {
    return this.#cipher
  }

  /** Whether the odd key is in use. */
  get isOdd(): boolean {
    return this.#active === 1
  }

  /** Both keys, as the subscriber is told them. */
  get response(): SttpControl {
    const keys = this.#pairs.flatMap(({ key, iv }) => [key, iv])
    return { type: 'cipherKeys', active: this.#active, keys }
  }

  /** Brings the other key into use. */
  rotate(): void {
    this.#active = this.#active === 0 ? 1 : 0
    this.#cipher = this.#newCipher()
  }

  /** Replaces the key that is not in use. */
  renew(): void {
    this.#pairs[this.#active === 0 ? 1 : 0] = newPair()
  }

  #newCipher(): SttpCipher {
    const { key, iv } = this.#pairs[this.#active]
    return new SttpCipher(key, iv, this.#active === 1)
  }
}

function newPair(): Pair {
  return { key: randomBytes(32), iv: randomBytes(16) }
}
