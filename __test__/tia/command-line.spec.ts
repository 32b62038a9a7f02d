import { readFileSync } from 'node:fs'
import test from 'ava'
import { SourceUrl } from '../../ts/ingest/index.js'
import { MemoryNetwork, SimulatedClock } from '../../ts/session/index.js'
import { decode } from '../../ts/tia/decode.js'
import { serve } from '../../ts/tia/serve.js'
import { openSource, sourceOptions } from '../../ts/tia/source.js'

const vector = (name: string): Buffer => readFileSync(new URL(`../vectors/tia/synthetic/${name}.bin`, import.meta.url))

async function lines(bytes: Buffer, size = 7): Promise<Record<string, unknown>[]> {
  async function* chunks(): AsyncIterable<Uint8Array> {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
  }
  const all: Record<string, unknown>[] = []
  for await (const line of decode(chunks(), new Map())) all.push(line as Record<string, unknown>)
  return all
}

test('decode: a message for each packet, then its measurements, malformed bytes are lines too', async (t) => {
  const good = await lines(vector('v3-eeg-2x3'))
  t.like(good[0], { event: 'message', offset: 0, length: 61, fields: { packetId: '1', timestamp: '123456' } })
  t.deepEqual(
    good.slice(1).map(({ id, value, idx }) => [id, value, idx]),
    [
      ['eeg/1', 1, 0],
      ['eeg/1', 2, 1],
      ['eeg/1', 3, 2],
      ['eeg/2', -1, 0],
      ['eeg/2', -2, 1],
      ['eeg/2', -3, 2],
    ],
  )
  const bad = vector('bad-size-lies')
  const mixed = await lines(Buffer.concat([vector('v3-empty'), bad, bad]))
  t.like(mixed.at(-1), { event: 'malformed', code: 'ERR_TIA_PACKET_LAYOUT', offset: 33, length: 2 * bad.length })
  t.like((await lines(vector('bad-truncated-header')))[0], { code: 'ERR_TIA_PACKET_TRUNCATED', length: 20 })
  t.is((await lines(vector('v2-eeg-emg'))).length, 6)
  const floats = (await lines(vector('v3-specials'))).map(({ value }) => value)
  t.true(floats.includes('NaN') && floats.includes('-Infinity'))
})

test('serve: the synthetic formula, from a URL with every option', async (t) => {
  const network = new MemoryNetwork({ clock: new SimulatedClock() })
  const options = {
    signals: '3',
    block: '4',
    rate: 'max',
    nominal: '512',
    frames: '4000',
    'wait-subscriber': true,
  } as const
  const server = await serve(new Map<string, string | true>(Object.entries(options)), { network })
  const url = new SourceUrl(
    'tia://127.0.0.1:9000?channels=eeg/3,1&unit=us&anchor=1704067200000000000&state=1&no-subject=1',
  )
  url.check(sourceOptions)
  const source = await openSource(url, { network })
  let row = 0
  for await (const batch of source) {
    const { value, time, signal, idx, seq } = batch
      .columns()
      .reduce(
        (all, column) => Object.assign(all, { [column.field.name]: column.buffers[1] }),
        {} as Record<'value' | 'time' | 'signal' | 'idx' | 'seq', Uint8Array>,
      )
    const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let at = 0; at < batch.length; at++, row++) {
      const n = Number(view(seq).getBigUint64(8 * at, true)) * 4 + view(idx).getUint32(4 * at, true)
      const k = view(signal).getUint32(4 * at, true) === 0 ? 2 : 0
      if (view(value).getFloat64(8 * at, true) !== 1000 * k + 0.25 * (n % 4000)) t.fail(`value of row ${row}`)
      const wanted = 1_704_067_200_000_000_000n + BigInt(Math.floor((n * 1e9) / 512))
      const off = view(time).getBigInt64(8 * at, true) - wanted
      if (off > 1n || off < -1000n) t.fail(`time of row ${row}: ${off} ns off`)
    }
  }
  t.is(row, 8000)
  t.is(await server.closed, undefined)
  t.false('subject' in source.describe().meta)
})

test('wrong options are refused by name', async (t) => {
  const refused = (options: Record<string, string>) =>
    serve(new Map(Object.entries(options))).then(
      () => t.fail(),
      (error: { code?: string }) => t.regex(error.code ?? '', /^ERR_TIA_/),
    )
  await refused({ signals: '0' })
  await refused({ rate: 'fast' })
  await refused({ frames: '9', block: '8' })
  await refused({ type: 'nonsense' })
  await t.throwsAsync(openSource(new SourceUrl('tia://h?anchor=now'), {}), { code: 'ERR_TIA_OPTION_INVALID' })
})
