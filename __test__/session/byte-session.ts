import type { MeasurementBatch } from '../../ts/batch/index.js'
import { BlockIntake, ringFor } from '../../ts/session/block-intake.js'
import type { SourceDescription } from '../../ts/session/source.js'
import { type SourceOptions, SourceSession } from '../../ts/session/source-session.js'
import type { Endpoint, Transport } from '../../ts/session/transport.js'
import { ByteDecoder } from './byte-decoder.js'

/** A session of the smallest protocol that there is: one byte a row; a 250 from the peer is the end. */
export class ByteSession extends SourceSession<MeasurementBatch> {
  readonly system = 'tia'
  readonly gaps: number[] = []
  readonly #endpoint: Endpoint
  readonly #ring = ringFor(64, 4)
  #transport: Transport | undefined

  constructor(options: SourceOptions & { port?: number } = {}) {
    super('bytes', options)
    this.#endpoint = { host: '127.0.0.1', port: options.port ?? 7 }
  }

  connect(): Promise<void> {
    return this.start()
  }

  describe(): SourceDescription {
    return { peer: `${this.#endpoint.host}:${this.#endpoint.port}`, quirks: [], clock: {}, meta: {} }
  }

  protected async open(): Promise<void> {
    const transport = await this.network.dial(this.#endpoint, this.signal)
    this.#transport = transport
    const intake = new BlockIntake({
      system: this.system,
      delivery: this.delivery,
      ring: this.#ring,
      decoder: new ByteDecoder(),
      transport,
      handler: {
        onControl: () => this.finished(),
        onMalformed: () => this.malformed('ERR_TIA_TEST', 0, 1),
        onLost: (error) => this.connectionLost(error),
      },
      stats: this.stats,
      signals: this.signals,
    })
    transport.start({
      onChunk: intake.feed,
      onClose: (error) => {
        intake.finish()
        if (this.#transport === transport) this.connectionLost(error)
      },
    })
  }

  protected override reconnected(gap: number): void {
    this.gaps.push(gap)
  }

  protected hangUp(): void {
    this.#transport?.close()
    this.#transport = undefined
  }
}
