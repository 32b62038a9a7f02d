import { type Block, TIME_UNKNOWN } from '../batch/index.js'
import { type SttpCommand, type SttpControl, type SttpFault, SttpUplink, sttpCodeName } from './codec.js'
import { guidText } from './measurement.js'
import { Ticks } from './ticks.js'
import { type WireItem, WireReader } from './wire-reader.js'

/** What a subscriber sent as JSON lines. */
export class CommandLines {
  readonly #uplink = new SttpUplink()
  /** Bytes that came, and those of them that are whole frames. */
  #length = 0
  #framed = 0
  #lost: string | undefined;

  /** The lines of the next bytes. */
  *take(chunk: Uint8Array): Generator<object, void, undefined> {
    this.#length += chunk.length
    if (this.#lost !== undefined) return
    this.#uplink.decode(chunk)
    for (let command = this.#uplink.takeCommand(); command !== null; command = this.#uplink.takeCommand()) {
      const { type, error, offset = 0, length = 0 } = command
      if (type === 'lost') this.#lost = error as string
      else {
        this.#framed = offset + length
        yield commandLine(command)
      }
    }
  }

  /** The line of what stands at the end and is no message. */
  *end(): Generator<object, void, undefined> {
    yield* rest(this.#lost, this.#framed, this.#length)
  }
}

/** What a publisher sent as JSON lines; knows the signals of every cache that came. */
export class ResponseLines {
  readonly #reader: WireReader
  readonly #entries: Entry[] = []
  /** Rows of signals by their id. */
  readonly #signals: Map<string, number>
  #length = 0
  #losses = 0
  #lost: SttpFault | undefined

  /** @param signals rows of signals by their id, which several connections may share */
  constructor(modes: number, signals = new Map<string, number>()) {
    this.#reader = new WireReader({ modes, reportPackets: true })
    this.#signals = signals
  }

  /** What the subscriber sent as its operational modes. */
  setModes(modes: number): void {
    this.#reader.downlink.setModes(modes)
  }

  /** What the subscriber asked for of compact measurements. */
  setTimeForm(includeTime: boolean, milliseconds: boolean): void {
    this.#reader.downlink.setTimeForm(includeTime, milliseconds)
  }

  /** The lines of the next bytes. */
  *take(chunk: Uint8Array): Generator<object, void, undefined> {
    this.#length += chunk.length
    if (this.#lost === undefined) yield* this.#lines(this.#reader.read(chunk))
  }

  /** The lines of a datagram of the data channel. */
  *takeDatagram(datagram: Uint8Array): Generator<object, void, undefined> {
    yield* this.#lines(this.#reader.readDatagram(datagram))
  }

  /** The line of what stands at the end and is no message. */
  *end(): Generator<object, void, undefined> {
    const framed = this.#lost?.offset ?? this.#length - this.#reader.downlink.pendingBytes
    yield* rest(this.#lost?.code, framed, this.#length)
  }

  *#lines(items: Iterable<WireItem>): Generator<object, void, undefined> {
    for (const item of items) {
      switch (item.kind) {
        case 'rows':
          yield* this.#measurements(item.block)
          break
        case 'control':
          yield this.#control(item.control)
          break
        case 'fault':
          yield malformed(item.fault)
          break
        case 'lost':
          this.#lost = item.fault
          break
      }
    }
  }

  #control(control: SttpControl): object {
    const { type, offset = 0, length = 0 } = control
    if (type === 'loss') return this.#loss(control)
    const base = { event: 'message', system: 'sttp', direction: 'pub', offset, length, type: responseName(control) }
    if (type === 'signalIndexCache') return { ...base, fields: this.#cache(control) }
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

  *#measurements(block: Block): Generator<object, void, undefined> {
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
  #cache(control: SttpControl): object {
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
    this.#reader.downlink.assignRows(Uint32Array.from(records, (_, record) => first + record))
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

/** A signal under a wire index of one cache. */
interface Entry {
  readonly signalIndex: number
  readonly id: string
  readonly signal: number
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

/** A command as a JSON line. */
function commandLine(command: SttpCommand): object {
  const { type, offset = 0, length = 0, error, message, ...fields } = command
  if (error !== undefined) return malformed({ code: error, offset, length })
  const base = { event: 'message', system: 'sttp', direction: 'sub', offset, length }
  return { ...base, type: commandName(command), fields: plain(fields) }
}

/** All that stands behind a frame whose length is none, or the begin of a frame whose end has not come. */
function* rest(code: string | undefined, offset: number, end: number): Generator<object, void, undefined> {
  if (offset < end) yield malformed({ code: code ?? 'ERR_STTP_FRAME_TRUNCATED', offset, length: end - offset })
}

function malformed({ code, offset, length }: Pick<SttpFault, 'code' | 'offset' | 'length'>): object {
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
