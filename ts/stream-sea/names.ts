import { streamSeaError } from './error-codes.js'

/** Names of streams, clients, jails and groups. */
const NAME = /^[A-Za-z0-9_.-]{1,200}$/

/** Whether text can be the name of a stream, client, jail or group; `.` and `..` are steps in a path, not names. */
export function isName(text: unknown): text is string {
  return typeof text === 'string' && NAME.test(text) && text !== '.' && text !== '..'
}

/** Gives the name, or throws `ERR_STREAMSEA_NAME_INVALID`. */
export function checkedName(what: string, text: unknown): string {
  if (!isName(text)) throw streamSeaError('ERR_STREAMSEA_NAME_INVALID', `${JSON.stringify(text)} is not a ${what}`)
  return text
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Whether text is a UUID in the 8-4-4-4-12 form. */
export function isUuid(text: unknown): text is string {
  return typeof text === 'string' && UUID.test(text)
}
