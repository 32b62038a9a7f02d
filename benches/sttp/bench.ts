import type { Bench } from '../harness/bench.js'
import { codecs } from './codec.js'
import { dataChannels } from './datagrams.js'
import { endToEnd } from './end-to-end.js'
import { latencies } from './latency.js'
import { connections } from './metadata.js'
import { scale } from './scale.js'

export const bench: Bench = {
  name: 'sttp',
  async *cases({ quick }) {
    yield* codecs(quick)
    yield* endToEnd(quick)
    yield* scale(quick)
    yield* dataChannels(quick)
    yield* latencies(quick)
    yield* connections()
  },
}
