import { CAPTURE_KIND, type CaptureItem } from '../session/index.js'
import type { SttpSubscription } from './codec.js'
import { sttpError } from './error-codes.js'
import { operationalModes } from './subscription.js'
import { CommandLines, ResponseLines } from './wire-lines.js'

/** The options of `measurand decode sttp`. */
export const decodeOptions = {
  direction: { value: 'pub|sub', line: 'who sent the bytes: the publisher, unless told, or the subscriber' },
  modes: { value: 'HEX', line: 'the operational modes that the subscriber had sent; E0000262 unless told' },
  'no-time': { line: 'the subscriber had asked for compact measurements without a time' },
  milliseconds: { line: 'the subscriber had asked for times of whole milliseconds' },
} as const

type Options = ReadonlyMap<string, string | true>

/** Captured bytes of one direction as JSON lines. */
export async function* decode(
  bytes: AsyncIterable<Uint8Array>,
  options: Options,
): AsyncGenerator<object, void, undefined> {
  const lines = directionOf(options) === 'sub' ? new CommandLines() : responseLines(options)
  for await (const chunk of bytes) yield* lines.take(chunk)
  yield* lines.end()
}

/**
 * A raw capture of a subscriber as JSON lines, each with the number of its connection, in the order of the capture.
 * What was sent says what the options say otherwise, and to which connection a channel of datagrams belongs.
 */
export async function* decodeCapture(
  items: AsyncIterable<CaptureItem>,
  options: Options,
): AsyncGenerator<object, void, undefined> {
  const signals = new Map<string, number>()
  const connections = new Map<number, CapturedConnection>()
  let withChannel: CapturedConnection | undefined
  for await (const item of items) {
    const { channel, kind } = item
    let connection = connections.get(channel) ?? (kind === CAPTURE_KIND.datagram ? withChannel : undefined)
    connection ??= new CapturedConnection(channel, options, signals)
    connections.set(channel, connection)
    for (const line of connection.take(item)) yield { ...line, channel }
    if (kind === CAPTURE_KIND.stream && connection.hasDataChannel) withChannel = connection
  }
  for (const connection of new Set(connections.values())) {
    for (const line of connection.end()) yield { ...line, channel: connection.channel }
  }
}

/** One connection of a capture: what its subscriber asked for says how the publisher's bytes are read. */
class CapturedConnection {
  /** The channel of its stream. */
  readonly channel: number
  /** Whether it asked for a channel of datagrams. */
  hasDataChannel = false
  readonly #options: Options
  readonly #commands = new CommandLines()
  readonly #responses: ResponseLines

  constructor(channel: number, options: Options, signals: Map<string, number>) {
    this.channel = channel
    this.#options = options
    this.#responses = responseLines(options, signals)
  }

  *take({ direction, kind, bytes }: CaptureItem): Generator<object, void, undefined> {
    if (kind === CAPTURE_KIND.datagram) yield* this.#responses.takeDatagram(bytes)
    else if (direction === 'received') yield* this.#responses.take(bytes)
    else {
      for (const line of this.#commands.take(bytes)) {
        this.#learn(line)
        yield line
      }
    }
  }

  *end(): Generator<object, void, undefined> {
    yield* this.#commands.end()
    yield* this.#responses.end()
  }

  #learn({ fields }: { fields?: { modes?: number; subscription?: SttpSubscription } }): void {
    const { modes, subscription } = fields ?? {}
    if (modes !== undefined && !this.#options.has('modes')) this.#responses.setModes(modes)
    if (subscription === undefined) return
    const { includeTime, useMillisecondResolution, dataChannel } = subscription
    const hasTime = !this.#options.has('no-time') && includeTime !== false
    this.#responses.setTimeForm(hasTime, this.#options.has('milliseconds') || useMillisecondResolution === true)
    this.hasDataChannel = dataChannel !== undefined
  }
}

function responseLines(options: Options, signals?: Map<string, number>): ResponseLines {
  const lines = new ResponseLines(modesOf(options.get('modes')), signals)
  lines.setTimeForm(!options.has('no-time'), options.has('milliseconds'))
  return lines
}

function directionOf(options: Options): 'pub' | 'sub' {
  const direction = options.get('direction') ?? 'pub'
  if (direction === 'pub' || direction === 'sub') return direction
  throw sttpError('ERR_STTP_DECODE_OPTION', `direction is pub or sub, not ${direction}`)
}

function modesOf(text: string | true | undefined): number {
  if (text === undefined) return operationalModes('tssc')
  const word = /^(?:0x)?([0-9a-f]{1,8})$/i.exec(String(text))?.[1]
  if (word === undefined) throw sttpError('ERR_STTP_DECODE_OPTION', `modes are 8 hexadecimal digits, not ${text}`)
  return Number.parseInt(word, 16)
}
