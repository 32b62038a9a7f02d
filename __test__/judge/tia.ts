// The judge of TiA vectors: recorded sessions from both connections, synthetic packets good and bad, pytia's errors.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { STATUS } from '../../ts/batch/index.js'
import { MessageReader, PacketDecoder } from '../../ts/tia/codec.js'
import type { TiAPacket } from '../../ts/tia/index.js'
import { readMetaInfo } from '../../ts/tia/meta-info.js'
import { PacketBatch, PacketBlock } from '../../ts/tia/packet-batch.js'
import type { Verdict } from './main.js'

interface Wanted {
  readonly flags: number
  readonly packet_id: number | string
  readonly connection_packet_number: number | string
  readonly timestamp: number | string
  readonly signals: readonly {
    readonly bit: number
    readonly channels: number
    readonly blocksize: number
    readonly data: readonly (number | string)[]
  }[]
}

/** Judges one session, the synthetic folder, the control errors, or the folder that holds them all. */
export async function* judge(folder: string): AsyncIterable<Verdict> {
  if (existsSync(join(folder, 'synthetic.json'))) yield* synthetic(folder)
  else if (existsSync(join(folder, 'cases.json'))) yield* errors(folder)
  else if (existsSync(join(folder, 'packets.json'))) yield* session(folder)
  else {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) yield* judge(join(folder, entry.name))
    }
  }
}

function* session(folder: string): Iterable<Verdict> {
  const name = basename(folder)
  const wanted: Wanted[] = JSON.parse(readFileSync(join(folder, 'packets.json'), 'utf8')).packets
  const data = readFileSync(join(folder, 'data.bin'))
  const sizes = join(folder, 'datagram_sizes.json')
  const isUdp = existsSync(sizes)
  const bytes = isUdp ? framed(data, JSON.parse(readFileSync(sizes, 'utf8'))) : data
  for (const size of isUdp ? [bytes.length] : [1, 61, 65_536]) {
    const { packets, problems } = decode(bytes, size, isUdp)
    yield verdict(`${name}: data in chunks of ${size}`, [...problems, ...compare(packets, wanted)])
  }
  for (const side of ['c2s', 's2c']) {
    const reader = new MessageReader(side === 's2c', 4096, 1 << 24)
    reader.push(readFileSync(join(folder, `control.${side}.bin`)))
    const commands: string[] = []
    for (let message = reader.next(); message !== null; message = reader.next()) {
      commands.push(message.command)
      if (message.command === 'MetaInfo') readMetaInfo(message.content?.toString('utf8') ?? '')
    }
    yield verdict(`${name}: control ${side}`, commands.length === 5 ? [] : [`${commands.length} messages: ${commands}`])
  }
}

function* synthetic(folder: string): Iterable<Verdict> {
  const cases = JSON.parse(readFileSync(join(folder, 'synthetic.json'), 'utf8'))
  for (const { file, packets: wanted } of cases.good as { file: string; packets?: Wanted[] }[]) {
    const { packets, problems } = decode(readFileSync(join(folder, file)), 65_536, false)
    const found = wanted === undefined ? (packets.length === 1 ? [] : ['no packet']) : compare(packets, wanted)
    yield verdict(file, [...problems, ...found])
  }
  for (const file of readdirSync(folder).filter((name) => name.startsWith('bad-'))) {
    const { packets, problems, pending } = decode(readFileSync(join(folder, file)), 65_536, false)
    const isRefused = packets.length === 0 && (problems.length === 1 || pending > 0)
    yield verdict(`${file} is refused`, isRefused ? [] : ['it was taken'], problems[0])
  }
  const reader = new MessageReader(true, 4096, 1 << 24)
  reader.push(readFileSync(join(folder, 'state-connection.s2c.txt')))
  const states = [reader.next()?.command, reader.next()?.command].join()
  yield verdict('state-connection', states === 'ServerStateRunning,ServerStateShutdown' ? [] : [states])
  const lines = readFileSync(join(folder, 'libtia-style-control.jsonl'), 'utf8').trim().split('\n')
  lines.forEach((line, index) => {
    const one = new MessageReader(false, 4096, 1 << 24)
    one.push(Buffer.from(JSON.parse(line).text))
    if (one.next() === null) throw new Error(`libtia-style-control line ${index + 1} is no message`)
  })
  yield verdict('libtia-style-control', [])
}

function* errors(folder: string): Iterable<Verdict> {
  const cases = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8')) as { reply: string; request: string }[]
  for (const { reply, request } of cases) {
    const reader = new MessageReader(true, 4096, 1 << 24)
    reader.push(Buffer.from(reply))
    const message = reader.next()
    const rest = reader.next()
    yield verdict(`reply to ${JSON.stringify(request)}`, message !== null && rest === null ? [] : ['not one message'])
  }
}

function decode(bytes: Uint8Array, size: number, datagrams: boolean) {
  const options = { datagrams, limit: 8 << 20, sampleMajor: false, version: datagrams ? 3 : 0, document: [] }
  const decoder = new PacketDecoder(options)
  const packets: TiAPacket[] = []
  const problems: string[] = []
  for (let start = 0; start < bytes.length; start += size) {
    const chunk = bytes.subarray(start, start + size)
    for (let at = 0; ; ) {
      const block = new PacketBlock({ packets: 256, samples: 1 << 18, words: 4096 })
      const status = decoder.decode(chunk.subarray(at), block.bytes)
      at += block.consumed
      packets.push(...new PacketBatch(block))
      if (status === STATUS.needMore) break
      if (status === STATUS.control) problems.push(decoder.takeControl()?.kind ?? '')
      else if (status !== STATUS.full)
        return { packets, problems: [...problems, decoder.takeError()?.code ?? ''], pending: 0 }
    }
  }
  return { packets, problems, pending: decoder.pending }
}

function compare(packets: readonly TiAPacket[], wanted: readonly Wanted[]): string[] {
  if (packets.length !== wanted.length) return [`${packets.length} packets instead of ${wanted.length}`]
  return packets.flatMap((packet, index) => {
    const { flags, packet_id, connection_packet_number, timestamp, signals } = wanted[index] as Wanted
    const head = [packet.flags, packet.packetId, packet.packetNumber, packet.timestamp].join()
    const other = [flags, packet_id, connection_packet_number, timestamp].join()
    if (head !== other) return [`packet ${index}: ${head} instead of ${other}`]
    const same = signals.every(({ bit, channels, blocksize, data }, signal) => {
      const shape = packet.layout.blocks[signal]
      if (shape?.bit !== bit || shape.channels !== channels || shape.blocksize !== blocksize) return false
      return data.every((value, at) => Object.is(packet.signals[signal]?.[at], floatOf(value)))
    })
    return same && packet.signals.length === signals.length ? [] : [`samples of packet ${index}`]
  })
}

/** Non-finite numbers are text in the vectors. */
function floatOf(value: number | string): number {
  return Math.fround(typeof value === 'number' ? value : Number(value.replace(/^(-?)inf.*$/i, '$1Infinity')))
}

function framed(data: Uint8Array, sizes: readonly number[]): Uint8Array {
  let at = 0
  return Buffer.concat(
    sizes.flatMap((size) => {
      const length = Buffer.alloc(2)
      length.writeUInt16LE(size)
      at += size
      return [length, data.subarray(at - size, at)]
    }),
  )
}

function verdict(name: string, problems: readonly string[], detail = problems[0]): Verdict {
  return { case: name, passed: problems.length === 0, ...(detail === undefined ? {} : { detail }) }
}
