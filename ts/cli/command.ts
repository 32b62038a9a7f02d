import type { OptionTable } from '../ingest/index.js'
import type { Output } from './output.js'

/** Exit codes of the command line. */
export const EXIT = {
  done: 0,
  /** Wrong use or bad input. */
  usage: 1,
  /** The source could not be reached or broke its protocol. */
  source: 2,
  /** Done, but a loss is not fully recovered. */
  incomplete: 3,
  /** The sink failed. */
  sink: 4,
  /** Interrupted, after draining. */
  interrupted: 130,
} as const

/** The streams that a command works with. */
export interface Streams {
  readonly stdin: NodeJS.ReadableStream
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean }
}

/** What a command is called with. */
export interface Call {
  readonly args: readonly string[]
  /** Options by name: text, or `true` for a switch. */
  readonly options: ReadonlyMap<string, string | true>
  /** Whether every line on stdout is a JSON object. */
  readonly json: boolean
  /** Data. */
  readonly out: Output
  /** Everything else. */
  readonly err: Streams['stderr']
  readonly stdin: Streams['stdin']
  /** Aborts at the first Ctrl-C. */
  readonly signal: AbortSignal
}

/** One subcommand. */
export interface Command {
  /** What stands behind its name, as `URL... --out DIR`. */
  readonly usage: string
  /** One line for the list of commands. */
  readonly line: string
  readonly options: OptionTable
  /** Whether it takes URLs, and with them the options of their systems. */
  readonly takesUrls?: boolean
  /** The options that some arguments bring with them. */
  optionsOf?(args: readonly string[]): Promise<OptionTable>
  /** Does it; gives one of {@link EXIT}. */
  run(call: Call): Promise<number>
}
