import { createHash } from 'node:crypto'
import { cdtpError } from './error-codes.js'

const WORD = /^[\p{L}\p{N}_]+$/u
const RUN_ID = /^[\p{L}\p{N}_-]+$/u

/** The MD5 of a lower-cased name, as 32 hex digits: what CHIRP knows a group or a host by. */
export function hostId(name: string): string {
  return createHash('md5').update(name.toLowerCase()).digest('hex')
}

/** `Type.Name`, where both are words. */
export function canonicalName(type: string, name: string): string {
  for (const word of [type, name]) {
    if (!WORD.test(word)) throw cdtpError('ERR_CDTP_NAME_SYNTAX', `"${word}" is not letters, digits and _`)
  }
  return `${type}.${name}`
}

/** Whether a run may be called so. */
export function isRunId(text: string): boolean {
  return RUN_ID.test(text)
}
