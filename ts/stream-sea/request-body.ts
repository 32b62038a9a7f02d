import { promisify } from 'node:util'
import { gunzip, gunzipSync, inflate, inflateSync } from 'node:zlib'
import { Refusal } from './refusal.js'

/** What the body of a request says. */
export type Fields = Record<string, unknown>

/** Bytes of a body that is inflated at once. */
export const SYNC_INFLATE = 16_384
const EMPTY = Buffer.alloc(0)
const gunzipLater = promisify(gunzip)
const inflateLater = promisify(inflate)

/** A body as it was before it was encoded; what is longer than the limit is refused. */
export async function inflateBody(encoding: string, body: Buffer, limit: number): Promise<Buffer> {
  if (body.length <= SYNC_INFLATE) return inflateNow(encoding, body, limit)
  try {
    if (encoding === 'gzip') return await gunzipLater(body, { maxOutputLength: limit })
    if (encoding === 'deflate') return await inflateLater(body, { maxOutputLength: limit })
  } catch (error) {
    throw inflateRefusal(error)
  }
  throw new Refusal(415, `The content encoding [${encoding}] is not known.`)
}

/** {@link inflateBody} for a short body. */
export function inflateNow(encoding: string, body: Buffer, limit: number): Buffer {
  if (body.length === 0) return EMPTY
  try {
    if (encoding === 'gzip') return gunzipSync(body, { maxOutputLength: limit })
    if (encoding === 'deflate') return inflateSync(body, { maxOutputLength: limit })
  } catch (error) {
    throw inflateRefusal(error)
  }
  throw new Refusal(415, `The content encoding [${encoding}] is not known.`)
}

function inflateRefusal(error: unknown): Refusal {
  if ((error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE')
    return new Refusal(413, 'The inflated body is too long.')
  return new Refusal(400, 'The body is not what its content encoding says.')
}

/** The fields of a body that is a JSON object. */
export function fieldsOf(body: Buffer): Fields {
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8'))
  } catch {
    throw new Refusal(400, 'The body is not JSON.')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Refusal(400, 'The body is not a JSON object.')
  return value as Fields
}
