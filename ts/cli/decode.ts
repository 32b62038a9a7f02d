import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import type { OptionTable } from '../ingest/index.js'
import { CAPTURE_MAGIC, type CaptureItem, captureItems } from '../session/index.js'
import type { Call, Command } from './command.js'
import { EXIT } from './command.js'
import { cliError } from './error-codes.js'

/** What `decode.ts` of a system exports. */
export interface DecodeModule {
  /** The options of `measurand decode SYSTEM`. */
  readonly decodeOptions: OptionTable
  /**
   * Captured bytes of one direction as JSON lines: `message`, `measurement`, `record`, `event`, `malformed`. Malformed
   * bytes are lines too; nothing that bytes hold makes it throw.
   */
  decode(bytes: AsyncIterable<Uint8Array>, options: ReadonlyMap<string, string | true>): AsyncIterable<object>
  /** A raw capture, of whatever connections it is, as such lines. */
  decodeCapture(items: AsyncIterable<CaptureItem>, options: ReadonlyMap<string, string | true>): AsyncIterable<object>
}

/** Systems whose bytes are read: a system adds its line. */
const SYSTEMS: Readonly<Record<string, () => Promise<DecodeModule>>> = {
  cdtp: () => import('../cdtp/decode.js'),
  sisock: () => import('../sisock/decode.js'),
  'stream-sea': () => import('../stream-sea/decode.js'),
  sttp: () => import('../sttp/decode.js'),
  tia: () => import('../tia/decode.js'),
}

/** The systems whose bytes are read. */
const DECODABLE: readonly string[] = Object.keys(SYSTEMS)

export const command: Command = {
  usage: `${DECODABLE.join('|')} [FILE...|-]`,
  line: 'prints captured bytes of a system as JSON lines; exits 1 if any were malformed',
  options: {},
  async optionsOf(args) {
    const system = args.find((argument) => Object.hasOwn(SYSTEMS, argument))
    return system === undefined ? {} : (await load(system)).decodeOptions
  },
  async run(call) {
    const [system, ...files] = call.args
    if (system === undefined) throw cliError('ERR_CLI_ARGUMENT_MISSING', `of which system? ${DECODABLE.join(', ')}`)
    const module = await load(system)
    let code: number = EXIT.done
    for (const file of files.length === 0 ? ['-'] : files) {
      for await (const line of linesOf(call, module, file)) {
        if ((line as { event?: unknown }).event === 'malformed') code = EXIT.usage
        await call.out.json(line)
        if (call.out.isOver || call.signal.aborted) return call.signal.aborted ? EXIT.interrupted : code
      }
    }
    return code
  },
}

async function* linesOf(call: Call, module: DecodeModule, file: string): AsyncIterable<object> {
  if (file !== '-' && (await isCapture(file))) {
    yield* module.decodeCapture(captureItems(bytesOf(call, file)), call.options)
  } else yield* module.decode(bytesOf(call, file), call.options)
}

async function isCapture(file: string): Promise<boolean> {
  const handle = await open(file).catch((cause: Error) => {
    throw cliError('ERR_CLI_FILE_UNREADABLE', `${file}: ${cause.message}`, { cause })
  })
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(CAPTURE_MAGIC.length), 0, CAPTURE_MAGIC.length, 0)
    return bytesRead === CAPTURE_MAGIC.length && buffer.equals(CAPTURE_MAGIC)
  } finally {
    await handle.close()
  }
}

async function load(system: string): Promise<DecodeModule> {
  const module = Object.hasOwn(SYSTEMS, system) ? SYSTEMS[system] : undefined
  if (module !== undefined) return module()
  throw cliError('ERR_CLI_SYSTEM_UNKNOWN', `decode does not know ${system}; it knows ${DECODABLE.join(', ')}`)
}

async function* bytesOf(call: Call, file: string): AsyncIterable<Uint8Array> {
  try {
    for await (const chunk of file === '-' ? call.stdin : createReadStream(file)) {
      yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    }
  } catch (cause) {
    throw cliError('ERR_CLI_FILE_UNREADABLE', `${file}: ${(cause as Error).message}`, { cause })
  }
}
