import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import * as ws from 'ws'
import { decode } from '../../ts/sisock/decode.js'
import { Framing, type SerializerName, serializer } from '../../ts/sisock/serializer.js'
import { measurand } from '../cli/streams.js'

interface Line {
  readonly event: string
  readonly type?: string
  readonly direction?: string
  readonly fields?: Record<string, unknown>
  readonly code?: string
  readonly offset: number
  readonly length: number
}

async function lines(chunks: readonly Uint8Array[], options: readonly [string, string][] = []): Promise<Line[]> {
  async function* bytes() {
    yield* chunks
  }
  const found: Line[] = []
  for await (const line of decode(bytes(), new Map(options))) found.push(line as Line)
  return found
}

/** The frames that `ws` itself makes. */
function framed(payload: Buffer, binary: boolean, mask: boolean): Buffer {
  const { frame } = (ws as unknown as { Sender: { frame(data: Buffer, options: object): Buffer[] } }).Sender
  const options = { fin: true, mask, opcode: binary ? 2 : 1, readOnly: false, rsv1: false }
  return Buffer.concat(frame(Buffer.from(payload), options))
}

const call = [48, 7, {}, 'org.example.add', [1.5, Buffer.from('ab'), Number.NaN, 2n ** 60n], { k: 'v' }]
const FORMS = (['json', 'msgpack', 'cbor'] as const).flatMap((name) =>
  [true, false].map((batched) => [name, batched] as const),
)

function connection(name: SerializerName, batched: boolean): Buffer {
  const framing = new Framing(name, batched)
  const one = serializer(name)
  const message = name === 'json' ? [...call.slice(0, 4), [1.5], { k: 'v' }] : call
  const groups = batched ? [[[1, 'test_realm', {}], message]] : [[[1, 'test_realm', {}]], [message]]
  const frames = groups.map((group) => {
    const messages = group.map((item) => one.serialize(item))
    const payload = Buffer.concat(batched ? messages.flatMap((item) => framing.inBatch(item)) : messages)
    return framed(payload, framing.isBinary, true)
  })
  return Buffer.concat([Buffer.from('GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n'), ...frames])
}

test('every serialization is known by its bytes, wherever they are cut', async (t) => {
  for (const [name, batched] of FORMS) {
    const bytes = connection(name, batched)
    const whole = await lines([bytes])
    t.deepEqual(
      whole.map(({ type }) => type),
      ['HELLO', 'CALL'],
      `${name} ${batched}`,
    )
    t.like(whole[1], { direction: 'c2s', fields: { request: 7, procedure: 'org.example.add', kwargs: { k: 'v' } } })
    if (name !== 'json') t.deepEqual(whole[1]?.fields?.['args'], [1.5, '6162', 'NaN', String(2n ** 60n)])
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 6 }), async (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), bytes.length]
        t.deepEqual(await lines(at.slice(1).map((end, index) => bytes.subarray(at[index], end))), whole)
      }),
      { numRuns: 20 },
    )
  }
})

test('a message in pieces, a ping between them, and a close', async (t) => {
  const text = Buffer.from(JSON.stringify([6, {}, 'wamp.close.normal']))
  const piece = (first: number, payload: Buffer) => Buffer.concat([Buffer.from([first, payload.length]), payload])
  const found = await lines([
    piece(0x01, text.subarray(0, 5)),
    piece(0x89, Buffer.from('hi')),
    piece(0x80, text.subarray(5)),
    piece(0x88, Buffer.from([3, 232])),
  ])
  t.deepEqual(
    found.map(({ type }) => type),
    ['ping', 'GOODBYE', 'close'],
  )
  t.like(found[1], { direction: 's2c', offset: 0, length: text.length + 2 + 4 + 2 })
})

test('what is malformed is a line; any bytes are read to the end or to where they are lost', async (t) => {
  const [bad, good] = [framed(Buffer.from('[48,'), false, false), framed(Buffer.from('[17,1,2]'), false, false)]
  const found = await lines([bad, good])
  t.deepEqual(
    found.map(({ event }) => event),
    ['malformed', 'message'],
  )
  t.like((await lines([good, Buffer.from([0xff, 0x00])]))[1], { event: 'malformed', offset: good.length })
  t.like((await lines([good.subarray(0, 5)]))[0], { event: 'malformed', offset: 0, length: 5 })
  await t.throwsAsync(lines([good], [['serializer', 'xml']]), { code: 'ERR_SISOCK_URL' })
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      for (const line of await lines([bytes])) t.true(line.offset >= 0 && line.offset <= bytes.length)
    }),
  )
})

test('the recorded exchanges, framed, by the command line', async (t) => {
  const folder = join(import.meta.dirname, '../vectors/sisock')
  let messages = 0
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.json'))) {
    type Frame = { conn?: string; dir?: string; raw?: string; hex?: string }
    const file = JSON.parse(readFileSync(join(folder, name), 'utf8')) as { frames: Frame[] } | { frames: Frame[] }[]
    const frames = Array.isArray(file) ? file.flatMap((one) => one.frames) : file.frames
    for (const dir of new Set(frames.map((frame) => frame.dir))) {
      const conns = new Set(frames.map(({ conn }) => conn))
      for (const conn of conns) {
        const mine = frames.filter(
          (frame) => frame.dir === dir && frame.conn === conn && (frame.raw ?? frame.hex) !== undefined,
        )
        if (mine.length === 0) continue
        const bytes = mine.map(({ raw, hex }) =>
          framed(hex === undefined ? Buffer.from(raw as string) : Buffer.from(hex, 'hex'), hex !== undefined, false),
        )
        const { code, lines: found } = await measurand(['decode', 'sisock', '-'], bytes)
        t.is(code, 0, name)
        t.is(found.length, mine.length, name)
        messages += found.length
      }
    }
  }
  t.true(messages > 50, `${messages} messages`)
})
