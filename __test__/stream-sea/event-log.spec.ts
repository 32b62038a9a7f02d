import { spawn } from 'node:child_process'
import { join } from 'node:path'
import test from 'ava'
import { packedSlice, packedSliceLength, packedText } from '../../ts/stream-sea/entry.js'
import { StreamSeaServer } from '../../ts/stream-sea/index.js'
import { batchesOf, runsOf } from '../../ts/stream-sea/nats-append.js'

/** Messages as the addon packs them. */
function pack(texts: readonly string[]): Buffer {
  const bytes = texts.map((text) => Buffer.from(text))
  const head = Buffer.alloc(4 + 4 * texts.length)
  head.writeUInt32LE(texts.length, 0)
  let end = 0
  for (const [index, { length }] of bytes.entries()) {
    end += length
    head.writeUInt32LE(end, 4 + 4 * index)
  }
  return Buffer.concat([head, ...bytes])
}

test('packed messages are cut and read', (t) => {
  const texts = ['{}', '{"n":"é"}', '', '[1]']
  const packed = pack(texts)
  for (let from = 0; from < texts.length; from++) {
    for (let to = from + 1; to <= texts.length; to++) {
      const slice = packedSlice(packed, from, to)
      t.deepEqual(slice, pack(texts.slice(from, to)))
      t.is(slice.length, packedSliceLength(packed, from, to))
    }
  }
  t.deepEqual(
    texts.map((_, index) => packedText(packed, index)),
    texts,
  )
})

test('publishes become entries that NATS takes: a key alone, a long one in pieces', (t) => {
  const texts = ['a', 'b', 'c', 'd'.repeat(3000), 'e'.repeat(3000), 'f', 'g'.repeat(9000)]
  const publishes = [
    { count: 1, key: undefined },
    { count: 1, key: undefined },
    { count: 1, key: 'k' },
    { count: 2, key: undefined },
    { count: 1, key: undefined },
    { count: 1, key: undefined },
  ]
  const runs = runsOf({ stream: 1, time: 0, publishes, packed: pack(texts) }, 4096 + 4000)
  t.deepEqual(
    runs.map(({ from, to, key, pieces }) => [from, to, key, pieces.map(({ count }) => count)]),
    [
      [0, 2, undefined, [2]],
      [2, 3, 'k', [1]],
      [3, 4, undefined, [1, 1]],
      [4, 5, undefined, [1]],
      // Longer than NATS takes: nothing of it is stored, and its publisher hears so.
      [5, 6, undefined, []],
    ],
  )
  t.is(batchesOf(runs).flat().length, runs.length)
})

test('a server has one log, and without the packages of NATS it says which to install', async (t) => {
  const code = 'ERR_STREAMSEA_OPTION_INVALID'
  await t.throwsAsync(StreamSeaServer.open({}), { code })
  await t.throwsAsync(StreamSeaServer.open({ data: 'x', log: 'nats://x' }), { code })
  const hook = `export const resolve = (name, context, next) => {
    if (name.startsWith('@nats-io/')) throw Object.assign(new Error('not there'), { code: 'ERR_MODULE_NOT_FOUND' })
    return next(name, context)
  }`
  const url = (text: string) => `data:text/javascript,${encodeURIComponent(text)}`
  const register = url(`import { register } from 'node:module'; register(${JSON.stringify(url(hook))})`)
  const program = join(import.meta.dirname, 'victim.ts')
  const args = ['--import', 'tsx', '--import', register, program, 'nats://127.0.0.1:1', 'secret']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let told = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    told += text
  })
  t.is(await new Promise((resolve) => child.once('close', resolve)), 1)
  t.regex(told, /npm install @nats-io\/transport-node @nats-io\/jetstream/)
  t.regex(told, /ERR_SESSION_TRANSPORT_MISSING/)
})
