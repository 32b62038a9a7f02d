import { MeasurandError, StorageError, UsageError } from '../session/index.js'
import { EXIT } from './command.js'

/** Codes that say that something could not be written. */
const SINK_CODES = new Set([
  'ERR_CLI_FILE_UNWRITABLE',
  'ERR_CLI_OUTPUT_FAILED',
  'ERR_INGEST_BOOKS_UNBALANCED',
  'ERR_INGEST_SINK_FAILED',
  'ERR_STORE_DISK_FULL',
  'ERR_STORE_UNWRITABLE',
])

/** Codes of malformed bytes that are a file's. */
const FILE_CODES = new Set(['ERR_SESSION_CAPTURE_FORMAT'])

/** The exit code of an error that a source, or a file that was to be read, has raised. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof MeasurandError)) return EXIT.usage
  if (SINK_CODES.has(error.code)) return EXIT.sink
  if (FILE_CODES.has(error.code)) return EXIT.usage
  return error instanceof UsageError || error instanceof StorageError ? EXIT.usage : EXIT.source
}

/** The exit code of an error that a sink has raised. */
export function sinkExitCodeOf(error: unknown): number {
  return error instanceof UsageError ? EXIT.usage : EXIT.sink
}

/** The text of an error, with its code. */
export function describe(error: unknown): string {
  if (error instanceof MeasurandError) return `${error.message} (${error.code})`
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
