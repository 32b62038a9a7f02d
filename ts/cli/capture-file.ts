import { closeSync, openSync, writevSync } from 'node:fs'
import type { Batch } from '../batch/index.js'
import { loadSystem, type OptionTable, type SourceUrl } from '../ingest/index.js'
import {
  CAPTURE_MAGIC,
  type CaptureItem,
  CapturingNetwork,
  captureBytes,
  type MeasurandError,
  type Network,
  type Sink,
  type Source,
  systemClock,
  systemNetwork,
} from '../session/index.js'
import type { Call } from './command.js'
import { cliError } from './error-codes.js'

/** Bytes that are written together. */
const GATHERED_BYTES = 1 << 20
/** How long bytes may wait for others, ms. */
const DELAY = 250

/** Options of every command that captures. */
export const CAPTURE_OPTIONS: OptionTable = {
  redact: { line: 'blanks what authenticates or deciphers in the capture' },
}

/**
 * A file of raw bytes, readable by its owner alone. It is written in the turn in which the bytes come, so that a source
 * cannot be faster than the disk: nothing heaps up. As a sink it keeps no rows: the file has the bytes.
 */
export class CaptureFile implements Sink {
  readonly network: Network
  stored = 0
  readonly #path: string
  #file: number | undefined
  readonly #redact: (item: CaptureItem) => CaptureItem
  #gathered: Buffer[] = []
  #bytes = 0
  #timer: NodeJS.Timeout | undefined
  #error: MeasurandError | undefined

  private constructor(path: string, redact: (item: CaptureItem) => CaptureItem) {
    this.#path = path
    this.#redact = redact
    try {
      this.#file = openSync(path, 'w', 0o600)
    } catch (cause) {
      throw this.#unwritable(cause as Error)
    }
    this.#gather(CAPTURE_MAGIC)
    this.network = new CapturingNetwork(systemNetwork, systemClock, (item) => this.#take(item))
  }

  /** Begins a capture of a source that is to be opened with its network. */
  static async open(call: Call, path: string, url: SourceUrl): Promise<CaptureFile> {
    if (path === '-') throw cliError('ERR_CLI_OPTION_INVALID', 'a capture goes to a file, not to stdout')
    const { redactor } = await loadSystem(url.scheme)
    if (redactor === undefined) throw cliError('ERR_CLI_OPTION_INVALID', `${url.scheme}: cannot be captured`)
    return new CaptureFile(path, call.options.has('redact') ? redactor() : (item) => item)
  }

  /** Counts the rows whose bytes are captured; rejects where they could not be written. */
  write(batch: Batch, source: Source): void {
    if (this.#error !== undefined) throw this.#error
    this.stored += source.countOf(batch)
  }

  /** Writes the rest; rejects where something could not be written. */
  async close(): Promise<void> {
    this.#flush()
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
    if (this.#error !== undefined) throw this.#error
  }

  #take(item: CaptureItem): void {
    if (this.#error === undefined && this.#file !== undefined) this.#gather(captureBytes(this.#redact(item)))
  }

  #gather(bytes: Buffer): void {
    this.#gathered.push(bytes)
    this.#bytes += bytes.length
    if (this.#bytes >= GATHERED_BYTES) this.#flush()
    else this.#timer ??= setTimeout(() => this.#flush(), DELAY).unref()
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    let rest = this.#gathered
    this.#gathered = []
    this.#bytes = 0
    if (this.#file === undefined) return
    try {
      while (rest.length > 0) rest = behind(rest, writevSync(this.#file, rest))
    } catch (cause) {
      this.#error ??= this.#unwritable(cause as Error)
    }
  }

  #unwritable(cause: Error): MeasurandError {
    return cliError('ERR_CLI_FILE_UNWRITABLE', `${this.#path}: ${cause.message}`, { cause })
  }
}

/** What is left of buffers behind so many bytes. */
function behind(buffers: readonly Buffer[], bytes: number): Buffer[] {
  let skip = bytes
  const rest: Buffer[] = []
  for (const buffer of buffers) {
    if (skip < buffer.length) rest.push(buffer.subarray(skip))
    skip = Math.max(0, skip - buffer.length)
  }
  return rest
}
