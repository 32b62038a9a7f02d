import type { CaptureItem } from '../session/index.js'
import { decodeChirp, Indexer } from './codec.js'
import { MessageIndex } from './message-index.js'
import { MessageType, RecordBatch } from './record-batch.js'
import { ZmtpReader } from './zmtp-reader.js'

/** The options of `measurand decode cdtp`. */
export const decodeOptions = {} as const

/** The longest message of a capture, bytes. */
const MAX_BYTES = 256 << 20
const RECORDS = 4096
const BLOCKS = 65_536
const KINDS = ['DATA', 'BOR', 'EOR'] as const
/** The first bytes of every CDTP2 message. */
const MAGIC = Buffer.from('\xa5CDTP\x02', 'latin1')

/** A CDTP frame in a capture. */
interface Frame {
  readonly bytes: Uint8Array
  /** Where it begins. */
  readonly offset: number
}

/**
 * Captured bytes as lines: one direction of a TCP connection of ZeroMQ, CDTP messages one behind the other, or a CHIRP
 * datagram, known by their first bytes. Malformed bytes are lines too.
 */
export async function* decode(bytes: AsyncIterable<Uint8Array>): AsyncIterable<object> {
  const chunks: Uint8Array[] = []
  let reader: ZmtpReader | undefined
  let length = 0
  for await (const chunk of bytes) {
    if (reader === undefined) {
      chunks.push(chunk)
      length += chunk.length
      if (length < 10) continue
      const start = Buffer.concat(chunks)
      if (!ZmtpReader.isGreeting(start)) {
        if (length > MAX_BYTES) break
        continue
      }
      reader = new ZmtpReader(MAX_BYTES)
      yield* lines(reader.push(start))
    } else yield* lines(reader.push(chunk))
  }
  if (reader === undefined) yield* single(Buffer.concat(chunks))
  else yield* lines(reader.end())
}

/** A raw capture: the frames that a receiver took, one an item. */
export async function* decodeCapture(items: AsyncIterable<CaptureItem>): AsyncIterable<object> {
  let offset = 0
  for await (const { bytes } of items) {
    yield* message({ bytes, offset })
    offset += bytes.length
  }
}

function* lines(frames: Iterable<Frame | { code: string; offset: number; length: number }>): Iterable<object> {
  for (const frame of frames) {
    if ('bytes' in frame) yield* message(frame)
    else yield { event: 'malformed', ...frame }
  }
}

function* single(bytes: Buffer): Iterable<object> {
  if (bytes.length === 0) return
  if (bytes.subarray(0, 5).toString('latin1') !== 'CHIRP') {
    yield* messages(bytes)
    return
  }
  try {
    const { kind, group, host, service, port } = decodeChirp(bytes)
    const fields = { group: hex(group), host: hex(host), service, port }
    const type = ['', 'REQUEST', 'OFFER', 'DEPART'][kind]
    yield { event: 'message', system: 'cdtp', direction: 'in', offset: 0, length: bytes.length, type, fields }
  } catch (error) {
    yield { event: 'malformed', code: (error as { code: string }).code, offset: 0, length: bytes.length }
  }
}

/** Messages one behind the other: no peer minds what follows one, so that only what begins as one does is another. */
function* messages(bytes: Uint8Array): Iterable<object> {
  for (let offset = 0; offset < bytes.length; ) {
    const rest = bytes.subarray(offset)
    const trailing = yield* message({ bytes: rest, offset })
    if (trailing === 0 || !isMessage(rest.subarray(rest.length - trailing))) return
    offset = bytes.length - trailing
  }
}

function isMessage(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, MAGIC.length)).equals(MAGIC)
}

/** The lines of a message; gives the bytes behind it. */
function* message({ bytes, offset }: Frame): Generator<object, number> {
  const indexer = new Indexer(MAX_BYTES)
  const index = new MessageIndex(RECORDS, BLOCKS)
  for (let status = 1, isFirst = true; status === 1; isFirst = false) {
    status = indexer.index(bytes, index.bytes)
    if (status === 3) {
      const fault = indexer.takeError()
      yield { event: 'malformed', code: fault?.code, offset: offset + (fault?.offset ?? 0), length: bytes.length }
      return 0
    }
    const start = index.senderOffset
    const sender = Buffer.from(bytes.subarray(start, start + index.senderLength)).toString('utf8')
    const kind = index.kind as MessageType
    if (isFirst) {
      const length = bytes.length - index.trailing
      const type = KINDS[kind]
      yield { event: 'message', system: 'cdtp', direction: 'in', offset, length, type, fields: { sender } }
    }
    const batch = new RecordBatch(kind, sender, '', 0n, 0, bytes, index)
    const condition = kind === MessageType.EOR ? conditionOf(batch) : 0
    for (let row = 0; row < batch.length; row++) {
      const seq = String(batch.sequences[row])
      const blocks = batch.blocks(row).map(hex)
      yield {
        event: 'record',
        run: '',
        sender,
        kind,
        seq,
        rx: null,
        condition,
        tags: hex(batch.tagsBytes(row)),
        blocks,
      }
    }
  }
  return index.trailing
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
}

function conditionOf(batch: RecordBatch): number {
  const { condition_code: code } = batch.runMetadata
  return typeof code === 'number' ? code : 0
}
