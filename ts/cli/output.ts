import { cliError } from './error-codes.js'

const FLUSH_BYTES = 64 * 1024

/**
 * Lines to a stream, gathered into large writes, with the stream's own back-pressure. A reader that went away
 * (`measurand tail ... | head`) is no error: `isOver` says so, and nothing more is written.
 */
export class Output {
  readonly #stream: NodeJS.WritableStream
  #text = ''
  #isScheduled = false
  #error: Error | undefined
  #isOver = false
  #wake: (() => void) | undefined

  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') this.#isOver = true
      else this.#error ??= error
      this.#wake?.()
    })
  }

  /** Whether somebody reads it on a terminal. */
  get isTerminal(): boolean {
    return (this.#stream as { isTTY?: boolean }).isTTY ?? false
  }

  /** Whether the reader went away. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Writes a line; await what it gives, if anything, before the next. */
  line(text: string): Promise<void> | undefined {
    this.#text += `${text}\n`
    if (this.#text.length >= FLUSH_BYTES) {
      const flushed = this.flush()
      // Whoever does not wait hears of it at the end.
      flushed.catch(() => {})
      return flushed
    }
    if (!this.#isScheduled) {
      this.#isScheduled = true
      setImmediate(() => {
        this.#isScheduled = false
        this.flush().catch(() => {})
      })
    }
    return undefined
  }

  /** Writes an object as a JSON line; `bigint` becomes text. */
  json(value: object): Promise<void> | undefined {
    return this.line(JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? String(part) : part)))
  }

  /** Resolves when everything was written; rejects with `ERR_CLI_OUTPUT_FAILED`. */
  async flush(): Promise<void> {
    if (this.#isOver) {
      this.#text = ''
      return
    }
    if (this.#text !== '') {
      const text = this.#text
      this.#text = ''
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        this.#stream.write(text, () => resolve())
      })
    }
    if (this.#error !== undefined) {
      throw cliError('ERR_CLI_OUTPUT_FAILED', `cannot write: ${this.#error.message}`, { cause: this.#error })
    }
  }
}
