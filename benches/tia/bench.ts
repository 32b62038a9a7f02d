import { join } from 'node:path'
import { Block, COLUMN } from '../../ts/batch/index.js'
import { MeasurementDecoder, PacketDecoder } from '../../ts/tia/codec.js'
import { PacketBlock } from '../../ts/tia/packet-batch.js'
import type { Bench, Case, Contender, Sample } from '../harness/bench.js'
import { BenchProcess } from '../harness/process.js'
import { nameOf, PlainDecoder, packetBytes, SHAPES, type Shape } from './packets.js'

const here = import.meta.dirname
const PYTIA = 'pytia 0.1.0'
const QUOTED = 'baselines measured on the same kind of machine'

export const bench: Bench = {
  name: 'tia',
  async *cases({ quick }) {
    for (const shape of SHAPES) yield decodeAlone(shape, quick)
    for (const shape of SHAPES) yield measurements(shape, quick)
    for (const shape of SHAPES) yield serverToClient(shape, quick)
    yield manyClients(quick)
  },
}

const options = { datagrams: false, limit: 8 << 20, sampleMajor: false, version: 3, document: [] }
const QUOTES: Readonly<Record<string, { pytia: number; lsl: number }>> = {
  '8x1': { pytia: 0.603, lsl: 0.09 },
  '64x8': { pytia: 0.124, lsl: 0.055 },
  '256x32': { pytia: 0.0108, lsl: 0.018 },
}

/** A chunk as a socket gives it, and how often it is decoded: ids go on inside it and begin anew behind it. */
function chunkOf(shape: Shape, quick: boolean): { bytes: Uint8Array; packets: number; turns: number } {
  const packets = Math.max(2, Math.floor((64 * 1024) / (37 + 4 * shape.channels * shape.blocksize)))
  return { bytes: packetBytes(shape, packets), packets, turns: quick ? 4000 : 20_000 }
}

function decodeAlone(shape: Shape, quick: boolean): Case {
  const { bytes, packets, turns } = chunkOf(shape, quick)
  const size = shape.channels * shape.blocksize
  const block = new PacketBlock({ packets: packets + 1, samples: packets * size, words: 4096 })
  const chunks = 64
  return {
    case: `decode ${nameOf(shape)}, packets as Float32Array and layout`,
    unit: 'M packets/s',
    per: 1e6,
    contenders: [
      {
        who: 'measurand',
        async round() {
          return timed(packets * turns, () => {
            for (let turn = 0; turn < turns; turn += chunks) {
              // Its ids are followed: a decoder of its own for each run of the same bytes would be no stream.
              const decoder = new PacketDecoder(options)
              for (let chunk = 0; chunk < Math.min(chunks, turns - turn); chunk++) {
                renumberInPlace(bytes, packets, chunk, 37 + 4 * size)
                block.clear()
                const status = decoder.decode(bytes, block.bytes)
                if (status !== 0 || block.count !== packets) throw new Error(`status ${status}, ${block.count} packets`)
              }
            }
            if (block.samples[(packets - 1) * size] !== packets - 1) throw new Error('wrong samples')
          })
        },
      },
      {
        who: 'plain JavaScript',
        async round() {
          return timed((packets * turns) / 10, () => {
            const decoder = new PlainDecoder()
            for (let turn = 0; turn < turns / 10; turn++) decoder.decode(bytes)
            if (decoder.packets !== (packets * turns) / 10) throw new Error(`${decoder.packets} packets`)
          })
        },
      },
      { who: PYTIA, quoted: QUOTES[nameOf(shape)]?.pytia ?? 0, source: QUOTED },
    ],
  }
}

/** Gives the packets of a chunk the ids that follow those of the chunk before. */
function renumberInPlace(bytes: Uint8Array, packets: number, chunk: number, size: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let packet = 0; packet < packets; packet++) view.setUint32(packet * size + 9, chunk * packets + packet, true)
}

function measurements(shape: Shape, quick: boolean): Case {
  const { bytes, packets, turns } = chunkOf(shape, quick)
  const size = shape.channels * shape.blocksize
  const rows = packets * size
  const block = new Block(rows, COLUMN.seq | COLUMN.idx | COLUMN.rawTime)
  return {
    case: `decode ${nameOf(shape)}, measurements`,
    unit: 'M samples/s',
    per: 1e6,
    contenders: [
      {
        who: 'measurand',
        async round() {
          const all = Math.ceil(turns / 20)
          const decoder = new MeasurementDecoder(options)
          decoder.setAnchor(0n, 1000)
          decoder.setSignal(
            0,
            Array.from({ length: shape.channels }, (_, row) => row),
            1000,
          )
          return timed(rows * all, () => {
            for (let turn = 0; turn < all; turn++) {
              renumberInPlace(bytes, packets, turn, 37 + 4 * size)
              block.clear()
              const status = decoder.decode(bytes, block.bytes)
              if (status !== 0 || block.count !== rows) throw new Error(`status ${status}, ${block.count} rows`)
            }
          })
        },
      },
    ],
  }
}

function serverToClient(shape: Shape, quick: boolean): Case {
  const size = shape.channels * shape.blocksize
  const packets = Math.floor((quick ? 0.3e9 : 1.5e9) / (37 + 4 * size))
  const ours = (form: string): Contender => ({
    who: form === 'packets' ? 'measurand' : `measurand server, ${form}`,
    round: () => transfer(shape, packets, form),
  })
  return {
    case: `server to client ${nameOf(shape)}, TCP, two processes`,
    unit: 'k packets/s',
    per: 1000,
    contenders: [
      ours('packets'),
      ours('measurements'),
      { who: 'measurand server, plain JavaScript client', round: () => transfer(shape, packets, 'plain') },
      { who: 'Lab Streaming Layer', quoted: (QUOTES[nameOf(shape)]?.lsl ?? 0) * 1000, source: QUOTED },
    ],
  }
}

async function transfer(shape: Shape, packets: number, form: string): Promise<Sample> {
  const { channels, blocksize } = shape
  const sender = tsx('sender.ts', [channels, blocksize, packets])
  try {
    const port = (await sender.line(/^PORT \d+$/)).slice(5)
    const receiver = tsx('receiver.ts', [port, packets, form, channels * blocksize])
    const sample = await receiver.sample()
    return sample
  } finally {
    await sender.kill()
  }
}

/** 128 clients of 64x8 at 1,000 packets/s each, from one server process; one process receives for all. */
function manyClients(quick: boolean): Case {
  const seconds = quick ? 3 : 10
  return {
    case: '128 clients of 64x8 at 1,000 packets/s each, no loss',
    unit: 'packets/s of each client',
    value: ({ items, seconds }) => items / seconds / 128,
    contenders: [
      {
        who: 'measurand',
        async round() {
          const sender = tsx('sender.ts', [64, 8, 0, 128, 1000])
          try {
            const port = (await sender.line(/^PORT \d+$/)).slice(5)
            return await tsx('many.ts', [port, 128, seconds]).sample()
          } finally {
            await sender.kill()
          }
        },
      },
    ],
  }
}

function tsx(program: string, args: readonly (string | number)[]): BenchProcess {
  return new BenchProcess(process.execPath, ['--import', 'tsx', join(here, program), ...args.map(String)])
}

function timed(items: number, work: () => void): Sample {
  const start = performance.now()
  work()
  return { items, seconds: (performance.now() - start) / 1000 }
}
