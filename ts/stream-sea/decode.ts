import type { MeasurandError } from '../session/errors.js'
import { DOWNLINK, Downlink } from './codec.js'
import { EventBlock } from './event-batch.js'

/** The options of `measurand decode stream-sea`. */
export const decodeOptions = {
  'http-head': { line: 'the bytes begin with the HTTP reply that opens the WebSocket' },
} as const

const LIMIT = 16 << 20
const OPCODES: Readonly<Record<number, string>> = { 1: 'text', 2: 'binary', 8: 'close', 9: 'ping', 10: 'pong' }

/** The bytes that a server has sent on a WebSocket as JSON lines: an `event` for each delivery, else a `message`. */
export async function* decode(
  bytes: AsyncIterable<Uint8Array>,
  options: ReadonlyMap<string, string | true>,
): AsyncIterable<object> {
  const downlink = new Downlink(LIMIT)
  let block = new EventBlock(1024, 1 << 20)
  let head = options.has('http-head') ? Buffer.alloc(0) : undefined
  let offset = 0
  let isLost = false
  for await (const chunk of bytes) {
    let rest = chunk
    if (head !== undefined) {
      head = Buffer.concat([head, chunk])
      const end = head.indexOf('\r\n\r\n')
      if (end < 0 && head.length < 16_384) continue
      const length = end < 0 ? 0 : end + 4
      rest = head.subarray(length)
      offset += length
      head = undefined
    }
    while (!isLost) {
      const status = downlink.decode(rest, block.bytes)
      const { consumed } = block
      offset += consumed
      rest = rest.subarray(consumed)
      const { length, needed } = block
      yield* eventLines(block)
      block.clear()
      if (status === DOWNLINK.needMore) break
      if (status === DOWNLINK.full && length === 0) block = new EventBlock(1024, needed)
      else if (status === DOWNLINK.control) yield controlLine(downlink, offset)
      else if (status === DOWNLINK.malformed || status === DOWNLINK.lost) {
        const { code, message } = downlink.takeError() as MeasurandError
        isLost = status === DOWNLINK.lost
        yield { event: 'malformed', code, offset, length: isLost ? rest.length : 0, message }
      }
    }
  }
}

function* eventLines(block: EventBlock): Iterable<object> {
  for (let row = 0; row < block.length; row++) {
    const [offset, time] = [block.offsets[row] as bigint, block.times[row] as bigint]
    yield {
      event: 'event',
      request: block.ids[row],
      ...(offset < 0n ? {} : { offset: String(offset) }),
      ...(time < 0n ? {} : { time: String(time * 1_000_000n) }),
      payload: block.text.toString('utf8', block.ends[row], block.ends[row + 1]),
    }
  }
}

function controlLine(downlink: Downlink, end: number): object {
  const { opcode, payload } = downlink.takeControl() ?? { opcode: 0, payload: Buffer.alloc(0) }
  const fields = opcode === 1 ? { text: payload.toString('utf8') } : { payload: payload.toString('hex') }
  const base = { event: 'message', system: 'stream-sea', direction: 's2c' }
  const header = payload.length < 126 ? 2 : payload.length < 0x10000 ? 4 : 10
  const length = header + payload.length
  return { ...base, offset: end - length, length, type: OPCODES[opcode] ?? String(opcode), fields }
}
