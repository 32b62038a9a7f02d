/** The stream of the benches. */
export const STREAM = 'boiler_data'
export const SECRET = '01234567890123456789'
/** What `n` of the first message is: all have nine digits. */
export const FIRST = 100_000_000

/** A payload of 34 bytes. */
export function message(n: number): string {
  return `{"temperature":91.5,"n":${FIRST + n}}`
}
