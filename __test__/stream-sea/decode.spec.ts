import test from 'ava'
import { decode } from '../../ts/stream-sea/decode.js'
import { textFrame } from '../../ts/stream-sea/server-frame.js'

async function lines(bytes: Buffer, piece: number, head = false): Promise<Record<string, unknown>[]> {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece)
  }
  const all: Record<string, unknown>[] = []
  for await (const line of decode(pieces(), new Map(head ? [['http-head', true]] : []))) all.push(line as never)
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
  t.is((await lines(answered, 3, true)).length, 4)
})

test('malformed messages are lines, and lost framing ends it', async (t) => {
  const bytes = Buffer.concat([textFrame('{'), textFrame(delivery), Buffer.from([0xff, 0, 1, 2])])
  const all = await lines(bytes, 1000)
  t.deepEqual(
    all.map(({ event, code }) => code ?? event),
    ['ERR_STREAMSEA_MESSAGE_MALFORMED', 'event', 'ERR_STREAMSEA_FRAME_INVALID'],
  )
})
