import type { StatusEvent } from '../../ts/session/index.js'
import { MemoryNetwork, SimulatedClock } from '../../ts/session/index.js'
import {
  TIA_SIG_EEG,
  TiAClient,
  type TiAClientOptions,
  TiAConnectionHandler,
  TiAServer,
  type TiAServerOptions,
  TiASignalConfig,
} from '../../ts/tia/index.js'

/** A server and clients in memory, on time that stands still until it is told to pass. */
export class Pair {
  readonly clock = new SimulatedClock()
  readonly network: MemoryNetwork
  readonly server: TiAServer

  constructor(options: TiAServerOptions = {}, network: { loses?: (n: number) => boolean } = {}) {
    this.network = new MemoryNetwork({ clock: this.clock, ...network })
    this.server = this.makeServer(options)
  }

  makeServer(options: TiAServerOptions = {}): TiAServer {
    return new TiAServer(['127.0.0.1', 9000], TiAConnectionHandler, {
      clock: this.clock,
      network: this.network,
      ...options,
    })
  }

  client(options: TiAClientOptions = {}): TiAClient {
    return new TiAClient('127.0.0.1', 9000, { clock: this.clock, network: this.network, ...options })
  }

  async close(...clients: TiAClient[]): Promise<void> {
    for (const client of clients) await client.close()
    await this.server.close()
  }
}

/** An EEG signal whose samples say what they are: 1000 x channel + sample. */
export function counting(channels: number, sampleRate: number, blocksize: number): TiASignalConfig {
  let block = 0
  const callback = (): number[] => {
    const first = blocksize * block++
    return Array.from({ length: channels * blocksize }, (_, index) => {
      return 1000 * Math.floor(index / blocksize) + first + (index % blocksize)
    })
  }
  return new TiASignalConfig({ channels, sampleRate, blocksize, callback, id: 'eeg', sigtype: TIA_SIG_EEG })
}

/** An EEG signal whose blocks are pushed. */
export function pushed(channels: number, sampleRate: number, blocksize: number): TiASignalConfig {
  return new TiASignalConfig({ channels, sampleRate, blocksize, id: 'eeg', sigtype: TIA_SIG_EEG })
}

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Resolves with the first status event of a name. */
export function status(client: TiAClient, state: string): Promise<StatusEvent> {
  return new Promise((resolve) => {
    const stop = client.status.on((event) => {
      if (event.state !== state) return
      stop()
      resolve(event)
    })
  })
}
