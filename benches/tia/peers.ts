import { existsSync } from 'node:fs'
import { join } from 'node:path'

export const PYTIA = 'pytia 0.1.0'
export const LSL = 'Lab Streaming Layer (pylsl 1.18.6)'

/** The interpreter of a peer's environment. */
export function python(peer: 'pytia' | 'pylsl'): string {
  const path = join(import.meta.dirname, '../../.peers', peer, 'bin/python')
  if (!existsSync(path)) throw new Error(`${peer} is not installed: run scripts/peers ${peer}`)
  return path
}
