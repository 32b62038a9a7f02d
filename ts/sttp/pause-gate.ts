import type { Transport } from '../session/index.js'

/** Lets several who read of one transport stop it: it reads on when none of them holds it any more. */
export class PauseGate {
  readonly #transport: Transport
  readonly #holders = new Set<object>()

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** The transport as one of them sees it. */
  handle(): Pick<Transport, 'pause' | 'resume'> {
    const transport = this.#transport
    const holders = this.#holders
    return {
      pause() {
        holders.add(this)
        transport.pause()
      },
      resume() {
        if (holders.delete(this) && holders.size === 0) transport.resume()
      },
    }
  }
}
