import { Block } from '../../ts/batch/index.js'
import type { Listener, Network, Transport } from '../../ts/session/index.js'
import { type SttpCommand, type SttpControl, SttpEncoder, SttpUplink, sttpWriteResponse } from '../../ts/sttp/codec.js'

const MODES = 0xe000_0262
const T0 = 1_704_067_200_000_000_000n

/** A publisher of two signals that a test leads through what a real one does seldom. */
export class ScriptedPublisher {
  readonly commands: SttpCommand[] = []
  /** What it answers to a command, in place of success. */
  answers: (command: SttpCommand) => SttpControl[] | undefined = () => undefined
  /** Packets that never arrive, by their number since the last confirmation. */
  loses: (packet: number) => boolean = () => false
  transport: Transport | undefined
  readonly #encoder = new SttpEncoder(MODES, true, false)
  #cacheIndex = 1
  #packets = 0
  #frames = 0

  listen(network: Network, port: number, host = '127.0.0.1'): Promise<Listener> {
    return network.listen({ host, port }, (transport) => this.#accept(transport))
  }

  /** How often a command came. */
  count(type: string): number {
    return this.commands.filter((command) => command.type === type).length
  }

  send(...responses: SttpControl[]): void {
    for (const response of responses) this.transport?.write(sttpWriteResponse(response, MODES))
  }

  /** Publishes so many frames of both signals, each a packet. */
  publish(frames: number): void {
    for (let frame = 0; frame < frames; frame++) {
      const block = new Block(2)
      block.count = 2
      const n = this.#frames++
      for (const row of [0, 1]) {
        block.time[row] = T0 + BigInt(n) * 100n
        block.value[row] = 1000 * row + n
        block.signal[row] = row
      }
      const out = new Uint8Array(1 << 16)
      const result = new Uint32Array(2)
      this.#encoder.encode(block.bytes, 0, out, 0, result)
      if (!this.loses(this.#packets++)) this.transport?.write(out.slice(0, result[0]))
    }
  }

  #accept(transport: Transport): void {
    this.transport = transport
    this.#cacheIndex = 1
    const uplink = new SttpUplink()
    transport.start({
      onChunk: (bytes) => {
        uplink.decode(bytes)
        for (let command = uplink.takeCommand(); command !== null; command = uplink.takeCommand()) {
          this.commands.push(command)
          this.send(...(this.answers(command) ?? this.#answer(command)))
        }
      },
      onClose() {},
    })
  }

  #answer({ type }: SttpCommand): SttpControl[] {
    switch (type) {
      case 'defineOperationalModes':
        return [{ type: 'succeeded', command: 6, text: 'welcome' }]
      case 'metadataRefresh':
        return [{ type: 'metadata' }]
      case 'subscribe':
        this.#cacheIndex ^= 1
        return [
          this.#cache(),
          { type: 'succeeded', command: 2, text: 'Client subscribed as compressed with 2 signals.' },
        ]
      case 'confirmUpdateSignalIndexCache':
        this.#encoder.setSignals(Uint32Array.of(0, 1), this.#cacheIndex)
        this.#packets = 0
        return []
      default:
        return []
    }
  }

  #cache(): SttpControl {
    const signalIds = Buffer.alloc(32)
    signalIds[15] = 1
    signalIds[31] = 2
    return {
      type: 'signalIndexCache',
      cacheIndex: this.#cacheIndex,
      signalIds,
      sources: ['TEST', 'TEST'],
      keyIds: BigUint64Array.of(1n, 2n),
    }
  }
}
