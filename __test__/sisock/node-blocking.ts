import type { DataReply, FieldsReply } from '../../ts/sisock/data.js'
import { type DataNodeConfig, DataNodeServer } from '../../ts/sisock/data-node-server.js'

/** Places in the gate. */
export const [BLOCKED, OPEN] = [0, 1] as const

interface Config extends DataNodeConfig {
  /** Shared with the thread: whether it blocks, and whether it may go on. */
  readonly gate: Int32Array
}

/** A node whose methods block until the event loop of the main thread lets them go on. */
export default class SlowNode extends DataNodeServer {
  override name = 'slow'
  // tsx does not reach into threads: this module loads it, then the class.
  override blockingModule = new URL('./node-blocking-thread.mjs', import.meta.url)
  readonly #gate: Int32Array

  constructor(config: Config) {
    super(config)
    this.#gate = config.gate
  }

  override getFieldsBlocking(): FieldsReply {
    Atomics.store(this.#gate, BLOCKED, 1)
    if (Atomics.wait(this.#gate, OPEN, 0, 20_000) === 'timed-out') throw new Error('the event loop stood still')
    return [
      { x: { description: null, timeline: 't', type: 'number', units: null } },
      { t: { interval: 1, field: ['x'] } },
    ]
  }

  override getDataBlocking(fields: readonly string[], start: number, end: number): DataReply {
    if (start > end) throw new Error('the wrong way round')
    return { data: Object.fromEntries(fields.map((field) => [field, [start]])), timeline: { t: { t: [start] } } }
  }
}
