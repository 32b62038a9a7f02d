import type { Batch, Signal } from '../batch/index.js'
import { MeasurementBatch, TIME_UNKNOWN } from '../batch/index.js'
import { type Clock, type Source, sleep, systemClock } from '../session/index.js'
import { tiaError } from './error-codes.js'
import type { Subject } from './meta-info.js'
import type { TiAServer } from './server.js'
import { TiASignalConfig } from './signal-config.js'
import { signalTypeOf } from './signal-type.js'

/** The samples of one packet of a signal, as they were stored. */
interface Part {
  readonly values: number[]
  readonly channels: number[]
  readonly positions: number[]
  last: bigint
}

/**
 * A recording of TiA as packets again: the signals that it has, and a packet for every packet whose rows it has.
 *
 * Packets are numbered from 0 as on every connection; header times are the recorded ones.
 */
export class RecordedPackets {
  readonly signals: readonly TiASignalConfig<string>[]
  readonly subject: Subject | undefined
  readonly #source: Source
  readonly #places = new Map<number, { signal: string; channel: number }>()
  readonly #parts = new Map<string, Part>()
  readonly #anchor: bigint | undefined
  readonly #unitNs: bigint
  #packet: bigint | undefined
  #first: bigint | undefined
  #time = 0

  constructor(source: Source) {
    this.#source = source
    const { clock, meta } = source.describe()
    const { anchor, unitNs } = clock as { anchor?: unknown; unitNs?: unknown }
    const { subject, master: named } = meta as { subject?: unknown; master?: unknown }
    this.#anchor = typeof anchor === 'string' ? BigInt(anchor) : undefined
    this.#unitNs = unitNs === 10_000 ? 10_000n : 1000n
    this.subject = subjectOf(subject)
    const kinds = new Map<string, Signal[]>()
    for (const signal of source.signals) {
      const known = kinds.get(signal.kind) ?? []
      const channel = known.push(signal) - 1
      kinds.set(signal.kind, known)
      this.#places.set(signal.id, { signal: signal.kind, channel })
    }
    const shapes = [...kinds].map(([kind, channels]) => shapeOf(kind, channels))
    const master = masterOf(shapes, named)
    if (master === undefined) throw tiaError('ERR_TIA_RECORDING_CONTENT', `${source.name} has no signal of TiA`)
    // A slave's blocks vary in size: samples are gathered into one block a packet.
    this.signals = shapes.map((shape) => {
      const isMaster = shape === master
      return new TiASignalConfig({ ...shape, blocksize: isMaster ? shape.blocksize : 1, isMaster })
    })
  }

  /** Gives the server every packet when it is due: `speed` times as fast as it was. */
  async play(server: TiAServer, speed: number, clock: Clock = systemClock): Promise<void> {
    const start = clock.elapsed()
    let first: number | undefined
    for await (const batch of this.#source) {
      for (const time of this.#packets(batch, server)) {
        if (server.state === 'closed') return
        first ??= time
        const due = start + ((time - first) * Number(this.#unitNs)) / 1e6 / speed
        const wait = due - clock.elapsed()
        if (wait > 1) await sleep(clock, wait)
        if (!this.#send(server)) await server.ready()
      }
    }
    if (this.#parts.size > 0) this.#send(server)
  }

  /** Goes over the rows of a batch; gives the header time of each packet that is whole. */
  *#packets(batch: Batch, server: TiAServer): Iterable<number> {
    if (!(batch instanceof MeasurementBatch) || batch.seq === undefined || batch.idx === undefined) {
      throw tiaError('ERR_TIA_RECORDING_CONTENT', 'the rows have no packet ids and positions: they are not from TiA')
    }
    const { seq, idx, signal, value, time, length } = batch
    for (let row = 0; row < length && server.state !== 'closed'; row++) {
      const packet = seq[row] as bigint
      if (this.#packet !== undefined && packet !== this.#packet) yield this.#time
      this.#packet = packet
      const place = this.#places.get(signal[row] as number)
      if (place !== undefined) this.#put(place, value[row] as number, idx[row] as number, time[row] as bigint)
    }
  }

  #put(place: { signal: string; channel: number }, value: number, position: number, time: bigint): void {
    let part = this.#parts.get(place.signal)
    if (part === undefined) {
      part = { values: [], channels: [], positions: [], last: TIME_UNKNOWN }
      this.#parts.set(place.signal, part)
    }
    part.values.push(value)
    part.channels.push(place.channel)
    part.positions.push(position)
    if (time <= part.last) return
    part.last = time
    // The times of a block's last samples are the packet's.
    this.#first ??= this.#anchor ?? time
    const units = Number((time - this.#first) / this.#unitNs)
    if (units >= 0) this.#time = units
  }

  /** Sends the packet that was gathered; `false` where a client has no room. */
  #send(server: TiAServer): boolean {
    let mayGoOn = true
    const ordered = [...this.signals].sort((a, b) => Number(a.isMaster) - Number(b.isMaster))
    for (const signal of ordered) {
      const part = this.#parts.get(signal.id)
      if (part === undefined) continue
      const samples = blocksOf(part, signal)
      if (samples === undefined) server.status.emit('packet-incomplete', { packet: String(this.#packet) })
      else mayGoOn = server.push(signal, samples, signal.isMaster ? [this.#time] : undefined) && mayGoOn
    }
    this.#parts.clear()
    // What is gathered further belongs to the next packet.
    return server.flush() && mayGoOn
  }
}

/** Whole blocks, each channel after channel; nothing where samples are missing, as at the end of a cut recording. */
function blocksOf({ values, channels, positions }: Part, signal: TiASignalConfig): Float32Array | undefined {
  const size = Math.max(...positions) + 1
  const blocks = size / signal.blocksize
  if (values.length !== size * signal.channels || !Number.isInteger(blocks)) return undefined
  const samples = new Float32Array(values.length)
  for (let at = 0; at < values.length; at++) {
    const [channel, position] = [channels[at] as number, positions[at] as number]
    const block = Math.floor(position / signal.blocksize)
    const place = block * signal.samples + channel * signal.blocksize + (position % signal.blocksize)
    samples[place] = values[at] as number
  }
  return samples
}

interface Shape {
  readonly id: string
  readonly sigtype: number
  readonly channels: number
  readonly blocksize: number
  readonly sampleRate: number
  readonly labels: readonly string[]
}

function shapeOf(kind: string, channels: readonly Signal[]): Shape {
  const [first] = channels
  const { blocksize: stored = 1 } = (first?.meta ?? {}) as { blocksize?: unknown }
  const blocksize = Number(stored)
  return {
    id: kind,
    sigtype: signalTypeOf(kind),
    channels: channels.length,
    blocksize: Number.isInteger(blocksize) && blocksize > 0 ? blocksize : 1,
    sampleRate: first?.rateHz ?? 0,
    labels: channels.map(({ name }) => name),
  }
}

/** The signal that paced the packets: the one that the meta info named, else the first that has a rate. */
function masterOf(shapes: readonly Shape[], named: unknown): Shape | undefined {
  const { sampleRate, blocksize } = (named ?? {}) as { sampleRate?: number; blocksize?: number }
  return (
    shapes.find((shape) => shape.sampleRate === sampleRate && shape.blocksize === blocksize) ??
    shapes.find((shape) => shape.sampleRate > 0) ??
    shapes[0]
  )
}

function subjectOf(stored: unknown): Subject | undefined {
  if (typeof stored !== 'object' || stored === null) return undefined
  const { id = '', firstName = '', surname = '', other } = stored as Partial<Subject>
  return { id, firstName, surname, ...(other === undefined ? {} : { other }) }
}
