import { type FileHandle, open } from 'node:fs/promises'
import type { Batch, Signal } from '../batch/index.js'
import type { Sink, Source } from '../session/index.js'
import { tiaError } from './error-codes.js'

/** Tags of XDF's chunks. */
const TAG = { fileHeader: 1, streamHeader: 2, samples: 3, clockOffset: 4, boundary: 5, streamFooter: 6 } as const
/** What a reader of a damaged file looks for. */
const BOUNDARY = Buffer.from('43a546dccbf5410fb30ed5467383cbe4', 'hex')
const BOUNDARY_BYTES = 64 * 1024
/** s between two clock offsets of a stream, as LabRecorder has them. */
const OFFSET_PERIOD = 5

/**
 * Writes the measurements of a TiA recording as an XDF file, which LabRecorder writes and pyxdf reads: a stream for
 * each signal type, a channel for each channel, 32-bit floats as they were on the wire, times in seconds since 1970.
 *
 * Times of all streams are UTC already, so the clock offsets are 0: a reader that synchronises clocks leaves them.
 */
export class XdfSink implements Sink {
  stored = 0
  readonly #file: FileHandle
  readonly #streams: readonly Stream[]
  readonly #byRow: ReadonlyMap<number, Stream>

  private constructor(file: FileHandle, streams: readonly Stream[]) {
    this.#file = file
    this.#streams = streams
    this.#byRow = new Map(streams.flatMap((stream) => stream.signals.map(({ id }) => [id, stream] as const)))
  }

  /** Opens the file and writes its headers; the signals are those that the source has. */
  static async open(path: string, source: Source): Promise<XdfSink> {
    const streams = streamsOf(source)
    if (streams.length === 0) throw tiaError('ERR_TIA_XDF_CONTENT', `${source.name} has no TiA signals`)
    const file = await open(path, 'w', 0o600)
    await file.write(Buffer.concat([Buffer.from('XDF:'), chunk(TAG.fileHeader, xml('info', '<version>1.0</version>'))]))
    for (const stream of streams) await file.write(stream.header(source.name))
    return new XdfSink(file, streams)
  }

  async write(batch: Batch): Promise<void> {
    this.stored += take(batch, this.#byRow)
    for (const stream of this.#streams) await this.#file.write(stream.take())
  }

  async close(): Promise<void> {
    for (const stream of this.#streams) {
      stream.end()
      await this.#file.write(stream.take())
    }
    await this.#file.close()
  }
}

/** Hands the rows of a batch to their streams; gives how many there were. */
function take(batch: Batch, streams: ReadonlyMap<number, Stream>): number {
  const views = new Map(
    batch.columns().map(({ field, buffers }) => {
      const bytes = buffers[1] as Uint8Array
      return [field.name, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)] as const
    }),
  )
  const [time, value, signal] = ['time', 'value', 'signal'].map((name) => views.get(name)) as [
    DataView,
    DataView,
    DataView,
  ]
  const [seq, idx] = [views.get('seq'), views.get('idx')]
  if (seq === undefined || idx === undefined) {
    throw tiaError('ERR_TIA_XDF_CONTENT', 'the rows have no packet ids and positions: they are not from TiA')
  }
  for (let row = 0; row < batch.length; row++) {
    const id = signal.getUint32(4 * row, true)
    streams
      .get(id)
      ?.put(
        seq.getBigUint64(8 * row, true),
        idx.getUint32(4 * row, true),
        id,
        time.getBigInt64(8 * row, true),
        value.getFloat64(8 * row, true),
      )
  }
  return batch.length
}

/** A signal type as a stream of XDF. */
class Stream {
  readonly signals: readonly Signal[]
  readonly #id: number
  readonly #places: ReadonlyMap<number, number>
  #packet = -1n
  #frames: { time: bigint; values: Float32Array }[] = []
  readonly #waiting: Buffer[] = []
  #unbounded = 0
  #samples = 0
  #first = Number.NaN
  #last = Number.NaN
  #offsetAt = Number.NaN

  constructor(id: number, signals: readonly Signal[]) {
    this.#id = id
    this.signals = signals
    this.#places = new Map(signals.map((signal, place) => [signal.id, place]))
  }

