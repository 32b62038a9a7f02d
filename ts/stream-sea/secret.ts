import { readFile } from 'node:fs/promises'
import { streamSeaError } from './error-codes.js'

/** A client's secret: the first line of a file, else what `MEASURAND_SECRET` says. */
export async function readSecret(file: string | undefined): Promise<string> {
  let secret: string | undefined
  try {
    secret = file === undefined ? process.env['MEASURAND_SECRET'] : (await readFile(file, 'utf8')).split(/\r?\n/, 1)[0]
  } catch (cause) {
    throw streamSeaError('ERR_STREAMSEA_OPTION_INVALID', `${file} cannot be read: ${(cause as Error).message}`, {
      cause,
    })
  }
  if (secret !== undefined && secret !== '') return secret
  throw streamSeaError(
    'ERR_STREAMSEA_OPTION_INVALID',
    'the client has no secret: --secret-file FILE or MEASURAND_SECRET',
  )
}
