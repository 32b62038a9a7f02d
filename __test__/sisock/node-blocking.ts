import type { DataReply, FieldsReply } from '../../ts/sisock/data.js'
import { DataNodeServer } from '../../ts/sisock/data-node-server.js'

/** A node whose methods block for a while. */
export default class SlowNode extends DataNodeServer {
  override name = 'slow'
  // tsx does not reach into threads: this module loads it, then the class.
  override blockingModule = new URL('./node-blocking-thread.mjs', import.meta.url)

  override getFieldsBlocking(): FieldsReply {
    block(50)
    return [
      { x: { description: null, timeline: 't', type: 'number', units: null } },
      { t: { interval: 1, field: ['x'] } },
    ]
  }

  override getDataBlocking(fields: readonly string[], start: number, end: number): DataReply {
    block(50)
    if (start > end) throw new Error('the wrong way round')
    return { data: Object.fromEntries(fields.map((field) => [field, [start]])), timeline: { t: { t: [start] } } }
  }
}

function block(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}
