// Judges signal index caches: their records, and that those in the reference layout become the same bytes.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type SttpControl, sttpWriteResponse } from '../../../ts/sttp/codec.js'
import { guidBytes, guidText } from '../../../ts/sttp/measurement.js'
import { WireReader } from '../../../ts/sttp/wire-reader.js'
import type { Verdict } from '../main.js'
import { responseFrame } from './wire.js'

interface Image {
  readonly name: string
  readonly version: number
  readonly gzip: boolean
  readonly cache_index: number | null
  readonly subscriber_id: string
  readonly unauthorized: string[]
  readonly records: [index: number, id: string, source: string, key: number][]
  readonly payload_hex: string
}

export function* judgeSic(folder: string): Generator<Verdict> {
  for (const line of readFileSync(join(folder, 'signal_index_cache.jsonl'), 'utf8').trim().split('\n')) {
    const image = JSON.parse(line) as Image
    const { name, version, gzip, cache_index } = image
    const wrong = decoded(image) ?? encoded(image)
    const form = `${name} version ${version} cache ${cache_index ?? '-'} ${gzip ? 'gzip' : 'plain'}`
    yield { case: `sic/${form}`, passed: wrong === undefined, ...(wrong === undefined ? {} : { detail: wrong }) }
  }
}

function decoded(image: Image): string | undefined {
  const reader = new WireReader({ modes: modesOf(image) })
  for (const item of reader.read(responseFrame(0x83, Buffer.from(image.payload_hex, 'hex')))) {
    if (item.kind !== 'control') return JSON.stringify(item)
    if (item.control.type === 'quirk') continue
    const found = JSON.stringify(facts(item.control))
    const { cache_index, subscriber_id, unauthorized, records } = image
    const expected = JSON.stringify([cache_index ?? 0, subscriber_id, unauthorized, records])
    return found === expected ? undefined : `${found} instead of ${expected}`
  }
  return 'no cache'
}

function facts(control: SttpControl): unknown[] {
  const { cacheIndex, subscriberId, indexes = [], signalIds, sources = [], keyIds = [], unauthorized } = control
  const guids = (bytes: Uint8Array): string[] =>
    Array.from({ length: bytes.length / 16 }, (_, at) => guidText(bytes.subarray(at * 16)))
  const ids = guids(signalIds as Uint8Array)
  const records = sources.map((source, at) => [indexes[at], ids[at], source, Number(keyIds[at])])
  return [cacheIndex, guidText(subscriberId as Uint8Array), guids(unauthorized as Uint8Array), records]
}

/** sttpapi's layout is read, not written; compressed bytes depend on the compressor. */
function encoded(image: Image): string | undefined {
  if (image.gzip || image.name.includes('sttpapi') || image.name.includes('py')) return undefined
  const guids = (texts: string[]): Buffer => Buffer.concat(texts.map((text) => guidBytes(text) as Uint8Array))
  const frame = sttpWriteResponse(
    {
      type: 'signalIndexCache',
      cacheIndex: image.cache_index ?? 0,
      subscriberId: guids([image.subscriber_id]),
      indexes: Int32Array.from(image.records, ([index]) => index),
      signalIds: guids(image.records.map(([, id]) => id)),
      sources: image.records.map(([, , source]) => source),
      keyIds: BigUint64Array.from(image.records, ([, , , key]) => BigInt(key)),
      unauthorized: guids(image.unauthorized),
    },
    modesOf(image),
  )
  const hex = frame.subarray(10).toString('hex')
  return hex === image.payload_hex ? undefined : `encoded as ${hex}`
}

function modesOf({ version, gzip }: Image): number {
  return (gzip ? 0xe000_0260 : 0x2000_0260) | version
}
