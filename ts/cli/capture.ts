import { createWriteStream, type WriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import { pipeline, type SourceUrl } from '../ingest/index.js'
import {
  CAPTURE_MAGIC,
  CapturingNetwork,
  captureBytes,
  type Network,
  type Sink,
  type Source,
  systemClock,
  systemNetwork,
} from '../session/index.js'
import type { Command } from './command.js'
import { cliError } from './error-codes.js'
import { showProgress } from './progress.js'
import { open, pipelineOptions, SOURCE_OPTIONS, urlsOf } from './source-options.js'
import { summarize } from './summary.js'

/** Systems that show their bytes to a network of ours. */
const CAPTURED = ['cdtp', 'sttp', 'tia']

export const command: Command = {
  usage: 'URL -o FILE',
  line: 'writes the raw bytes of a source with time and direction, as they are read and sent',
  takesUrls: true,
  options: {
    out: { value: 'FILE', short: 'o', line: 'the capture; - for stdout is not possible' },
    ...SOURCE_OPTIONS,
  },
  async run(call) {
    const out = call.options.get('out') as string | undefined
    if (out === undefined) throw cliError('ERR_CLI_ARGUMENT_MISSING', 'where to? -o FILE')
    const [url, ...more] = await urlsOf(call)
    if (url === undefined || more.length > 0) throw cliError('ERR_CLI_ARGUMENT_UNEXPECTED', 'one source at a time')
    const capture = new CaptureFile(out, url)
    const source = await open(call, url, { network: capture.network })
    const endProgress = showProgress(call, [source])
    try {
      const result = await pipeline(source, nowhere(source), pipelineOptions(call))
      return await summarize(call, [result], undefined)
    } finally {
      endProgress()
      await source.close()
      await capture.close()
    }
  },
}

/** Takes every batch and keeps none: the capture has the bytes. */
function nowhere(source: Source): Sink {
  let stored = 0
  return {
    write: (batch) => {
      stored += source.countOf(batch)
    },
    get stored() {
      return stored
    },
    close: async () => {},
  }
}

/** A file of raw bytes; it is readable by its owner alone. */
export class CaptureFile {
  readonly network: Network
  readonly #file: WriteStream
  #error: Error | undefined

  constructor(path: string, url: SourceUrl) {
    if (!CAPTURED.includes(url.scheme)) {
      throw cliError('ERR_CLI_OPTION_INVALID', `${url.scheme}:// cannot be captured; ${CAPTURED.join(', ')} can`)
    }
    this.#file = createWriteStream(path, { mode: 0o600, highWaterMark: 1 << 20 })
    this.#file.on('error', (error) => {
      this.#error = error
    })
    this.#file.write(CAPTURE_MAGIC)
    this.network = new CapturingNetwork(systemNetwork, systemClock, (item) => this.#file.write(captureBytes(item)))
  }

  /** Resolves when everything is written; rejects where it could not be. */
  async close(): Promise<void> {
    this.#file.end()
    await finished(this.#file).catch(() => {})
    if (this.#error !== undefined) {
      throw cliError('ERR_CLI_FILE_UNWRITABLE', this.#error.message, { cause: this.#error })
    }
  }
}
