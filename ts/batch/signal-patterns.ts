import { nativeIdText, type Signal } from './signal-table.js'

/** Which signals somebody wants: by name, native id or row; `*` stands for anything, case does not matter. */
export class SignalPatterns {
  readonly #patterns: readonly RegExp[]

  constructor(texts: readonly string[]) {
    this.#patterns = texts.map(patternOf)
  }

  /** Whether a signal of a system is wanted. */
  match({ id, name, nativeId }: Signal, system: string): boolean {
    const texts = [name, nativeIdText(nativeId, system), String(id)]
    return this.#patterns.some((pattern) => texts.some((text) => pattern.test(text)))
  }
}

function patternOf(text: string): RegExp {
  const parts = text.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`, 'i')
}
