import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { CAPTURE_KIND, type CaptureItem } from '../../ts/session/index.js'
import { decode, decodeCapture } from '../../ts/sttp/decode.js'

const sessions = join(import.meta.dirname, '../vectors/sttp/sessions')

type Line = Readonly<Record<string, unknown>>

function framesOf(session: string): { dir: string; bytes: Buffer }[] {
  const lines = readFileSync(join(sessions, `${session}.jsonl`), 'utf8')
    .trim()
    .split('\n')
  const frames = lines.map((line) => JSON.parse(line) as { dir: string; hex: string })
  return frames.map(({ dir, hex }) => ({ dir, bytes: Buffer.from(hex, 'hex') }))
}

function bytesOf(session: string, direction: string): Buffer {
  return Buffer.concat(
    framesOf(session)
      .filter(({ dir }) => dir === direction)
      .map(({ bytes }) => bytes),
  )
}

/** A session as a subscriber captures it. */
function captureOf(session: string, channel = 0): CaptureItem[] {
  return framesOf(session).map(({ dir, bytes }) => {
    const direction = dir === 'sub>pub' ? 'sent' : 'received'
    return { time: 0n, channel, direction, kind: CAPTURE_KIND.stream, bytes }
  })
}

async function linesOfCapture(items: Iterable<CaptureItem>, options: [string, string | true][] = []): Promise<Line[]> {
  const lines: Line[] = []
  for await (const line of decodeCapture(asAsync(items), new Map(options))) lines.push(line as Line)
  return lines
}

async function* asAsync(items: Iterable<CaptureItem>): AsyncGenerator<CaptureItem> {
  yield* items
}

/** A Subscribe frame with one more setting in front of those that its connection string has. */
function withSetting(bytes: Uint8Array, setting: string): Buffer {
  const frame = Buffer.from(bytes)
  const HEAD = 10
  const text = Buffer.from(setting)
  const grown = Buffer.concat([frame.subarray(0, HEAD), text, frame.subarray(HEAD)])
  grown.writeUInt32BE(frame.readUInt32BE(0) + text.length, 0)
  grown.writeUInt32BE(frame.readUInt32BE(6) + text.length, 6)
  return grown
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
})

const frame = (head: number[], body: string): Buffer => {
  const rest = Buffer.concat([Buffer.from(head), Buffer.from(body, 'hex')])
  const length = Buffer.alloc(4)
  length.writeUInt32BE(rest.length)
  return Buffer.concat([length, rest])
}
/** A response to Subscribe. */
const response = (code: number, payload: string): Buffer => {
  const length = (payload.length / 2).toString(16).padStart(8, '0')
  return frame([code, 2], `${length}${payload}`)
}
const NO_OP = frame([0xff, 0], '00000000')
const METADATA_REFRESH = frame([1], '')

for (const [what, wrong, code] of [
  ['of no format', response(0x82, '00000000010000'), 'ERR_STTP_PACKET_FLAGS'],
  ['without a count', response(0x82, '02'), 'ERR_STTP_MESSAGE_LENGTH'],
  ['with half a compact measurement', response(0x82, '020000000100000000'), 'ERR_STTP_COMPACT_TRUNCATED'],
  ['of another version of TSSC', response(0x82, '0800000001540000'), 'ERR_STTP_TSSC_VERSION'],
  ['with half a TSSC measurement', response(0x82, '080000000155000080'), 'ERR_STTP_TSSC_TRUNCATED'],
  ['with fewer measurements than it says', response(0x82, '087fffffff550000'), 'ERR_STTP_PACKET_COUNT'],
  ['with a cache that is cut', response(0x83, '00'), 'ERR_STTP_CACHE_MALFORMED'],
  ['with a cache that is no gzip', response(0x83, '001f8b0800000000000003ffff'), 'ERR_STTP_CACHE_GZIP'],
] as const) {
  test(`a message ${what} has its code, and those behind it are read`, async (t) => {
    const before = bytesOf('known_values_tssc', 'pub>sub')
    const lines = await linesOf(Buffer.concat([before, wrong, NO_OP]))
    const { length } = wrong
    t.deepEqual(lines.at(-2), { event: 'malformed', code, offset: before.length, length })
    t.like(lines.at(-1), { event: 'message', type: 'NoOP', offset: before.length + length })
  })
}

