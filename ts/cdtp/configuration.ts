import { cdtpError } from './error-codes.js'
import type { Value, Values } from './value.js'

/**
 * What a controller configures a satellite with. Keys are compared in lower case; a default that was asked for becomes
 * part of it, so that the begin of a run tells what really held.
 */
export class Configuration {
  readonly #values: Record<string, Value>
  readonly #sections = new Map<string, Configuration>()

  constructor(values: Values = {}) {
    this.#values = Object.create(null) as Record<string, Value>
    for (const [key, value] of Object.entries(values)) {
      if (isSection(value)) this.#sections.set(key.toLowerCase(), new Configuration(value))
      else if (value !== undefined) this.#values[key.toLowerCase()] = value
    }
  }

  /** A part of it, empty where there is none. */
  section(name: string): Configuration {
    const section = this.#sections.get(name) ?? new Configuration()
    this.#sections.set(name, section)
    return section
  }

  number(key: string, otherwise?: number): number {
    const value = this.#get(key, otherwise)
    if (typeof value === 'number' || typeof value === 'bigint') return Number(value)
    throw wrong(key, 'a number', value)
  }

  boolean(key: string, otherwise?: boolean): boolean {
    const value = this.#get(key, otherwise)
    if (typeof value === 'boolean') return value
    throw wrong(key, 'a boolean', value)
  }

  text(key: string, otherwise?: string): string {
    const value = this.#get(key, otherwise)
    if (typeof value === 'string') return value
    throw wrong(key, 'a text', value)
  }

  texts(key: string, otherwise?: readonly string[]): string[] {
    const value = this.#get(key, otherwise)
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value
    throw wrong(key, 'a list of texts', value)
  }

  has(key: string): boolean {
    return key in this.#values
  }

  /** Takes over the values of another. */
  update(values: Values): void {
    const other = new Configuration(values)
    Object.assign(this.#values, other.#values)
    for (const [name, section] of other.#sections) this.section(name).update(section.toValues())
  }

  /** All of it as a map. */
  toValues(): Values {
    const sections = Array.from(this.#sections, ([name, section]) => [name, section.toValues()] as const)
    return { ...this.#values, ...Object.fromEntries(sections) }
  }

  #get(key: string, otherwise: Value | undefined): Value | undefined {
    const value = this.#values[key]
    if (value !== undefined) return value
    if (otherwise !== undefined) this.#values[key] = otherwise
    return otherwise
  }
}

function isSection(value: Value | undefined): value is Values {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

function wrong(key: string, due: string, value: Value | undefined): Error {
  const found = value === undefined ? 'is missing' : `is ${typeof value}`
  return cdtpError('ERR_CDTP_STATE_WRONG', `the configuration key ${key} ${found}, ${due} is due`)
}
