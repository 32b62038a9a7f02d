import type { Signal, SignalTable } from '../batch/index.js'
import { sttpWriteResponse } from './codec.js'
import { guidText } from './measurement.js'

/** The signals of a signal index cache in the order of their wire indexes, which count from 0. */
export interface CacheSignals {
  /** Rows of the publisher's signal table. */
  readonly rows: Uint32Array
  /** 16 bytes each. */
  readonly ids: Uint8Array
  /** Measurement keys: source, and number at that source. */
  readonly sources: readonly string[]
  readonly keyIds: BigUint64Array
  /** 16 bytes each: those that the filter names and the subscriber must not have. */
  readonly unauthorized: Uint8Array
}

/** Where the signals of caches are. */
export interface CacheSource {
  /** The publisher's signals; those that it lacks are added. */
  readonly signals: SignalTable
  /** What is named as the source of those that are added. */
  readonly name: string
  /** Whether the subscriber may have a signal; all unless told. */
  readonly permit?: ((signal: Signal) => boolean) | undefined
}

/** The cache of signals by their ids. */
export function cacheSignals(ids: readonly Uint8Array[], { signals, name, permit }: CacheSource): CacheSignals {
  const rows: number[] = []
  const sources: string[] = []
  const keyIds: bigint[] = []
  const allowed: Uint8Array[] = []
  const unauthorized: Uint8Array[] = []
  for (const nativeId of ids) {
    const row = signals.rowOf(nativeId) ?? signals.add({ nativeId, source: name })
    const signal = signals.at(row) as Signal
    if (permit !== undefined && !permit(signal)) {
      unauthorized.push(nativeId)
      continue
    }
    const [, source = '', number = ''] = /^(.*):(\d{1,19})$/.exec(String(signal.meta['id'] ?? '')) ?? []
    rows.push(row)
    allowed.push(nativeId)
    sources.push(source === '' ? guidText(nativeId) : source)
    keyIds.push(BigInt(number === '' ? row : number))
  }
  return {
    rows: Uint32Array.from(rows),
    ids: Buffer.concat(allowed),
    sources,
    keyIds: BigUint64Array.from(keyIds),
    unauthorized: Buffer.concat(unauthorized),
  }
}

/** The frame by which a subscriber is told its cache. */
export function cacheFrame(
  signals: CacheSignals,
  cacheIndex: number,
  subscriberId: Uint8Array,
  modes: number,
): Uint8Array {
  return sttpWriteResponse(
    {
      type: 'signalIndexCache',
      cacheIndex,
      subscriberId: Buffer.from(subscriberId),
      indexes: Int32Array.from(signals.rows, (_, index) => index),
      signalIds: Buffer.from(signals.ids),
      sources: [...signals.sources],
      keyIds: signals.keyIds,
      unauthorized: Buffer.from(signals.unauthorized),
    },
    modes,
  )
}