  header(recording: string): Buffer {
    const [first] = this.signals as readonly [Signal, ...Signal[]]
    const channels = this.signals.map(
      ({ name, unit }) =>
        `<channel><label>${text(name)}</label><unit>${text(unit)}</unit><type>${text(first.kind)}</type></channel>`,
    )
    return chunk(
      TAG.streamHeader,
      this.#prefixed(
        xml(
          'info',
          `<name>${text(first.kind)}</name><type>${text(first.kind.toUpperCase())}</type>` +
            `<channel_count>${this.signals.length}</channel_count><nominal_srate>${first.rateHz ?? 0}</nominal_srate>` +
            `<channel_format>float32</channel_format><source_id>${text(recording)}/${text(first.kind)}</source_id>` +
            `<desc><channels>${channels.join('')}</channels></desc>`,
        ),
      ),
    )
  }

  /** No more samples come. */
  end(): void {
    this.closePacket()
    if (this.#samples > 0 && this.#offsetAt !== this.#last) this.#tellOffset(this.#last)
    const stamps =
      this.#samples === 0
        ? ''
        : `<first_timestamp>${this.#first}</first_timestamp><last_timestamp>${this.#last}</last_timestamp>`
    this.#put(TAG.streamFooter, xml('info', `${stamps}<sample_count>${this.#samples}</sample_count>`))
  }

  put(packet: bigint, position: number, signal: number, time: bigint, value: number): void {
    const place = this.#places.get(signal) as number
    // A channel that has the position already: ids began anew.
    if (packet !== this.#packet) this.closePacket()
    this.#packet = packet
    this.#frames[position] ??= { time, values: new Float32Array(this.signals.length).fill(Number.NaN) }
    const frame = this.#frames[position] as { values: Float32Array }
    frame.values[place] = value
  }

  /** The frames of the packet are whole. */
  closePacket(): void {
    const frames = this.#frames.filter(Boolean)
    this.#frames = []
    if (frames.length === 0) return
    const size = 9 + 4 * this.signals.length
    const body = Buffer.alloc(5 + frames.length * size)
    body.writeUInt8(4, 0)
    body.writeUInt32LE(frames.length, 1)
    frames.forEach(({ time, values }, index) => {
      const at = 5 + index * size
      const seconds = Number(time) / 1e9
      body.writeUInt8(8, at)
      body.writeDoubleLE(seconds, at + 1)
      body.set(new Uint8Array(values.buffer), at + 9)
      if (this.#samples === 0 && index === 0) this.#first = seconds
      this.#last = seconds
    })
    this.#samples += frames.length
    this.#put(TAG.samples, body)
    const since = this.#last - this.#offsetAt
    if (!(since >= 0 && since < OFFSET_PERIOD)) this.#tellOffset(this.#last)
  }

  /** The chunks that are whole. */
  take(): Buffer {
    return Buffer.concat(this.#waiting.splice(0))
  }

  #tellOffset(time: number): void {
    this.#offsetAt = time
    const body = Buffer.alloc(16)
    body.writeDoubleLE(time)
    this.#put(TAG.clockOffset, body)
  }

  #put(tag: number, body: Buffer): void {
    const bytes = chunk(tag, this.#prefixed(body))
    this.#waiting.push(bytes)
    this.#unbounded += bytes.length
    if (this.#unbounded < BOUNDARY_BYTES) return
    this.#unbounded = 0
    this.#waiting.push(chunk(TAG.boundary, BOUNDARY))
  }

  #prefixed(body: Buffer): Buffer {
    const id = Buffer.alloc(4)
    id.writeUInt32LE(this.#id)
    return Buffer.concat([id, body])
  }
}

/** A stream for each kind of signal, its channels in the order of the table. */
function streamsOf(source: Source): Stream[] {
  const kinds = new Map<string, Signal[]>()
  for (const signal of source.signals) {
    const known = kinds.get(signal.kind)
    if (known === undefined) kinds.set(signal.kind, [signal])
    else known.push(signal)
  }
  return [...kinds.values()].map((signals, index) => new Stream(index + 1, signals))
}

function chunk(tag: number, content: Buffer): Buffer {
  const head = Buffer.alloc(7)
  head.writeUInt8(4, 0)
  head.writeUInt32LE(content.length + 2, 1)
  head.writeUInt16LE(tag, 5)
  return Buffer.concat([head, content])
}

function xml(element: string, inside: string): Buffer {
  return Buffer.from(`<?xml version="1.0"?><${element}>${inside}</${element}>`)
}

function text(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
