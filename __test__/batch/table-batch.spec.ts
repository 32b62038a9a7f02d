import { tableFromIPC, tableToIPC } from 'apache-arrow'
import test from 'ava'
import { type Row, TableBuilder, type TableName } from '../../ts/batch/index.js'

async function readBack(table: TableName, rows: readonly Row[]) {
  const builder = new TableBuilder(table)
  for (const row of rows) builder.push(row)
  return tableFromIPC(tableToIPC(await builder.finish().toArrow()))
}

test('events keep their payload verbatim and leave out columns that no row has', async (t) => {
  const payload = '{"n":9007199254740993,"s":"\u00e4\u{1f600}"}'
  const table = await readBack('event', [
    { stream: 'orders', schema_version: '1', rx: 5n, payload },
    { stream: 'orders', schema_version: '2', rx: 6n, payload: '' },
  ])
  t.deepEqual(
    table.schema.fields.map((field) => field.name),
    ['stream', 'schema_version', 'rx', 'payload'],
  )
  t.deepEqual([...(table.getChild('payload') ?? [])], [payload, ''])
})

test('records keep lists of blocks', async (t) => {
  const block = (...bytes: number[]) => Uint8Array.from(bytes)
  const row = { run: 'r', sender: 'A.b', kind: 0, seq: 2n, time: null, rx: 1n, condition: 1, tags: block(0x80) }
  const table = await readBack('record', [
    { ...row, blocks: [block(1, 2), block()] },
    { ...row, blocks: [] },
    { ...row, blocks: [block(3)] },
  ])
  const blocks = [...(table.getChild('blocks') ?? [])].map((list) => [...list].map((item: Uint8Array) => [...item]))
  t.deepEqual(blocks, [[[1, 2], []], [], [[3]]])
  t.is(table.getChild('time')?.nullCount, 3)
})

test('sessions keep lists of text', async (t) => {
  const table = await readBack('session', [
    {
      source: 's',
      start: 1n,
      end: null,
      quirks: ['B1', 'B4'],
      peer: 'p',
      clock: '',
      counters: '{}',
      config_digest: '',
      meta: '',
    },
  ])
  t.deepEqual([...(table.getChild('quirks')?.get(0) ?? [])], ['B1', 'B4'])
})

test('a column that does not exist and a cell of another type are refused', (t) => {
  const builder = new TableBuilder('loss')
  t.throws(() => builder.push({ nonsense: 1 }), { instanceOf: TypeError, message: /no column nonsense/ })
  t.throws(() => builder.push({ cause: 1 }), { instanceOf: TypeError, message: /cause takes utf8/ })
  t.throws(() => builder.push({ id: -1 }), { instanceOf: TypeError })
  t.throws(() => builder.push({ at: 2n ** 63n }), { instanceOf: TypeError })
  t.is(builder.length, 0)
})
