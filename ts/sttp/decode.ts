import { type Block, TIME_UNKNOWN } from '../batch/index.js'
import { type SttpCommand, type SttpControl, type SttpSubscription, SttpUplink, sttpCodeName } from './codec.js'
import { sttpError } from './error-codes.js'
import { guidText } from './measurement.js'
import { operationalModes } from './subscription.js'
import { Ticks } from './ticks.js'
import { WireReader } from './wire-reader.js'

/** The options of `measurand decode sttp`. */
export const decodeOptions = {
  direction: { value: 'pub|sub', line: 'who sent the bytes: the publisher, unless told, or the subscriber' },
  modes: { value: 'HEX', line: 'the operational modes that the subscriber had sent; E0000262 unless told' },
  'no-time': { line: 'the subscriber had asked for compact measurements without a time' },
  milliseconds: { line: 'the subscriber had asked for times of whole milliseconds' },
} as const

/** A signal under a wire index of one cache. */
interface Entry {
  readonly signalIndex: number
  readonly id: string
  readonly signal: number
}

/** Captured bytes of one direction as JSON lines. */
export async function* decode(
  bytes: AsyncIterable<Uint8Array>,
  options: ReadonlyMap<string, string | true>,
): AsyncGenerator<object, void, undefined> {
  const direction = options.get('direction') ?? 'pub'
  if (direction === 'sub') yield* decodeCommands(bytes)
  else if (direction === 'pub') yield* decodeResponses(bytes, options)
  else throw sttpError('ERR_STTP_DECODE_OPTION', `direction is pub or sub, not ${direction}`)
}

/**
 * A raw capture of a subscriber says itself what the options say otherwise: what it sent is read first, and the modes
 * and the form of times that it asked for go for what it received.
 */
export function captureOptions(options: ReadonlyMap<string, string | true>) {
  const received = new Map(options).set('direction', 'pub')
  const learn = (line: object): void => {
    const { fields } = line as { fields?: { modes?: number; subscription?: SttpSubscription } }
    if (fields?.modes !== undefined && !options.has('modes')) received.set('modes', fields.modes.toString(16))
    if (fields?.subscription?.includeTime === false) received.set('no-time', true)
    if (fields?.subscription?.useMillisecondResolution) received.set('milliseconds', true)
  }
  return [
    { direction: 'sent' as const, options: new Map(options).set('direction', 'sub'), learn },
    { direction: 'received' as const, options: received },
  ]
}

async function* decodeResponses(
  bytes: AsyncIterable<Uint8Array>,
  options: ReadonlyMap<string, string | true>,
): AsyncGenerator<object, void, undefined> {
  const reader = new WireReader({ modes: modesOf(options.get('modes')), reportPackets: true })
  reader.downlink.setTimeForm(!options.has('no-time'), options.has('milliseconds'))
  const lines = new Lines()
  let length = 0
  for await (const chunk of bytes) {
    length += chunk.length
    for (const item of reader.read(chunk)) {
      switch (item.kind) {
        case 'rows':
          yield* lines.measurements(item.block)
          break
        case 'control':
          yield lines.control(item.control, reader)
          break
        case 'fault':
          yield malformed(item.fault)
          break
        case 'lost':
          yield malformed(item.fault)
          return
      }
    }
  }
  const rest = reader.downlink.pendingBytes
  if (rest > 0) yield malformed({ code: 'ERR_STTP_FRAME_TRUNCATED', offset: length - rest, length: rest })
}

