import { call, PacketBuilder } from '../../ts/tia/codec.js'

/** A shape of packets: channels x samples of one EEG signal. */
export interface Shape {
  readonly channels: number
  readonly blocksize: number
}

export const SHAPES: readonly Shape[] = [
  { channels: 8, blocksize: 1 },
  { channels: 64, blocksize: 8 },
  { channels: 256, blocksize: 32 },
]

export const nameOf = ({ channels, blocksize }: Shape): string => `${channels}x${blocksize}`

/** The bytes of so many packets; the first sample of packet n is n. */
export function packetBytes({ channels, blocksize }: Shape, packets: number, first = 0): Uint8Array {
  const signal = { bit: 0, channels, blocksize, isMaster: true, blocks: 0, packets: 1 }
  const builder = call(() => new PacketBuilder([signal], first, 8 << 20))
  const samples = new Float32Array(packets * channels * blocksize)
  for (let packet = 0; packet < packets; packet++) samples[packet * channels * blocksize] = first + packet
  const times = Float64Array.from({ length: packets }, (_, packet) => (first + packet) * 1000)
  const bytes = new Uint8Array(builder.byteLengthWith(samples.length))
  return bytes.subarray(0, builder.build(samples, times, bytes))
}

/** A decoder as one writes it by hand: each packet's header by DataView, its samples copied by one Float32Array. */
export class PlainDecoder {
  packets = 0
  samples = 0
  sum = 0
  #rest: Uint8Array = new Uint8Array(0)

  decode(chunk: Uint8Array): void {
    let bytes = chunk
    if (this.#rest.length > 0) bytes = Buffer.concat([this.#rest, chunk])
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    let at = 0
    while (bytes.length - at >= 33) {
      const size = view.getUint32(at + 1, true)
      if (bytes.length - at < size) break
      const flags = view.getUint32(at + 5, true)
      let signals = 0
      for (let bits = flags; bits !== 0; bits &= bits - 1) signals++
      const id = view.getUint32(at + 9, true) + view.getUint32(at + 13, true) * 2 ** 32
      const start = at + 33 + 4 * signals
      const samples = new Float32Array(copied(bytes, start, at + size))
      this.sum += samples[0] as number
      this.samples += samples.length
      this.packets++
      if (id < 0) throw new Error('no id')
      at += size
    }
    this.#rest = new Uint8Array(copied(bytes, at, bytes.length))
  }
}

/** A Buffer's own `slice` does not copy. */
function copied(bytes: Uint8Array, start: number, end: number): ArrayBuffer {
  return Uint8Array.prototype.slice.call(bytes, start, end).buffer as ArrayBuffer
}
