import { CAPTURE_KIND, type CaptureItem, type MeasurandError } from '../session/index.js'
import { call } from './codec.js'
import { messageReader } from './control-connection.js'
import { tiaError } from './error-codes.js'
import { PacketLines, type PacketLinesOptions } from './packet-lines.js'

/** The options of `measurand decode tia`. */
export const decodeOptions = {
  'sample-order': {
    value: 'channel|sample',
    line: 'how blocks lie on the wire: sample for eegdev; channel unless told',
  },
  'packet-version': { value: '2|3', line: 'packet version; told by the first packet unless given' },
} as const

/** The bytes of a data connection as JSON lines: a `message` for each packet, then its `measurement`s. */
export async function* decode(
  bytes: AsyncIterable<Uint8Array>,
  options: ReadonlyMap<string, string | true>,
): AsyncIterable<object> {
  const lines = new PacketLines(linesOptions(options))
  for await (const chunk of bytes) yield* lines.take(chunk)
  yield* lines.end()
}

/**
 * A raw capture as JSON lines, each with the number of its connection: control messages of both directions, then what
 * `decode` gives of every data connection, in the order of the capture.
 */
export async function* decodeCapture(
  items: AsyncIterable<CaptureItem>,
  options: ReadonlyMap<string, string | true>,
): AsyncIterable<object> {
  const given = { ...linesOptions(options), signals: new Map<string, number>() }
  const readers = new Map<string, Lines>()
  for await (const { channel, direction, kind, bytes } of items) {
    const key = `${channel} ${direction}`
    let lines = readers.get(key)
    if (lines === undefined) {
      const isDatagram = kind === CAPTURE_KIND.datagram
      const isControl = !isDatagram && Buffer.from(bytes.subarray(0, 4)).equals(CONTROL)
      lines = isControl ? new MessageLines(direction) : new PacketLines({ ...given, isDatagram })
      readers.set(key, lines)
    }
    for (const line of lines.take(bytes)) yield { ...line, channel }
  }
  for (const [key, lines] of readers)
    for (const line of lines.end()) yield { ...line, channel: Number.parseInt(key, 10) }
}

interface Lines {
  take(bytes: Uint8Array): Iterable<object>
  end(): Iterable<object>
}

const CONTROL = Buffer.from('TiA ')

/** One direction of a control connection. */
class MessageLines implements Lines {
  readonly #reader = messageReader(true, {})
  readonly #direction: 'c2s' | 's2c'
  #offset = 0
  #taken = 0
  #isLost = false

  constructor(direction: CaptureItem['direction']) {
    this.#direction = direction === 'sent' ? 'c2s' : 's2c'
  }

  *take(bytes: Uint8Array): Iterable<object> {
    this.#taken += bytes.length
    if (this.#isLost) return
    try {
      call(() => this.#reader.push(bytes))
      for (let message = call(() => this.#reader.next()); message; message = call(() => this.#reader.next())) {
        const { command, parameter, content } = message
        const fields = {
          version: message.version,
          ...(parameter === undefined ? {} : { parameter }),
          ...(content === undefined ? {} : { content: content.toString('utf8') }),
        }
        const base = { event: 'message', system: 'tia', direction: this.#direction, offset: this.#offset }
        yield { ...base, length: this.#taken - this.#offset, type: command, fields }
        this.#offset = this.#taken
      }
    } catch (error) {
      this.#isLost = true
      yield { event: 'malformed', code: (error as MeasurandError).code, offset: this.#offset, length: bytes.length }
    }
  }

  *end(): Iterable<object> {}
}

function linesOptions(options: ReadonlyMap<string, string | true>): PacketLinesOptions {
  const sampleOrder = options.get('sample-order') ?? 'channel'
  const version = Number(options.get('packet-version') ?? 0)
  if ((sampleOrder === 'channel' || sampleOrder === 'sample') && (version === 0 || version === 2 || version === 3)) {
    return { sampleOrder, version }
  }
  throw tiaError('ERR_TIA_OPTION_INVALID', '--sample-order channel or sample, --packet-version 2 or 3')
}
