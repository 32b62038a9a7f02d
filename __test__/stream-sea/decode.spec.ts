import test from 'ava'
import { decode } from '../../ts/stream-sea/decode.js'
import { ClientFrames, OPCODE, serverFrame } from '../../ts/stream-sea/frame.js'

const textFrame = (text: string): Buffer => Buffer.from(serverFrame(text), 'latin1')

async function lines(bytes: Buffer, piece: number): Promise<Record<string, unknown>[]> {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece)
  }
  const all: Record<string, unknown>[] = []
  for await (const line of decode(pieces())) all.push(line as never)
  return all
}

const auth = '{"id":1,"action":"authenticate","success":true,"payload":{"jailId":"main"}}'
const delivery = '{"id":2,"action":"subscription","streamName":"s","payload":{"n":9007199254740993}}'
const located = '{"id":2,"action":"subscription","streamName":"s","payload":[1],"offset":7,"time":1700000000123}'

test('what a server sent is printed, however it was split', async (t) => {
  const bytes = Buffer.concat([auth, delivery, located].map(textFrame).concat(Buffer.from([0x88, 2, 3, 0xe8])))
  for (const piece of [1, 5, 1000]) {
    const [first, second, third, last] = await lines(bytes, piece)
    t.like(first, { event: 'message', type: 'text', offset: 0, length: auth.length + 2, fields: { text: auth } })
    t.deepEqual(second, { event: 'event', request: 2, payload: '{"n":9007199254740993}' })
    t.deepEqual(third, { event: 'event', request: 2, offset: '7', time: '1700000000123000000', payload: '[1]' })
    t.like(last, { type: 'close', offset: bytes.length - 4, length: 4, fields: { payload: '03e8' } })
  }
  const answered = Buffer.concat([Buffer.from('HTTP/1.1 101 Switching Protocols\r\n\r\n'), bytes])
  t.is((await lines(answered, 3)).length, 4)
})

test('what a client sent is told by its mask, with the head of its handshake or without', async (t) => {
  const frames = new ClientFrames()
  for (const text of [auth, 'ö'.repeat(70_000), '']) frames.text(text)
  frames.frame(OPCODE.close, Buffer.of(0x03, 0xe8))
  const bytes = frames.take()
  const head = Buffer.from('GET /api/v1/streams HTTP/1.1\r\nupgrade: websocket\r\n\r\n')
  for (const [start, piece] of [
    [0, 7],
    [head.length, 1000],
  ] as const) {
    const all = await lines(Buffer.concat([head.subarray(0, start), bytes]), piece)
    t.deepEqual(
      all.map(({ direction, type, fields }) => [direction, type, (fields as { text?: string }).text]),
      [
        ['c2s', 'text', auth],
        ['c2s', 'text', 'ö'.repeat(70_000)],
        ['c2s', 'text', ''],
        ['c2s', 'close', undefined],
      ],
    )
    t.like(all[0], { offset: start, length: auth.length + 6 })
  }
})

test('bytes that end inside a frame are told', async (t) => {
  const frames = new ClientFrames()
  frames.text(auth)
  for (const whole of [textFrame(auth), frames.take()]) {
    const all = await lines(Buffer.concat([whole, whole.subarray(0, -3)]), 1000)
    t.is(all.length, 2)
    t.like(all[1], { event: 'malformed', offset: whole.length, length: whole.length - 3 })
  }
})

test('malformed messages are lines, and lost framing ends it', async (t) => {
  const bytes = Buffer.concat([textFrame('{'), textFrame(delivery), Buffer.from([0xff, 0, 1, 2])])
  const all = await lines(bytes, 1000)
  t.deepEqual(
    all.map(({ event, code }) => code ?? event),
    ['ERR_STREAMSEA_MESSAGE_MALFORMED', 'event', 'ERR_STREAMSEA_FRAME_INVALID'],
  )
})
