import { sessionError } from './error-codes.js'

/** Which numbers an option may be. */
export interface NumberRange {
  readonly min: number
  readonly max: number
  readonly isWhole?: boolean
}

/** Bytes or rows at most. Native code would take -1, 1.9 and NaN for other numbers. */
export const COUNT: NumberRange = { min: 1, max: 0xffff_ffff, isWhole: true }

/** ms that a clock counts. */
export const WAIT: NumberRange = { min: 0, max: Number.MAX_SAFE_INTEGER }

/** ms that a socket is given: a timer of Node's that is told to wait longer fires at once. */
export const TIMEOUT: NumberRange = { min: 0, max: 0x7fff_ffff }

/** Refuses options that are not the numbers that they can be; what is not told is none of them. */
export function checkNumbers<Options extends object>(
  options: Options,
  ranges: { readonly [Name in keyof Options]?: NumberRange },
): void {
  for (const [name, { min, max, isWhole }] of Object.entries(ranges) as [string, NumberRange][]) {
    const value = (options as Record<string, unknown>)[name]
    if (value === undefined) continue
    const isNumber = typeof value === 'number' && (isWhole ? Number.isInteger(value) : true)
    if (isNumber && value >= min && value <= max) continue
    const kind = isWhole ? 'a whole number' : 'a number'
    throw sessionError('ERR_SESSION_OPTION_INVALID', `${name} is ${kind} from ${min} to ${max}, not ${value}`)
  }
}
