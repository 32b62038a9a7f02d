import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Block, MeasurementBatch } from '../../ts/batch/index.js'
import { MemoryNetwork, SimulatedClock, type Transport } from '../../ts/session/index.js'
import { type SttpControl, SttpDownlink, type SttpSubscription, sttpWriteCommand } from '../../ts/sttp/codec.js'
import { DataSet } from '../../ts/sttp/data-set.js'
import { Measurement } from '../../ts/sttp/measurement.js'
import { Publisher } from '../../ts/sttp/publisher.js'
import type { PublisherOptions } from '../../ts/sttp/publisher-options.js'
import { Ticks } from '../../ts/sttp/ticks.js'

export const TSSC = 0xe000_0262
export const COMPACT = 0xc000_0222
const PORT = 7165
export const T0 = Ticks.fromMs(Date.UTC(2024, 0, 1))
export const xml = readFileSync(join(import.meta.dirname, '..', 'vectors', 'sttp', 'metadata6.xml'))
export const idOf = (signal: number) => `00000000-0000-4000-8000-${signal.toString(16).padStart(12, '0')}`

/** One turn after which everything that was written in memory has been read. */
export const turns = async (count = 8) => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}

export async function publishing(options: PublisherOptions = {}) {
  const clock = new SimulatedClock()
  const network = new MemoryNetwork({ clock })
  const publisher = new Publisher({ clock, network, ...options })
  const [set, error] = DataSet.fromXml(xml)
  if (set === null) throw error
  publisher.defineMetadata(set)
  await publisher.start({ host: '127.0.0.1', port: PORT })
  return { clock, network, publisher }
}

/** A subscriber as its bytes: commands go out one by one, what comes is kept. */
export class Wire {
  readonly controls: SttpControl[] = []
  readonly rows: [signal: number, value: number, time: bigint, flags: number][] = []
  isClosed = false
  confirms = true
  readonly #downlink = new SttpDownlink()
  readonly #block = new Block(4096)
  readonly #transport: Transport

  static async connect(network: MemoryNetwork, modes: number): Promise<Wire> {
    const wire = new Wire(await network.dial({ host: '127.0.0.1', port: PORT }))
    wire.#downlink.setModes(modes)
    wire.#transport.write(sttpWriteCommand({ type: 'defineOperationalModes', modes }))
    return wire
  }

  private constructor(transport: Transport) {
    this.#transport = transport
    transport.start({ onChunk: (bytes) => this.#read(bytes), onClose: () => (this.isClosed = true) })
  }

  subscribe(filterExpression: string, more: SttpSubscription = {}): void {
    this.#downlink.setTimeForm(more.includeTime ?? true, more.useMillisecondResolution ?? false)
    this.send({ type: 'subscribe', subscription: { flags: 2, filterExpression, ...more } })
  }

  send(command: Parameters<typeof sttpWriteCommand>[0]): void {
    this.#transport.write(sttpWriteCommand(command))
  }

  pause(): void {
    this.#transport.pause()
  }

  resume(): void {
    this.#transport.resume()
  }

  texts(): (string | undefined)[] {
    return this.controls.filter(({ type }) => type === 'succeeded' || type === 'failed').map(({ text }) => text)
  }

  types(): string[] {
    return this.controls.map(({ type }) => type)
  }

  #read(bytes: Uint8Array): void {
    for (let from = 0; ; ) {
      this.#block.clear()
      const status = this.#downlink.decode(bytes.subarray(from), this.#block.bytes)
      from += this.#block.consumed
      for (const { signal, value, time, flags } of new MeasurementBatch(this.#block)) {
        this.rows.push([signal, value, time ?? -1n, flags])
      }
      if (status === 0) return
      if (status > 2) throw new Error(JSON.stringify(this.#downlink.takeError()))
      for (let control = this.#downlink.takeControl(); control !== null; control = this.#downlink.takeControl()) {
        this.controls.push(control)
        if (control.type === 'signalIndexCache' && this.confirms) this.send({ type: 'confirmUpdateSignalIndexCache' })
      }
    }
  }
}

export const frame = (n: number, signals = 6) =>
  Array.from(
    { length: signals },
    (_, k) => new Measurement(idOf(k), 1000 * k + 0.25 * n, T0 + BigInt(n) * 333_333n, n % 3),
  )
