import { MeasurandError, StorageError, UsageError } from '../session/index.js'
import { EXIT } from './command.js'

/** The exit code of an error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof StorageError) return EXIT.sink
  if (error instanceof UsageError || !(error instanceof MeasurandError)) return EXIT.usage
  return EXIT.source
}

/** The text of an error, with its code. */
export function describe(error: unknown): string {
  if (error instanceof MeasurandError) return `${error.message} (${error.code})`
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
