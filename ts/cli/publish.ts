import { createInterface } from 'node:readline'
import { SourceUrl } from '../ingest/index.js'
import { publish } from '../stream-sea/index.js'
import { placeOptions, remoteOf } from '../stream-sea/place.js'
import { type Command, EXIT } from './command.js'
import { cliError } from './error-codes.js'

const BATCH = 1000

export const command: Command = {
  usage: 'streamsea://ID@host:port/STREAM',
  line: 'publishes JSON lines from the standard input to a stream, each line a message',
  options: {
    ...placeOptions,
    batch: { value: 'N', line: `lines of one publish (default ${BATCH}); 1 publishes each by itself` },
  },
  async run(call) {
    const [text, ...rest] = call.args
    if (text === undefined) throw cliError('ERR_CLI_ARGUMENT_MISSING', 'where to? streamsea://ID@host:port/STREAM')
    if (rest.length > 0) throw cliError('ERR_CLI_ARGUMENT_UNEXPECTED', `what is ${rest[0]}?`)
    const size = Number(call.options.get('batch') ?? BATCH)
    if (!Number.isInteger(size) || size < 1) throw cliError('ERR_CLI_OPTION_INVALID', '--batch takes a number from 1')
    const options = [...call.options].filter(([name]) => Object.hasOwn(placeOptions, name))
    const url = new SourceUrl(
      text,
      options.map(([name, value]) => [name, value === true ? '1' : value] as const),
    )
    url.check(placeOptions)
    const remote = { ...(await remoteOf(url)), stream: url.path }
    const start = performance.now()
    let [published, number] = [0, 0]
    let lines: string[] = []
    const send = async (): Promise<void> => {
      if (lines.length === 0) return
      // The lines go out as they are, so that no number changes.
      await publish({ ...remote, payloadText: `[${lines.join(',')}]` })
      published += lines.length
      lines = []
    }
    try {
      for await (const line of createInterface({ input: call.stdin, signal: call.signal })) {
        number++
        if (line.trim() === '') continue
        checkLine(line, number)
        if (lines.push(line) >= size) await send()
      }
      await send()
    } finally {
      const seconds = (performance.now() - start) / 1000
      if (call.json) await call.out.json({ event: 'published', stream: url.path, published, seconds })
      else call.err.write(`published ${published} messages in ${seconds.toFixed(3)} s\n`)
    }
    return call.signal.aborted ? EXIT.interrupted : EXIT.done
  },
}

/** A line is one message: what is no JSON, or several messages, is not sent. */
function checkLine(line: string, number: number): void {
  try {
    JSON.parse(line)
  } catch (cause) {
    throw cliError('ERR_CLI_INPUT_MALFORMED', `line ${number} is no JSON: ${(cause as Error).message}`, { cause })
  }
}
