// Decoding alone: what a chunk of the data connection costs, in one process.
import { join } from 'node:path'
import { Block, COLUMN } from '../../ts/batch/index.js'
import { MeasurementDecoder, PacketDecoder } from '../../ts/tia/codec.js'
import { PacketBlock } from '../../ts/tia/packet-batch.js'
import type { Case, Sample } from '../harness/bench.js'
import { timedProcess } from '../harness/process.js'
import { nameOf, PlainDecoder, packetBytes, type Shape } from './packets.js'
import { PYTIA, python } from './peers.js'

/** Bytes of a chunk: what a session's read gives at most. */
const CHUNK = 256 * 1024
const OPTIONS = { datagrams: false, limit: 8 << 20, sampleMajor: false, version: 3, document: [] }

function chunkOf(shape: Shape, quick: boolean): { bytes: Uint8Array; packets: number; turns: number } {
  const packets = Math.max(2, Math.floor(CHUNK / (37 + 4 * shape.channels * shape.blocksize)))
  return { bytes: packetBytes(shape, packets), packets, turns: quick ? 2000 : 8000 }
}

/** The packet form: samples as one Float32Array, and the layout of each packet. */
export function packetForm(shape: Shape, quick: boolean): Case {
  const { bytes, packets, turns } = chunkOf(shape, quick)
  const size = shape.channels * shape.blocksize
  const block = new PacketBlock({ packets: packets + 1, samples: packets * size, words: 4096 })
  const decoder = (): (() => void) => {
    const native = new PacketDecoder(OPTIONS)
    return () => {
      block.clear()
      const status = native.decode(bytes, block.bytes)
      if (status !== 0 || block.count !== packets) throw new Error(`status ${status}, ${block.count} packets`)
    }
  }
  return {
    case: `decode ${nameOf(shape)}, packets as Float32Array and layout`,
    unit: 'M packets/s',
    per: 1e6,
    contenders: [
      {
        who: 'measurand',
        async round() {
          const sample = timed(bytes, packets, turns, 37 + 4 * size, decoder())
          if (block.samples[(packets - 1) * size] !== packets - 1) throw new Error('wrong samples')
          return sample
        },
      },
      {
        who: 'plain JavaScript',
        async round() {
          const plain = new PlainDecoder()
          const all = Math.ceil(turns / 20)
          const sample = timed(bytes, packets, all, 37 + 4 * size, () => plain.decode(bytes))
          if (plain.packets !== packets * all) throw new Error(`${plain.packets} packets`)
          return sample
        },
      },
      {
        who: PYTIA,
        round: () => timedProcess(python('pytia'), programOf('pytia_decode.py', shape, quick ? 4e6 : 2e7)),
      },
      ...(size < 4096
        ? []
        : [{ who: 'the copy of the samples alone', round: async () => copied(bytes, packets, turns, size) }]),
    ],
  }
}

/** The measurement form: a row a sample, with time, signal, packet id and position. */
export function measurementForm(shape: Shape, quick: boolean): Case {
  const { bytes, packets, turns } = chunkOf(shape, quick)
  const rows = packets * shape.channels * shape.blocksize
  const block = new Block(rows, COLUMN.seq | COLUMN.idx | COLUMN.rawTime)
  return {
    case: `decode ${nameOf(shape)}, measurements`,
    unit: 'M samples/s',
    per: 1e6,
    contenders: [
      {
        who: 'measurand',
        async round() {
          const decoder = new MeasurementDecoder(OPTIONS)
          decoder.setAnchor(0n, 1000)
          const signals = Array.from({ length: shape.channels }, (_, row) => row)
          decoder.setSignal(0, signals, 1000)
          const size = 37 + 4 * shape.channels * shape.blocksize
          const { items, seconds } = timed(bytes, packets, Math.ceil(turns / 20), size, () => {
            block.clear()
            const status = decoder.decode(bytes, block.bytes)
            if (status !== 0 || block.count !== rows) throw new Error(`status ${status}, ${block.count} rows`)
          })
          return { items: (items / packets) * rows, seconds }
        },
      },
    ],
  }
}

/** Decodes the same packets again and again; between the turns, off the clock, they get the ids that follow. */
function timed(bytes: Uint8Array, packets: number, turns: number, size: number, decode: () => void): Sample {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let ms = 0
  for (let turn = 0; turn < turns; turn++) {
    for (let packet = 0; packet < packets; packet++) {
      view.setUint32(packet * size + 9, turn * packets + packet, true)
    }
    const start = performance.now()
    decode()
    ms += performance.now() - start
  }
  return { items: packets * turns, seconds: ms / 1000 }
}

/** What no decoder can beat that gives samples in memory of their own, where packets are large. */
function copied(bytes: Uint8Array, packets: number, turns: number, size: number): Sample {
  const place = new Uint8Array(4 * packets * size)
  const start = performance.now()
  for (let turn = 0; turn < turns; turn++) {
    for (let packet = 0; packet < packets; packet++) {
      const end = (packet + 1) * (37 + 4 * size)
      place.set(bytes.subarray(end - 4 * size, end), 4 * packet * size)
    }
  }
  return { items: packets * turns, seconds: (performance.now() - start) / 1000 }
}

function programOf(program: string, { channels, blocksize }: Shape, samples: number): string[] {
  const packets = Math.ceil(samples / (channels * blocksize) / 10)
  return [join(import.meta.dirname, program), String(channels), String(blocksize), String(packets)]
}
