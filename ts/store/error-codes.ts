import { defineErrors, MeasurandError } from '../session/index.js'

/** Makes the errors of the store. */
export const storeError = defineErrors('store', {
  ERR_STORE_BATCH_SIZE: ['usage', 'A batch counts more rows or bytes than a file can have. Write smaller batches.'],
  ERR_STORE_BATCH_TABLE: ['usage', 'A batch is of a table that a source does not write itself.'],
  ERR_STORE_BOOKS: [
    'storage',
    'The files do not have the rows that were written to them. Audit the recording; please report it.',
  ],
  ERR_STORE_CLOSED: ['usage', 'A closed recording was written to. Open it again.'],
  ERR_STORE_DIRECTORY_FOREIGN: [
    'storage',
    'The directory has files but no recording.json: it is not a recording. Choose an empty or a new directory.',
  ],
  ERR_STORE_DISK_FULL: [
    'storage',
    'The disk, a quota or a limit on file sizes has no room left. What was stored before is whole.',
  ],
  ERR_STORE_FIELD_TYPE: ['usage', 'A column has a type that no table of a recording has.'],
  ERR_STORE_FILE_COLUMNS: ['storage', 'A file has columns that no table of a recording has. It is not of a recording.'],
  ERR_STORE_FILE_DAMAGED: ['storage', 'A file of the recording is damaged and cannot be read to its end.'],
  ERR_STORE_FILE_FOREIGN: ['storage', 'A file is neither an Arrow stream nor a Parquet file of a recording.'],
  ERR_STORE_FILE_MISSING: ['storage', 'A file or directory does not exist. Check the path.'],
  ERR_STORE_FORMAT_NEWER: [
    'storage',
    'The recording was made by a newer measurand; its format is in the text. Update measurand to read it.',
  ],
  ERR_STORE_LOCKED: [
    'storage',
    'Another process writes this recording. Wait for it, or choose another directory; the text has its number.',
  ],
  ERR_STORE_OPTION_INVALID: ['usage', 'An option has a value that it cannot have; the text names it.'],
  ERR_STORE_RECORDING_MALFORMED: ['storage', 'The recording.json cannot be read; the text says why.'],
  ERR_STORE_RECORDING_MISSING: ['storage', 'The directory has no recording.json: it is not a recording.'],
  ERR_STORE_SOURCE_MISSING: ['usage', 'The recording has no source of this name; the text has those that it has.'],
  ERR_STORE_UNREADABLE: ['storage', 'A file or directory cannot be read. Check its owner and mode.'],
  ERR_STORE_UNWRITABLE: ['storage', 'A file or directory cannot be written. Check its owner and mode.'],
})

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** What the file system refused as an error of ours; an error of ours stays what it is. */
export function fileError(cause: unknown, action: 'read' | 'write', path: string): MeasurandError {
  if (cause instanceof MeasurandError) return cause
  const { code, message } = cause as NodeJS.ErrnoException
  const text = `${path}: ${message}`
  if (code !== undefined && FULL.has(code)) return storeError('ERR_STORE_DISK_FULL', text, { cause })
  if (action === 'write') return storeError('ERR_STORE_UNWRITABLE', text, { cause })
  if (code === 'ENOENT') return storeError('ERR_STORE_FILE_MISSING', text, { cause })
  return storeError('ERR_STORE_UNREADABLE', text, { cause })
}

/** Runs work on a file; what the file system refuses becomes an error of ours. */
export async function onFile<T>(action: 'read' | 'write', path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw fileError(error, action, path)
  }
}