for (const [what, wrong, code] of [
  ['modes that are cut', frame([6], 'c0'), 'ERR_STTP_COMMAND_LENGTH'],
  [
    'a setting that cannot be',
    frame([2], `0200000012${Buffer.from('includeTime=banana').toString('hex')}`),
    'ERR_STTP_SUBSCRIPTION_SETTING',
  ],
  ['a filter that is no text', frame([1], '00000002c328'), 'ERR_STTP_COMMAND_TEXT'],
] as const) {
  test(`a command with ${what} has its code, and those behind it are read`, async (t) => {
    const lines = await linesOf(Buffer.concat([METADATA_REFRESH, wrong, METADATA_REFRESH]), [['direction', 'sub']])
    t.deepEqual(lines[1], { event: 'malformed', code, offset: 5, length: wrong.length })
    t.like(lines[2], { event: 'message', type: 'MetadataRefresh', offset: 5 + wrong.length })
  })
}

test('behind a lost framing everything is malformed, in whatever pieces it comes', async (t) => {
  const http = Buffer.from('HTTP/1.1 400 Bad Request')
  const code = 'ERR_STTP_FRAME_LENGTH'
  for (const [direction, dir] of [
    ['pub', 'pub>sub'],
    ['sub', 'sub>pub'],
  ] as const) {
    const whole = bytesOf('cpp_tssc', dir)
    for (const piece of [7, 1000]) {
      const lines = await linesOf(Buffer.concat([whole, http]), [['direction', direction]], piece)
      const { length } = http
      t.deepEqual(lines.at(-1), { event: 'malformed', code, offset: whole.length, length })
      t.is(lines.filter(({ event }) => event === 'malformed').length, 1)
    }
  }
})

test('a wrong option is the caller’s fault', async (t) => {
  await t.throwsAsync(linesOf(Buffer.alloc(1), [['modes', 'xyz']]), { code: 'ERR_STTP_DECODE_OPTION' })
  await t.throwsAsync(linesOf(Buffer.alloc(1), [['direction', 'both']]), { code: 'ERR_STTP_DECODE_OPTION' })
})

test('a capture says its modes itself; connections that were open together do not mix', async (t) => {
  const [tssc, compact] = [captureOf('known_values_tssc', 0), captureOf('known_values_compact', 1)]
  const mixed: CaptureItem[] = []
  for (let at = 0; at < Math.max(tssc.length, compact.length); at++) {
    mixed.push(...tssc.slice(at, at + 1), ...compact.slice(at, at + 1))
  }
  const lines = await linesOfCapture(mixed)
  t.true(lines.every(({ event }) => event !== 'malformed'))
  const rows = (some: readonly Line[]) =>
    some.filter(({ event }) => event === 'measurement').map(({ id, time, value, flags }) => [id, time, value, flags])
  for (const [channel, items] of [tssc, compact].entries()) {
    const alone = rows(await linesOfCapture(items))
    t.true(alone.length >= 600)
    t.deepEqual(rows(lines.filter((line) => line['channel'] === channel)), alone)
  }
})

test('datagrams of a capture are read by the connection that asked for them', async (t) => {
  const items = captureOf('known_values_compact')
  const udp = items.map(({ bytes, ...item }): CaptureItem => {
    const text = Buffer.from(bytes).toString('latin1')
    if (item.direction === 'sent' && text.includes('includeTime=')) {
      return { ...item, bytes: withSetting(bytes, 'dataChannel={localport=9191}; ') }
    }
    const isPacket = item.direction === 'received' && bytes[4] === 0x82
    return isPacket
      ? { ...item, channel: 1, kind: CAPTURE_KIND.datagram, bytes: bytes.subarray(4) }
      : { ...item, bytes }
  })
  const lines = await linesOfCapture(udp)
  t.true(lines.every(({ event }) => event !== 'malformed'))
  const rows = (some: readonly Line[]) =>
    some
      .filter(({ event }) => event === 'measurement')
      .map(({ signalIndex, ticks, value }) => [signalIndex, ticks, value])
  t.true(udp.some(({ kind }) => kind === CAPTURE_KIND.datagram))
  t.deepEqual(rows(lines), rows(await linesOfCapture(items)))
})

test('of a cut capture everything that came whole is told before the error', async (t) => {
  function* cut(): Generator<CaptureItem> {
    yield* captureOf('known_values_tssc').slice(0, 40)
    throw new Error('cut')
  }
  const lines: Line[] = []
  const reading = (async () => {
    for await (const line of decodeCapture(asAsync(cut()), new Map())) lines.push(line as Line)
  })()
  await t.throwsAsync(reading, { message: 'cut' })
  t.true(lines.some(({ event }) => event === 'measurement'))
})
