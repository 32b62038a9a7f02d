import type { Bench } from '../harness/bench.js'
import { codecs } from './codec.js'
import { endToEnd } from './end-to-end.js'

export const bench: Bench = {
  name: 'sttp',
  async *cases({ quick }) {
    yield* codecs(quick)
    yield* endToEnd(quick)
  },
}
