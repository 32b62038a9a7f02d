import { ingestError } from './error-codes.js'

const FORM = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?(Z|[+-]\d\d:\d\d)?$/i
const MS = 1_000_000n

/**
 * ns since 1970-01-01 UTC of a time as people write it: `2024-01-01`, `2024-01-01T12:00:00.123456789Z`, with an
 * offset, or as the whole number of nanoseconds itself. Without an offset it is UTC.
 */
export function parseTime(name: string, text: string): bigint {
  if (/^-?\d{5,}$/.test(text)) return BigInt(text)
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', zone = 'Z'] =
    FORM.exec(text) ?? []
  const ms =
    year === undefined
      ? Number.NaN
      : Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}${zone.toUpperCase()}`)
  // Date takes 30 February for 1 March.
  const isThere =
    !Number.isNaN(ms) && new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() === Number(day)
  if (isThere) return BigInt(ms) * MS + BigInt(fraction.padEnd(9, '0'))
  throw ingestError(
    'ERR_INGEST_OPTION_INVALID',
    `${name} takes a time as 2024-01-01T12:00:00Z, or nanoseconds, not ${text}`,
  )
}
