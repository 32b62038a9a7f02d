import { tlsFiles } from './tls-files.js'
import type { TlsOptions } from './transport.js'

/**
 * The options of a command as what they mean. What does not fit is an error of the system, in words that say what the
 * option takes.
 *
 * ```ts
 * const values = new OptionValues<keyof typeof serveOptions>(options, (text) => tiaError('ERR_TIA_OPTION_INVALID', text))
 * const port = values.whole('port', 0, 9000)
 * ```
 */
export class OptionValues<Name extends string> {
  readonly #options: ReadonlyMap<string, string | true>
  readonly #refusal: (text: string) => Error

  constructor(options: ReadonlyMap<string, string | true>, refusal: (text: string) => Error) {
    this.#options = options
    this.#refusal = refusal
  }

  /** Whether it was given; what a switch says. */
  has(name: Name): boolean {
    return this.#options.has(name)
  }

  text(name: Name): string | undefined
  text(name: Name, otherwise: string): string
  text(name: Name, otherwise?: string): string | undefined {
    const value = this.#options.get(name)
    return typeof value === 'string' ? value : otherwise
  }

  /** A finite number of at least `least`. */
  number(name: Name, least: number): number | undefined
  number(name: Name, least: number, otherwise: number): number
  number(name: Name, least: number, otherwise?: number): number | undefined {
    const text = this.text(name)
    if (text === undefined) return otherwise
    const value = Number(text)
    if (text.trim() !== '' && Number.isFinite(value) && value >= least) return value
    throw this.refuse(name, `a number from ${least}`)
  }

  /** A whole number of at least `least`. */
  whole(name: Name, least: number): number | undefined
  whole(name: Name, least: number, otherwise: number): number
  whole(name: Name, least: number, otherwise?: number): number | undefined {
    const value = this.number(name, least)
    if (value === undefined) return otherwise
    if (Number.isSafeInteger(value)) return value
    throw this.refuse(name, `a whole number from ${least}`)
  }

  /** A 64-bit integer, as times in ns are. */
  integer(name: Name): bigint | undefined
  integer(name: Name, otherwise: bigint): bigint
  integer(name: Name, otherwise?: bigint): bigint | undefined {
    const text = this.text(name)
    if (text === undefined) return otherwise
    if (/^-?\d{1,19}$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text)) return BigInt(text)
    throw this.refuse(name, 'a whole number')
  }

  /** One of a few words. */
  choice<const T extends string>(name: Name, choices: readonly T[]): T | undefined
  choice<const T extends string>(name: Name, choices: readonly T[], otherwise: T): T
  choice<const T extends string>(name: Name, choices: readonly T[], otherwise?: T): T | undefined {
    const text = this.text(name)
    if (text === undefined) return otherwise
    const choice = choices.find((known) => known === text)
    if (choice !== undefined) return choice
    throw this.refuse(name, `${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`)
  }

  /** The certificate, the key and the authorities in the PEM files that `--cert`, `--key` and `--ca` name. */
  tlsFiles(): Pick<TlsOptions, 'cert' | 'key' | 'ca'> {
    return tlsFiles((name) => {
      const path = this.#options.get(name)
      return typeof path === 'string' ? path : undefined
    }, this.#refusal)
  }

  /** The error of an option that has another value than it takes. */
  refuse(name: Name, taken: string): Error {
    return this.#refusal(`--${name} takes ${taken}, not ${this.text(name) ?? 'nothing'}`)
  }
}
