import type { Bench } from '../harness/bench.js'
import { measurementForm, packetForm } from './decode.js'
import { SHAPES } from './packets.js'
import { manyClients, serverToClient } from './transfer.js'

export const bench: Bench = {
  name: 'tia',
  async *cases({ quick }) {
    for (const shape of SHAPES) yield packetForm(shape, quick)
    for (const shape of SHAPES) yield measurementForm(shape, quick)
    for (const shape of SHAPES) yield serverToClient(shape, quick)
    yield manyClients(quick)
  },
}
