import { readFileSync } from 'node:fs'
import type { TlsOptions } from './transport.js'

type Name = 'cert' | 'key' | 'ca'

/**
 * The certificate, the key and the authorities in the PEM files that options name.
 *
 * @param refusal makes the error of a file that cannot be read
 */
export function tlsFiles(
  option: (name: Name) => string | undefined,
  refusal: (text: string) => Error,
): Pick<TlsOptions, Name> {
  const files: { [name in Name]?: Uint8Array } = {}
  for (const name of ['cert', 'key', 'ca'] as const) {
    const path = option(name)
    if (path === undefined) continue
    try {
      files[name] = readFileSync(path)
    } catch (cause) {
      throw refusal(`${name}: ${(cause as Error).message}`)
    }
  }
  return files
}
