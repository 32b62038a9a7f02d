import type { Endpoint, Listener, Network, Transport } from '../session/index.js'
import { encodeMessage } from './codec.js'

/** The server state connection: its watchers are told that the server runs, and, once, that it ends. */
export class ServerState {
  readonly #network: Network
  readonly #endpoint: Endpoint
  readonly #watchers = new Set<Transport>()
  #listener: Listener | undefined

  constructor(network: Network, host: string) {
    this.#network = network
    this.#endpoint = { host, port: 0 }
  }

  /** The port for all who watch. */
  async open(): Promise<number> {
    this.#listener ??= await this.#network.listen(this.#endpoint, (transport) => {
      this.#watchers.add(transport)
      transport.start({ onChunk: () => {}, onClose: () => this.#watchers.delete(transport) })
      transport.write(encodeMessage('ServerStateRunning'))
    })
    return this.#listener.port
  }

  /** Tells the watchers that it is over. */
  end(): void {
    for (const watcher of this.#watchers) watcher.write(encodeMessage('ServerStateShutdown'))
    for (const watcher of this.#watchers) watcher.end()
    this.#watchers.clear()
  }

  async close(): Promise<void> {
    await this.#listener?.close()
  }
}
