import { readFileSync } from 'node:fs'
import type { TlsOptions } from './transport.js'

/**
 * The certificate, the key and the authorities in the PEM files that options name.
 *
 * @param refusal makes the error of a file that cannot be read
 */
export function tlsFiles(
  option: (name: 'cert' | 'key' | 'ca') => string | undefined,
  refusal: (text: string) => Error,
): Pick<TlsOptions, 'cert' | 'key' | 'ca'> {
  const files: { cert?: Uint8Array; key?: Uint8Array; ca?: Uint8Array } = {}
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
