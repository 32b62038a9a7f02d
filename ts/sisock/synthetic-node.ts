import { SYNTHETIC_T0, syntheticValue } from '../session/index.js'
import type { DataReply, FieldsReply } from './data.js'
import { type DataNodeConfig, DataNodeServer } from './data-node-server.js'
import { strideRows } from './min-stride.js'
import { sisockToUnixTime } from './uri.js'

/** What the synthetic node serves. */
export interface SyntheticOptions extends DataNodeConfig {
  /** Fields `s0`, `s1`, ...; 10 unless told. */
  readonly signals?: number
  /** Samples a second; 30 unless told. */
  readonly rate?: number
  /** Frames there are; those up to now unless told. */
  readonly frames?: number
  /** ns since 1970 of frame 0; 2024-01-01 unless told. */
  readonly t0?: bigint
}

/**
 * A node whose every value follows from its signal k and frame n: `1000 * (k mod 4000) + 0.25 * (n mod 4000)`, at
 * `t0 + floor(n * 10^9 / rate)` ns.
 */
export class SyntheticNode extends DataNodeServer {
  override name = 'synthetic'
  override description = 'every value follows from its signal and its frame'
  readonly #signals: number
  readonly #rate: number
  readonly #frames: number
  readonly #t0: number

  constructor(options: SyntheticOptions = {}) {
    super(options)
    this.#signals = options.signals ?? 10
    this.#rate = options.rate ?? 30
    this.#frames = options.frames ?? Number.POSITIVE_INFINITY
    this.#t0 = Number(options.t0 ?? SYNTHETIC_T0) / 1e9
  }

  override getFields(): FieldsReply {
    const names = Array.from({ length: this.#signals }, (_, k) => `s${k}`)
    const info = { description: null, timeline: 't', type: 'number', units: null } as const
    return [Object.fromEntries(names.map((name) => [name, info])), { t: { interval: 1 / this.#rate, field: names } }]
  }

  override getData(fields: readonly string[], start: number, end: number, minStride: number | null): DataReply | false {
    const now = Date.now() / 1000
    const [from, to] = [sisockToUnixTime(start, now), Math.min(sisockToUnixTime(end, now), now)]
    const frame = (time: number): number =>
      Math.max(0, Math.min(this.#frames, Math.ceil((time - this.#t0) * this.#rate - 1e-6)))
    const [first, last] = [frame(from), frame(to)]
    const known = fields.filter((name) => this.#signal(name) !== undefined)
    if ((last - first) * known.length > (this.config.allowance ?? 10_000_000)) return false
    const all = new Float64Array(Math.max(0, last - first))
    for (let row = 0; row < all.length; row++)
      all[row] = this.#t0 + Math.floor(((first + row) * 1e9) / this.#rate) / 1e9
    const rows = strideRows(all, minStride)
    const data: Record<string, Float64Array> = {}
    for (const name of fields) {
      const k = this.#signal(name)
      data[name] =
        k === undefined ? new Float64Array(0) : Float64Array.from(rows, (row) => syntheticValue(k, first + row))
    }
    if (rows.length === 0 || known.length === 0) return { data, timeline: {} }
    return { data, timeline: { t: { t: Float64Array.from(rows, (row) => all[row] as number), finalizedUntil: null } } }
  }

  #signal(name: string): number | undefined {
    const k = /^s(0|[1-9]\d*)$/.exec(name)?.[1]
    return k === undefined || Number(k) >= this.#signals ? undefined : Number(k)
  }
}
