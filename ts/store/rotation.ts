import { storeError } from './error-codes.js'

/** When a segment is closed and another begun. */
export interface Rotation {
  /** Bytes. */
  readonly bytes: number
  /** Age, ms. */
  readonly ms: number
}

/** 256 MiB or 10 minutes, whichever is first. */
export const DEFAULT_ROTATION: Rotation = { bytes: 256 * 2 ** 20, ms: 600_000 }

const UNITS: Readonly<Record<string, readonly ['bytes' | 'ms', number]>> = {
  B: ['bytes', 1],
  KiB: ['bytes', 2 ** 10],
  MiB: ['bytes', 2 ** 20],
  GiB: ['bytes', 2 ** 30],
  kB: ['bytes', 1e3],
  MB: ['bytes', 1e6],
  GB: ['bytes', 1e9],
  ms: ['ms', 1],
  s: ['ms', 1e3],
  m: ['ms', 60e3],
  h: ['ms', 3600e3],
  d: ['ms', 86_400e3],
}

/** A rotation as it is typed: `256MiB`, `10m`, or both as `256MiB|10m`. */
export function parseRotation(text: string): Rotation {
  const rotation = { ...DEFAULT_ROTATION }
  for (const part of text.split('|')) {
    const [, number, unit] = /^(\d+(?:\.\d+)?)([A-Za-z]+)$/.exec(part.trim()) ?? []
    const known = UNITS[unit ?? '']
    const value = Number(number) * (known?.[1] ?? Number.NaN)
    if (known === undefined || !(value >= 1)) {
      const example = 'a rotation is a size, an age or both, like 256MiB, 10m or 256MiB|10m'
      throw storeError('ERR_STORE_OPTION_INVALID', `${example}, not ${JSON.stringify(text)}`)
    }
    rotation[known[0]] = Math.round(value)
  }
  return rotation
}
