import type { Clock, Endpoint, Listener, Network, StatusStream, Transport } from '../session/index.js'
import { aborted } from '../session/index.js'
import { sttpError } from './error-codes.js'

/** How a subscriber comes to a publisher. */
export interface PublisherAccess {
  /** The next connection; rejects where none comes about. */
  next(signal: AbortSignal): Promise<Transport>
  /** No connection is wanted any more. */
  close(): void
}

/** The subscriber dials. */
export class DialledPublisher implements PublisherAccess {
  readonly endpoint: Endpoint
  readonly #network: Network

  constructor(network: Network, endpoint: Endpoint) {
    this.#network = network
    this.endpoint = endpoint
  }

  next(signal: AbortSignal): Promise<Transport> {
    return this.#network.dial(this.endpoint, signal)
  }

  close(): void {}
}

/** The publisher dials, and the subscriber listens: for one publisher at a time. */
export class AcceptedPublisher implements PublisherAccess {
  readonly #network: Network
  readonly #endpoint: Endpoint
  readonly #clock: Clock
  readonly #status: StatusStream
  #wait: number
  #listener: Listener | undefined
  #take: ((transport: Transport) => void) | undefined
  #isClosed = false

  /** @param wait how long the first publisher may take, ms; 0: as long as it likes */
  constructor(network: Network, endpoint: Endpoint, clock: Clock, status: StatusStream, wait: number) {
    this.#network = network
    this.#endpoint = endpoint
    this.#clock = clock
    this.#status = status
    this.#wait = wait
  }

  /** Listens; gives the port. */
  async listen(): Promise<number> {
    const onRefused = (peer: string, { message }: Error): void => {
      this.#status.emit('peer-refused', { peer, reason: message })
    }
    const endpoint = { ...this.#endpoint, onRefused }
    this.#listener = await this.#network.listen(endpoint, (transport) => this.#accept(transport))
    if (this.#isClosed) void this.#listener.close()
    return this.#listener.port
  }

  next(signal: AbortSignal): Promise<Transport> {
    const wait = this.#wait
    this.#wait = 0
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#take = undefined
        timer?.cancel()
        signal.removeEventListener('abort', abort)
      }
      const abort = (): void => {
        settle()
        reject(aborted(signal))
      }
      const timer =
        wait === 0
          ? undefined
          : this.#clock.after(wait, () => {
              settle()
              const text = `no publisher has connected to port ${this.#listener?.port} in ${wait / 1000} s`
              reject(sttpError('ERR_STTP_PUBLISHER_ABSENT', text))
            })
      this.#take = (transport) => {
        settle()
        resolve(transport)
      }
      if (signal.aborted) abort()
      else signal.addEventListener('abort', abort, { once: true })
    })
  }

  close(): void {
    this.#isClosed = true
    void this.#listener?.close()
  }

  #accept(transport: Transport): void {
    if (this.#take !== undefined) {
      this.#take(transport)
      return
    }
    this.#status.emit('peer-refused', { peer: transport.peer })
    transport.close()
  }
}
