// The content of content.py, whose docstring describes it.
import { timestampOf, type Values } from '../../../ts/cdtp/index.js'

const EPOCH = BigInt(Date.UTC(2026, 0, 1)) * 1_000_000n

export function tags(i: number): Values {
  if (i % 5 === 0) return {}
  return {
    i,
    neg: -i,
    f: i / 8,
    s: `rec-${i}`,
    even: i % 2 === 0,
    nil: null,
    big: 2 ** 40 + i,
    arr: [i, i + 1, i + 2],
    map: { k: i % 7 },
    t: timestampOf(EPOCH + BigInt(i) * 1_000_000n),
  }
}

export function blocks(i: number, maxlen: number, stride = 1): Buffer[] {
  return Array.from({ length: i % 4 }, (_, j) => {
    const block = Buffer.allocUnsafe(((i * 37 + j * 101) * stride) % maxlen)
    for (let k = 0; k < block.length; k++) block[k] = i * 31 + j * 17 + k
    return block
  })
}

export const borTags = (n: number): Values => ({ purpose: 'interop', n })
export const borConfig = (maxlen: number, threshold: number): Values => {
  return { maxlen, _data: { payload_threshold: threshold } }
}
export const eorTags = (n: number): Values => ({ bye: true, n })
