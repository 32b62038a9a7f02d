import type { SignalTable } from '../batch/index.js'
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
}

/** The cache of signals by their ids; those that the table lacks are added to it, with `source` as theirs. */
export function cacheSignals(ids: readonly Uint8Array[], table: SignalTable, source: string): CacheSignals {
  const rows = new Uint32Array(ids.length)
  const keyIds = new BigUint64Array(ids.length)
  const sources = ids.map((nativeId, index) => {
    const row = table.rowOf(nativeId) ?? table.add({ nativeId, source })
    rows[index] = row
    const key = String(table.at(row)?.meta['id'] ?? '')
    const [, first = '', number = ''] = /^(.*):(\d{1,19})$/.exec(key) ?? []
    keyIds[index] = number === '' ? BigInt(row) : BigInt(number)
    return first === '' ? guidText(nativeId) : first
  })
  return { rows, ids: Buffer.concat(ids), sources, keyIds }
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
    },
    modes,
  )
}
