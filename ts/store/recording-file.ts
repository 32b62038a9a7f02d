import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileError, storeError } from './error-codes.js'
import { directoryName, uniqueName } from './layout.js'
import { replaceFile } from './state-table.js'

/** The format that this version writes. */
export const FORMAT = 1

/** A source as `recording.json` has it. */
export interface SourceEntry {
  /** Its directory. */
  readonly name: string
  readonly system: string
  /** Where it came from, without secrets. */
  readonly url: string
}

/** What `recording.json` says. */
export interface RecordingFile {
  readonly format: typeof FORMAT
  readonly systems: readonly string[]
  readonly sources: readonly SourceEntry[]
}

/** Reads the `recording.json` of a directory; `undefined` where there is none. */
export async function readRecordingFile(directory: string): Promise<RecordingFile | undefined> {
  const path = join(directory, 'recording.json')
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw fileError(error, 'read', path)
  }
  return parse(text, path)
}

/** Writes the `recording.json` of a directory. */
export function writeRecordingFile(directory: string, sources: readonly SourceEntry[]): Promise<void> {
  const systems = [...new Set(sources.map(({ system }) => system))].sort()
  const file: RecordingFile = { format: FORMAT, systems, sources }
  return replaceFile(join(directory, 'recording.json'), `${JSON.stringify(file, undefined, 2)}\n`)
}

/** The entry of a new source: a directory name that no other has, an address without secrets. */
export function newEntry(source: SourceEntry, others: readonly SourceEntry[]): SourceEntry {
  const taken = others.map(({ name }) => name)
  return { ...source, name: uniqueName(directoryName(source.name), taken), url: withoutSecrets(source.url) }
}

/** An address with its password and secret parameters blanked; what is no URL stays. */
export function withoutSecrets(address: string): string {
  const authority = address.replace(/^([a-z][a-z0-9+.-]*:\/\/[^/@:]*):[^/@]*@/i, '$1:***@')
  return authority.replace(/([?&](?:[a-z-]*(?:secret|password|token|key))=)[^&#]*/gi, '$1***')
}

function parse(text: string, path: string): RecordingFile {
  const malformed = (reason: string) => storeError('ERR_STORE_RECORDING_MALFORMED', `${path}: ${reason}`)
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw malformed((cause as Error).message)
  }
  if (typeof json !== 'object' || json === null) throw malformed('it is no object')
  const { format, systems, sources } = json as Record<string, unknown>
  if (typeof format !== 'number' || !Number.isInteger(format) || format < 1) throw malformed('it has no format')
  if (format > FORMAT) {
    throw storeError('ERR_STORE_FORMAT_NEWER', `${path} has format ${format}; this version reads up to ${FORMAT}`)
  }
  if (!Array.isArray(systems) || !systems.every((system) => typeof system === 'string')) {
    throw malformed('it does not list its systems')
  }
  if (!Array.isArray(sources) || !sources.every(isEntry)) throw malformed('it does not list its sources')
  return { format: FORMAT, systems, sources }
}

/** A name out of a file must not lead out of the recording. */
function isEntry(value: unknown): value is SourceEntry {
  const { name, system, url } = (value ?? {}) as Record<string, unknown>
  const isText = [name, system, url].every((text) => typeof text === 'string')
  return isText && name !== '' && directoryName(name as string) === name
}
