import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** What a writer says that ran out of room. */
export interface Limited {
  readonly code: string
  /** Rows that the sink said were stored. */
  readonly stored: number
  /** Rows that could be read afterwards. */
  readonly rows: number
  readonly system: string
}

/** Runs a writer into `directory`, until it is stopped, behind a command that sets the limit. */
export async function limited(command: readonly string[], directory: string): Promise<Limited> {
  const script = join(import.meta.dirname ?? '', 'limited-process.ts')
  const [first, ...rest] = [...command, process.execPath, '--import', 'tsx', script, join(directory, 'rec')]
  const { stdout } = await promisify(execFile)(first as string, rest)
  return JSON.parse(stdout) as Limited
}
