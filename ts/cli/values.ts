import { cliError } from './error-codes.js'

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `30s`, `1.5h`, `250ms`, `2d`, or seconds without a unit, as ms. */
export function parseDuration(name: string, text: string): number {
  const [, number, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text) ?? []
  if (number === undefined)
    throw cliError('ERR_CLI_OPTION_INVALID', `--${name} takes a time as 250ms, 30s, 10m or 1h, not ${text}`)
  return Number(number) * (UNITS[unit] as number)
}

const SIZES: Readonly<Record<string, number>> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 }

/** `64MiB`, `2GiB`, or bytes without a unit. */
export function parseBytes(name: string, text: string): number {
  const [, number, unit = 'B'] = /^(\d+(?:\.\d+)?)(B|KiB|MiB|GiB|TiB)?$/.exec(text) ?? []
  if (number === undefined)
    throw cliError('ERR_CLI_OPTION_INVALID', `--${name} takes a size as 64MiB or 2GiB, not ${text}`)
  return Math.floor(Number(number) * (SIZES[unit] as number))
}

/** The folder of a recording, which may be written as the URL that it has as a source: `file:DIR`. */
export function parseFolder(text: string): string {
  return text.replace(/^file:(?:\/\/(?=\/))?/i, '')
}

/** A whole number of at least 0; `_` and `,` may group digits. */
export function parseCount(name: string, text: string): number {
  const count = Number(text.replaceAll(/[_,](?=\d)/g, ''))
  if (/^\d[\d_,]*$/.test(text) && Number.isSafeInteger(count)) return count
  throw cliError('ERR_CLI_OPTION_INVALID', `--${name} takes a whole number, not ${text}`)
}

/** One of a few words. */
export function parseChoice<const T extends string>(name: string, text: string, choices: readonly T[]): T {
  const choice = choices.find((known) => known === text)
  if (choice !== undefined) return choice
  throw cliError('ERR_CLI_OPTION_INVALID', `--${name} takes ${choices.join(', ')}, not ${text}`)
}

/** A number with separated thousands. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US')
}

/** So many things, by their name: `1 file`, `2,000 files`. */
export function formatMany(count: number, thing: string, things = `${thing}s`): string {
  return `${formatCount(count)} ${count === 1 ? thing : things}`
}

/** Bytes in binary units. */
export function formatBytes(bytes: number): string {
  let value = bytes
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    if (value < 1024) return `${value < 10 && unit !== 'B' ? value.toFixed(1) : value.toFixed(0)} ${unit}`
    value /= 1024
  }
  return `${value.toFixed(1)} TiB`
}

/** ns since 1970-01-01 UTC as ISO text with all nine digits. */
export function formatTime(time: bigint): string {
  const seconds = time >= 0n ? time / 1_000_000_000n : -((-time + 999_999_999n) / 1_000_000_000n)
  const rest = time - seconds * 1_000_000_000n
  const date = new Date(Number(seconds) * 1000).toISOString()
  return `${date.slice(0, -5)}.${String(rest).padStart(9, '0')}Z`
}

/** A number as JSON lines have it: NaN and infinities as text. */
export function jsonNumber(value: number): number | string {
  return Number.isFinite(value) ? value : String(value)
}
