import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { decode } from '../../ts/sttp/decode.js'

const sessions = join(import.meta.dirname, '../vectors/sttp/sessions')

type Line = Readonly<Record<string, unknown>>

function bytesOf(session: string, direction: string): Buffer {
  const lines = readFileSync(join(sessions, `${session}.jsonl`), 'utf8')
    .trim()
    .split('\n')
  const frames = lines.map((line) => JSON.parse(line) as { dir: string; hex: string })
  return Buffer.concat(frames.filter(({ dir }) => dir === direction).map(({ hex }) => Buffer.from(hex, 'hex')))
}

async function linesOf(bytes: Uint8Array, options: [string, string | true][] = [], piece = 1000): Promise<Line[]> {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece)
  }
  const lines: Line[] = []
  for await (const line of decode(pieces(), new Map(options))) lines.push(line as Line)
  return lines
}

test('what a publisher sent becomes messages and measurements in the order of the wire', async (t) => {
  const lines = await linesOf(bytesOf('cpp_tssc', 'pub>sub'))
  t.deepEqual(
    lines.slice(0, 5).map(({ event, type, offset, length }) => [event, type, offset, length]),
    [
      ['message', 'Succeeded', 0, 82],
      ['message', 'Succeeded', 82, 1164],
      ['message', 'UpdateSignalIndexCache', 1246, 113],
      ['message', 'Succeeded', 1359, 75],
      ['message', 'DataStartTime', 1434, 18],
    ],
  )
  t.deepEqual(lines[5]?.['fields'], { flags: 8, count: 6, sequence: 0 })
  t.deepEqual(lines[7], {
    event: 'measurement',
    source: 'sttp',
    signal: 1,
    id: '00000000-0000-4000-8000-000000000001',
    time: '1664403200000000000',
    value: 1000,
    flags: 0,
    signalIndex: 1,
    signalId: '00000000-0000-4000-8000-000000000001',
    ticks: '638000000000000000',
  })
  t.is(lines.filter(({ event }) => event === 'measurement').length, 1200)
  t.true(lines.every(({ event }) => event !== 'malformed'))
})

test('cuts change nothing', async (t) => {
  const bytes = bytesOf('known_values_tssc', 'pub>sub').subarray(0, 4000)
  t.deepEqual(await linesOf(bytes, [], 1), await linesOf(bytes, [], bytes.length))
})

test('what a subscriber sent becomes messages', async (t) => {
  const lines = await linesOf(bytesOf('cpp_tssc', 'sub>pub'), [['direction', 'sub']])
  t.deepEqual(
    lines.map(({ type }) => type),
    ['DefineOperationalModes', 'MetadataRefresh', 'Subscribe', 'ConfirmUpdateSignalIndexCache'],
  )
  t.deepEqual(lines[0]?.['fields'], { modes: 0xe000_0262 })
})

test('malformed bytes are lines too', async (t) => {
  const bytes = bytesOf('cpp_tssc', 'pub>sub')
  const cut = await linesOf(bytes.subarray(0, 100))
  t.deepEqual(cut.at(-1), { event: 'malformed', code: 'ERR_STTP_FRAME_TRUNCATED', offset: 82, length: 18 })
  const http = await linesOf(Buffer.from('HTTP/1.1 400 Bad Request'))
  t.deepEqual(
    http.map(({ event, code }) => [event, code]),
    [['malformed', 'ERR_STTP_FRAME_LENGTH']],
  )
})

test('a wrong option is the caller’s fault', async (t) => {
  await t.throwsAsync(linesOf(Buffer.alloc(1), [['modes', 'xyz']]), { code: 'ERR_STTP_DECODE_OPTION' })
  await t.throwsAsync(linesOf(Buffer.alloc(1), [['direction', 'both']]), { code: 'ERR_STTP_DECODE_OPTION' })
})
