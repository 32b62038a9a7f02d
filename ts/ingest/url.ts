import { ingestError } from './error-codes.js'
import type { OptionTable } from './option-table.js'

const FORM = /^([a-z][a-z0-9+.-]*):(.*)$/is
const AUTHORITY = /^(?:([^@]*)@)?(\[[0-9a-f:.%]+\]|[^:[\]]*)(?::(.*))?$/i

/**
 * Where a source is and what is asked of it: `scheme://[user@]host[:port][/path][?option=value&...]`, or
 * `file:FOLDER`. What stands behind `%` is decoded once; `+` is a plus.
 *
 * ```ts
 * const url = new SourceUrl('sttp://127.0.0.1:7165?filter=FILTER ActiveMeasurements WHERE True&encoding=tssc')
 * url.port // 7165
 * url.choice('encoding', ['tssc', 'compact']) // 'tssc'
 * ```
 */
export class SourceUrl {
  /** As it was given. */
  readonly text: string
  readonly scheme: string
  readonly user: string
  /** Without the brackets of an IPv6 address; for `file:` empty. */
  readonly host: string
  readonly port: number | undefined
  /** Without the leading slash; for `file:` the folder. */
  readonly path: string
  readonly options: ReadonlyMap<string, string>

  /** @param more options from elsewhere, which mean the same as those in the URL */
  constructor(text: string, more: Iterable<readonly [name: string, value: string]> = []) {
    this.text = text
    const [, scheme, rest] = FORM.exec(text) ?? []
    if (scheme === undefined || rest === undefined) {
      throw ingestError('ERR_INGEST_URL_SYNTAX', `${text} has no scheme: sources are written scheme://host:port`)
    }
    this.scheme = scheme.toLowerCase()
    const isFile = this.scheme === 'file'
    if (!isFile && rest.includes('#')) {
      throw ingestError('ERR_INGEST_URL_FRAGMENT', `write %23 for the # in ${text}`)
    }
    const queryAt = rest.indexOf('?')
    const place = queryAt < 0 ? rest : rest.slice(0, queryAt)
    const options = new Map(queryAt < 0 ? [] : parseQuery(rest.slice(queryAt + 1)))
    for (const [name, value] of more) {
      if ((options.get(name) ?? value) !== value) {
        throw ingestError(
          'ERR_INGEST_OPTION_TWICE',
          `${name} is ${options.get(name)} in the URL and ${value} in the options`,
        )
      }
      options.set(name, value)
    }
    this.options = options
    if (isFile) {
      this.user = ''
      this.host = ''
      this.port = undefined
      this.path = decode(place.replace(/^\/\/(?=\/|$)/, ''))
      if (this.path === '') throw ingestError('ERR_INGEST_URL_SYNTAX', `${text} names no folder: file:FOLDER`)
      return
    }
    if (!place.startsWith('//')) {
      throw ingestError('ERR_INGEST_URL_SYNTAX', `${text} lacks the // behind ${scheme}:`)
    }
    const slashAt = place.indexOf('/', 2)
    const authority = slashAt < 0 ? place.slice(2) : place.slice(2, slashAt)
    const [, user = '', host = '', port] = AUTHORITY.exec(authority) ?? []
    if (host === '') throw ingestError('ERR_INGEST_URL_SYNTAX', `${text} names no host`)
    if (user.includes(':')) throw ingestError('ERR_INGEST_URL_SECRET', 'a URL of a source has no password')
    this.user = decode(user)
    this.host = decode(host.startsWith('[') ? host.slice(1, -1) : host)
    this.port = port === undefined ? undefined : parsePort(port)
    this.path = slashAt < 0 ? '' : decode(place.slice(slashAt + 1))
  }

  /** The name under which it is stored: scheme, host, port and path. */
  get name(): string {
    const parts = [this.scheme, this.host, this.port ?? '', this.path]
    return parts
      .join('-')
      .replaceAll(/[^A-Za-z0-9]+/g, '-')
      .replaceAll(/^-|-$/g, '')
  }

  /** The URL without its options, which may be secret. */
  get place(): string {
    const queryAt = this.text.indexOf('?')
    return queryAt < 0 ? this.text : this.text.slice(0, queryAt)
  }

  /** Refuses options that the table does not have. */
  check(table: OptionTable): void {
    for (const name of this.options.keys()) {
      if (Object.hasOwn(table, name)) continue
      const known = Object.keys(table).join(', ') || 'none'
      throw ingestError('ERR_INGEST_OPTION_UNKNOWN', `${this.scheme} has no option ${name}; it has ${known}`)
    }
  }

  /** The value of an option as text. */
  option(name: string): string | undefined {
    return this.options.get(name)
  }

  /** Whether a switch is on: `1`, `true`, `yes` or nothing behind its name; off by `0`, `false` or `no`. */
  flag(name: string, otherwise = false): boolean {
    const value = this.options.get(name)
    if (value === undefined) return otherwise
    if (/^(?:|1|true|yes)$/i.test(value)) return true
    if (/^(?:0|false|no)$/i.test(value)) return false
    throw ingestError('ERR_INGEST_OPTION_INVALID', `${name} takes 1 or 0, not ${value}`)
  }

  /** The value of an option as a whole number. */
  integer(name: string, min: number, max: number): number | undefined {
    const value = this.options.get(name)
    if (value === undefined) return undefined
    const number = Number(value)
    if (/^-?\d+$/.test(value) && number >= min && number <= max) return number
    throw ingestError('ERR_INGEST_OPTION_INVALID', `${name} takes a whole number from ${min} to ${max}, not ${value}`)
  }

  /** The value of an option as a finite number. */
  number(name: string): number | undefined {
    const value = this.options.get(name)
    if (value === undefined) return undefined
    const number = Number(value)
    if (value.trim() !== '' && Number.isFinite(number)) return number
    throw ingestError('ERR_INGEST_OPTION_INVALID', `${name} takes a number, not ${value}`)
  }

  /** The value of an option that has few. */
  choice<const T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.options.get(name)
    if (value === undefined) return undefined
    const choice = choices.find((known) => known === value)
    if (choice !== undefined) return choice
    throw ingestError('ERR_INGEST_OPTION_INVALID', `${name} takes ${choices.join(' or ')}, not ${value}`)
  }
}

function parseQuery(query: string): [string, string][] {
  const options: [string, string][] = []
  for (const part of query.split('&')) {
    if (part === '') continue
    const equalsAt = part.indexOf('=')
    const name = decode(equalsAt < 0 ? part : part.slice(0, equalsAt))
    const value = equalsAt < 0 ? '' : decode(part.slice(equalsAt + 1))
    if (options.some(([known]) => known === name)) {
      throw ingestError('ERR_INGEST_OPTION_TWICE', `${name} stands twice in the URL`)
    }
    options.push([name, value])
  }
  return options
}

function parsePort(text: string): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port >= 1 && port <= 65_535) return port
  throw ingestError('ERR_INGEST_URL_PORT', `${text === '' ? 'nothing' : text} is no port`)
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw ingestError('ERR_INGEST_URL_SYNTAX', `${text} has a % that two hexadecimal digits do not follow: write %25`)
  }
}
