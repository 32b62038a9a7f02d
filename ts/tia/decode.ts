import { STATUS } from '../batch/index.js'
import { call, type Fault, type Notice, PacketDecoder } from './codec.js'
import { tiaError } from './error-codes.js'
import { PacketBatch, PacketBlock } from './packet-batch.js'
import { nameOfBit } from './signal-type.js'

/** The options of `measurand decode tia`. */
export const decodeOptions = {
  'sample-order': {
    value: 'channel|sample',
    line: 'how blocks lie on the wire: sample for eegdev; channel unless told',
  },
  'packet-version': { value: '2|3', line: 'packet version; told by the first packet unless given' },
} as const

const ROOM = { packets: 256, samples: 1 << 21, words: 4096 }
const PREFIX: Readonly<Record<number, number>> = { 2: 28, 3: 33 }

/** The bytes of a data connection as JSON lines: a `message` for each packet, then its `measurement`s. */
export async function* decode(
  bytes: AsyncIterable<Uint8Array>,
  options: ReadonlyMap<string, string | true>,
): AsyncIterable<object> {
  const order = options.get('sample-order') ?? 'channel'
  const version = Number(options.get('packet-version') ?? 0)
  if (!['channel', 'sample'].includes(String(order)) || ![0, 2, 3].includes(version)) {
    throw tiaError('ERR_TIA_OPTION_INVALID', '--sample-order channel or sample, --packet-version 2 or 3')
  }
  const native = { datagrams: false, limit: 8 << 20, sampleMajor: order === 'sample', version, document: [] }
  const decoder = call(() => new PacketDecoder(native))
  const signals = new Map<string, number>()
  const block = new PacketBlock(ROOM)
  const book = { offset: 0 }
  for await (const chunk of bytes) {
    for (let at = 0; ; ) {
      const status = call(() => decoder.decode(chunk.subarray(at), block.bytes))
      at += block.consumed
      yield* packetLines(new PacketBatch(block), decoder.version, signals, book)
      block.clear()
      if (status === STATUS.control) yield* noticeLine(decoder.takeControl() as Notice, book)
      else if (status === STATUS.lost) {
        const fault = decoder.takeError() as Fault
        const rest = fault.length + (await restOf(bytes))
        yield { event: 'malformed', code: fault.code, offset: book.offset, length: rest, message: fault.message }
        return
      } else if (status === STATUS.needMore) break
    }
  }
  if (decoder.pending > 0) {
    yield { event: 'malformed', code: 'ERR_TIA_PACKET_TRUNCATED', offset: book.offset, length: decoder.pending }
  }
}

async function restOf(bytes: AsyncIterable<Uint8Array>): Promise<number> {
  let rest = 0
  for await (const chunk of bytes) rest += chunk.length
  return rest
}

function* packetLines(
  batch: PacketBatch,
  version: number,
  signals: Map<string, number>,
  book: { offset: number },
): Iterable<object> {
  for (const packet of batch) {
    const { flags, blocks, samples } = packet.layout
    const length = (PREFIX[version] ?? 33) + 4 * blocks.length + 4 * samples
    yield {
      event: 'message',
      system: 'tia',
      direction: 's2c',
      offset: book.offset,
      length,
      type: 'packet',
      fields: {
        version,
        flags,
        packetId: String(packet.packetId),
        connectionPacketNumber: String(packet.packetNumber),
        timestamp: String(packet.timestamp),
        signals: blocks.map((block) => ({ type: nameOfBit(block.bit), ...block })),
      },
    }
    book.offset += length
    for (const [index, { bit, channels, blocksize }] of blocks.entries()) {
      for (let channel = 0; channel < channels; channel++) {
        const id = `${nameOfBit(bit)}/${channel + 1}`
        if (!signals.has(id)) signals.set(id, signals.size)
        const values = packet.getChannel(index, channel)
        for (let idx = 0; idx < blocksize; idx++) {
          const value = values[idx] as number
          yield {
            event: 'measurement',
            source: 'tia',
            signal: signals.get(id),
            id,
            // Header times count from the server's start, which the bytes do not say.
            time: null,
            value: Number.isFinite(value) ? value : String(value),
            flags: 0,
            seq: String(packet.packetId),
            idx,
          }
        }
      }
    }
  }
}

function* noticeLine(notice: Notice, book: { offset: number }): Iterable<object> {
  const { kind, first, last, id } = notice
  const text = (value: bigint | undefined) => (value === undefined ? {} : { packetId: String(value) })
  const fields = first === undefined ? text(id) : { first: String(first), last: String(last) }
  const event = {
    event: 'message',
    system: 'tia',
    direction: 's2c',
    offset: book.offset,
    length: 0,
    type: kind,
    fields,
  }
  yield event
}