async function* decodeCommands(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<object, void, undefined> {
  const uplink = new SttpUplink()
  let length = 0
  for await (const chunk of bytes) {
    length += chunk.length
    uplink.decode(chunk)
    for (let command = uplink.takeCommand(); command !== null; command = uplink.takeCommand()) {
      yield commandLine(command)
      if (command.type === 'lost') return
    }
  }
  const rest = uplink.pendingBytes
  if (rest > 0) yield malformed({ code: 'ERR_STTP_FRAME_TRUNCATED', offset: length - rest, length: rest })
}

/** A command as a JSON line. */
export function commandLine(command: SttpCommand): object {
  const { type, offset = 0, length = 0, error, message, ...fields } = command
  if (error !== undefined) return malformed({ code: error, offset, length })
  const base = { event: 'message', system: 'sttp', direction: 'sub', offset, length }
  return { ...base, type: commandName(command), fields: plain(fields) }
}

/** The standard's name of a command. */
export function commandName({ type, code, number }: SttpCommand): string {
  if (type === 'other') return sttpCodeName(code ?? 0)
  if (type === 'userCommand') return sttpCodeName(0xd0 | (number ?? 0))
  return capitalized(type)
}

/** The standard's name of a response; other names of what a downlink tells stay. */
export function responseName({ type, code, number }: SttpControl): string {
  switch (type) {
    case 'metadata':
      return 'Succeeded'
    case 'signalIndexCache':
      return 'UpdateSignalIndexCache'
    case 'baseTimes':
      return 'UpdateBaseTimes'
    case 'cipherKeys':
      return 'UpdateCipherKeys'
    case 'packet':
      return 'DataPacket'
    case 'notification':
      return 'Notify'
    case 'noOp':
      return 'NoOP'
    case 'userResponse':
      return sttpCodeName(0xe0 | (number ?? 0))
    case 'other':
      return sttpCodeName(code ?? 0)
    default:
      return capitalized(type)
  }
}

/** Makes lines of what a publisher sent; knows the signals of every cache that came. */
class Lines {
  readonly #entries: Entry[] = []
  readonly #signals = new Map<string, number>()
  #losses = 0

  control(control: SttpControl, reader: WireReader): object {
    const { type, offset = 0, length = 0 } = control
    if (type === 'loss') return this.#loss(control)
    const base = { event: 'message', system: 'sttp', direction: 'pub', offset, length, type: responseName(control) }
    if (type === 'signalIndexCache') return { ...base, fields: this.#cache(control, reader) }
    if (type === 'metadata') {
      const payload = control.payload as Uint8Array
      const isGzip = payload[0] === 0x1f && payload[1] === 0x8b
      return { ...base, fields: { command: 'MetadataRefresh', bytes: payload.length, gzip: isGzip } }
    }
    if (type === 'cipherKeys') return { ...base, fields: { active: control.active } }
    const { command, type: _, offset: __, length: ___, ...fields } = control
    const answered = command === undefined ? {} : { command: sttpCodeName(command) }
    return { ...base, fields: Object.assign(answered, plain(fields)) }
  }

  *measurements(block: Block): Generator<object, void, undefined> {
    const raw = block.rawTime
    const hasRaw = block.present !== 0
    for (let row = 0; row < block.count; row++) {
      const { signalIndex, id, signal } = this.#entries[block.signal[row] as number] as Entry
      const time = block.time[row] as bigint
      const isUnknown = time === TIME_UNKNOWN
      const ticks = hasRaw ? (raw[row] as bigint) : isUnknown ? 0n : Ticks.fromNs(time)
      const value = block.value[row] as number
      yield {
        event: 'measurement',
        source: 'sttp',
        signal,
        id,
        time: isUnknown ? null : String(time),
        value: Number.isFinite(value) ? value : String(value),
        flags: block.flags[row],
        signalIndex,
        signalId: id,
        ticks: String(ticks),
      }
    }
  }

  /** The cache's records; each gets a row of its own, because a signal may have another index in another cache. */
  #cache(control: SttpControl, { downlink }: WireReader): object {
    const ids = control.signalIds as Uint8Array
    const indexes = control.indexes as Int32Array
    const sources = control.sources as string[]
    const keys = control.keyIds as BigUint64Array
    const first = this.#entries.length
    const records = sources.map((source, record) => {
      const id = guidText(ids.subarray(record * 16, record * 16 + 16))
      const signal = this.#signals.get(id) ?? this.#signals.size
      this.#signals.set(id, signal)
      const signalIndex = indexes[record] as number
      this.#entries.push({ signalIndex, id, signal })
      return { signalIndex, signalId: id, source, id: String(keys[record]) }
    })
    downlink.assignRows(Uint32Array.from(records, (_, record) => first + record))
    const unauthorized = control.unauthorized as Uint8Array
    return {
      cacheIndex: control.cacheIndex,
      subscriberId: guidText(control.subscriberId as Uint8Array),
      records,
      unauthorized: Array.from({ length: unauthorized.length / 16 }, (_, at) =>
        guidText(unauthorized.subarray(at * 16)),
      ),
    }
  }

  #loss({ cause, firstSequence, lastSequence, measurements, bytes }: SttpControl): object {
    return {
      event: 'loss',
      id: ++this.#losses,
      source: 'sttp',
      signal: null,
      first_seq: firstSequence === undefined ? null : String(firstSequence),
      last_seq: lastSequence === undefined ? null : String(lastSequence),
      from: null,
      to: null,
      count: measurements ?? null,
      bytes: bytes ?? null,
      cause: cause === 'missing' ? 'wire' : 'decoder',
      at: null,
      recovered: 0,
    }
  }
}

function malformed({ code, offset, length }: { code: string; offset: number; length: number }): object {
  return { event: 'malformed', code, offset, length }
}

/** Values as JSON has them: 64-bit integers as text, binary as hex. */
function plain(value: object): object
function plain(value: unknown): unknown
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]))
  }
  return value
}

function capitalized(name: string): string {
  return (name[0] ?? '').toUpperCase() + name.slice(1)
}

function modesOf(text: string | true | undefined): number {
  if (text === undefined) return operationalModes('tssc')
  const word = /^(?:0x)?([0-9a-f]{1,8})$/i.exec(String(text))?.[1]
  if (word === undefined) throw sttpError('ERR_STTP_DECODE_OPTION', `modes are 8 hexadecimal digits, not ${text}`)
  return Number.parseInt(word, 16)
}
