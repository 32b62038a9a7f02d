import { join } from 'node:path'
import { rowsOf } from '../batch/index.js'
import { type Clock, sleep, systemClock } from '../session/clock.js'
import { type StatusEvent, StatusStream } from '../session/status.js'
import { FileReader } from '../store/codec.js'
import { tableFiles } from '../store/layout.js'
import { sourcesOf } from '../store/reader.js'
import { encodeRunMessage } from './codec.js'
import { NewDataRecord } from './data-record.js'
import { cdtpError } from './error-codes.js'
import { type DataMessage, MessageWriter } from './message-writer.js'
import { PushTransport } from './push-transport.js'
import { MessageType } from './record-batch.js'

/** Where something is served, and until when. */
export interface ServingOptions {
  readonly host?: string
  /** 50101 unless told; 0 lets the system choose. */
  readonly port?: number
  readonly signal?: AbortSignal
  readonly clock?: Clock
  /** Told the port. */
  readonly onListening?: (port: number) => void
  /** Told of receivers that come and go, and of a second one. */
  readonly onStatus?: (event: StatusEvent) => void
}

/** Which recording is served. */
export interface RecordingOptions extends ServingOptions {
  /** The recording. */
  readonly directory: string
  /** Its source; the one of Constellation unless told. */
  readonly source?: string
  /** How much faster than it was recorded; as fast as the receiver takes it unless told. */
  readonly speed?: number
}

/** A row of the table `record`. */
interface RecordCells {
  readonly sender: string
  readonly kind: number
  readonly seq: bigint
  readonly rx: bigint
  readonly tags: Uint8Array
  readonly blocks: readonly Uint8Array[]
}

/** KiB of payload at which a message is sent, as the framework does. */
const THRESHOLD = 128 * 1024
const EMPTY_MAP = Uint8Array.of(0x80)

/**
 * Serves the runs of a recording to one receiver: the same senders, numbers, tags and blocks, byte for byte, in the order
 * in which they were stored. What was missing is missing again.
 *
 * @returns the records sent
 */
export async function serveRecording(options: RecordingOptions): Promise<bigint> {
  const { directory, host = '127.0.0.1', port = 50_101, signal, clock = systemClock } = options
  const source = await sourceOf(directory, options.source)
  const path = join(directory, source)
  const files = (await tableFiles(path)).filter(({ table }) => table === 'record')
  const transport = await PushTransport.bind({ host, port })
  const status = new StatusStream(source, clock)
  if (options.onStatus !== undefined) status.on(options.onStatus)
  transport.watch(source, status)
  const closed = new Promise<void>((resolve) => transport.start({ onChunk: () => {}, onClose: () => resolve() }))
  const stop = (): void => transport.close()
  signal?.addEventListener('abort', stop, { once: true })
  const replay = new Replay(transport, closed)
  const pace = new Pace(options.speed, clock)
  try {
    options.onListening?.(transport.localPort)
    for (const file of files) {
      const reader = new FileReader(file.path)
      for (let batch = await reader.takeColumns(); batch !== null; batch = await reader.takeColumns()) {
        for (const row of rowsOf(batch)) {
          const cells = row as unknown as RecordCells
          if (pace.isEarly(cells.rx)) {
            await replay.flush()
            await pace.wait(cells.rx, signal)
          }
          await replay.take(cells)
          if (replay.hasBegun) pace.begin(cells.rx)
          if (signal?.aborted) return replay.records
        }
      }
    }
    await replay.flush()
    return replay.records
  } catch (error) {
    if (signal?.aborted) return replay.records
    throw error
  } finally {
    signal?.removeEventListener('abort', stop)
    transport.end()
  }
}

async function sourceOf(directory: string, wanted: string | undefined): Promise<string> {
  const own = (await sourcesOf(directory)).filter(({ system }) => system === 'cdtp').map(({ name }) => name)
  const found = wanted === undefined ? own[0] : own.find((name) => name === wanted)
  if (found !== undefined && (wanted !== undefined || own.length === 1)) return found
  const names = own.join(', ') || 'none'
  throw cdtpError(
    'ERR_CDTP_OPTION_INVALID',
    `which source of ${directory}? --source NAME; of Constellation are ${names}`,
  )
}

/** Turns rows into the messages that they came in, a sender's after the other. */
class Replay {
  /** DATA records that were sent. */
  records = 0n
  /** Whether a receiver has taken a message. */
  hasBegun = false
  readonly #transport: PushTransport
  readonly #closed: Promise<void>
  readonly #writers = new Map<string, MessageWriter>()
  /** The first row of a BOR or an EOR, which waits for the second. */
  #half: RecordCells | undefined

  constructor(transport: PushTransport, closed: Promise<void>) {
    this.#transport = transport
    this.#closed = closed
  }

  async take(row: RecordCells): Promise<void> {
    if (row.kind !== MessageType.DATA) return this.#frame(row)
    let writer = this.#writers.get(row.sender)
    if (writer === undefined) {
      writer = new MessageWriter(row.sender, THRESHOLD)
      this.#writers.set(row.sender, writer)
    }
    if (row.seq > Number.MAX_SAFE_INTEGER) {
      throw cdtpError('ERR_CDTP_OPTION_INVALID', `record ${row.seq} of ${row.sender} has a number beyond 2^53`)
    }
    const record = new NewDataRecord(Number(row.seq), row.tags.length === 0 ? EMPTY_MAP : row.tags)
    for (const block of row.blocks) record.addBlock(block)
    if (!writer.fits(record)) await this.#data(writer.finish())
    writer.append(record)
    if (writer.payloadBytes >= THRESHOLD) await this.#data(writer.finish())
  }

  /** Sends what has gathered. */
  async flush(): Promise<void> {
    for (const writer of this.#writers.values()) await this.#data(writer.finish())
  }

  async #frame(row: RecordCells): Promise<void> {
    if (row.seq === 0n) {
      this.#half = row
      return
    }
    const tags = this.#half?.sender === row.sender && this.#half.kind === row.kind ? this.#half.tags : EMPTY_MAP
    this.#half = undefined
    await this.#data(this.#writers.get(row.sender)?.finish())
    await this.#send(encodeRunMessage(row.sender, row.kind, tags, row.tags))
  }

  async #data(message: DataMessage | undefined): Promise<void> {
    if (message === undefined) return
    await this.#send(message.bytes)
    this.records += BigInt(message.records)
  }

  async #send(bytes: Uint8Array): Promise<void> {
    const sent = new Promise<void>((resolve) => this.#transport.write(bytes, resolve))
    await Promise.race([sent, this.#closed])
    this.hasBegun = true
  }
}

/** Holds rows back to the times at which they had come, counted from when a receiver is there. */
class Pace {
  readonly #speed: number | undefined
  readonly #clock: Clock
  #begin: { readonly rx: bigint; readonly at: number } | undefined

  constructor(speed: number | undefined, clock: Clock) {
    this.#speed = speed
    this.#clock = clock
  }

  /** The row of this time was sent just now; the first call counts. */
  begin(rx: bigint): void {
    this.#begin ??= { rx, at: this.#clock.elapsed() }
  }

  isEarly(rx: bigint): boolean {
    return this.#left(rx) > 1
  }

  async wait(rx: bigint, signal: AbortSignal | undefined): Promise<void> {
    await sleep(this.#clock, this.#left(rx), signal).catch(() => {})
  }

  #left(rx: bigint): number {
    if (this.#speed === undefined || this.#begin === undefined) return 0
    return this.#begin.at + Number(rx - this.#begin.rx) / 1e6 / this.#speed - this.#clock.elapsed()
  }
}
