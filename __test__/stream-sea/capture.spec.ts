import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { CAPTURE_KIND, type CaptureItem, captureItems } from '../../ts/session/capture.js'
import { decode } from '../../ts/stream-sea/decode.js'
import { ClientFrames } from '../../ts/stream-sea/frame.js'
import { publish } from '../../ts/stream-sea/index.js'
import { redactor } from '../../ts/stream-sea/redactor.js'
import { measurand } from '../cli/streams.js'
import { World } from './world.js'

type Line = { event: string; type?: string; direction?: string; fields: { text?: string; line?: string } }

async function itemsOf(file: string): Promise<CaptureItem[]> {
  const items: CaptureItem[] = []
  const pieces = (async function* () {
    yield await readFile(file)
  })()
  for await (const item of captureItems(pieces)) items.push({ ...item, bytes: Uint8Array.from(item.bytes) })
  return items
}

test('capture, decode and replay --raw by the command line: a client that asks again gets the same rows', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'measurand-sea-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const world = await World.open(t)
  await world.define('s')
  await publish({ ...world.remote, stream: 's', payload: [{ n: 1 }, { n: 2 }, { n: 3, t: 0.5 }] })
  const { clientSecret } = world.remote
  const secret = join(folder, 'secret')
  await writeFile(secret, clientSecret)
  const place = (port: number | string) => `streamsea://app123@127.0.0.1:${port}/s?from=start&secret-file=${secret}`
  const capture = async (name: string, ...more: string[]): Promise<string> => {
    const file = join(folder, name)
    const url = place(world.remote.remotePort)
    const captured = await measurand(['capture', url, '-o', file, '--limit', '3', '--json', ...more])
    t.is(captured.code, 0, captured.stderr)
    t.like(captured.lines.at(-1), { event: 'summary', received: 3, stored: 3 })
    return file
  }
  const [whole, redacted] = [await capture('whole.cap'), await capture('redacted.cap', '--redact')]
  const authorization = Buffer.from(`app123:${clientSecret}`).toString('base64')
  const texts = async (file: string): Promise<Line[]> => {
    const decoded = await measurand(['decode', 'stream-sea', file])
    t.is(decoded.code, 0, decoded.stderr)
    return decoded.lines as unknown as Line[]
  }
  const lines = await texts(whole)
  t.deepEqual(
    lines.filter(({ type }) => type === 'request').map(({ fields }) => fields.line),
    ['GET /api/v1/streams HTTP/1.1', 'GET /api/v1/streams/s/schema HTTP/1.1'],
  )
  const asked = lines.filter(({ type, direction }) => type === 'text' && direction === 'c2s')
  t.deepEqual(
    asked.slice(0, 2).map(({ fields }) => (JSON.parse(fields.text ?? '') as { action: string }).action),
    ['authenticate', 'subscribe'],
  )
  t.deepEqual(
    lines.filter(({ event }) => event === 'event').map((line) => (line as unknown as { payload: string }).payload),
    ['{"n":1}', '{"n":2}', '{"n":3,"t":0.5}'],
  )
  t.true(JSON.stringify(lines).includes(clientSecret))
  t.true(JSON.stringify(lines).includes(authorization))
  const blanked = await texts(redacted)
  t.is(blanked.length, lines.length)
  for (const kept of [clientSecret, authorization]) t.false(JSON.stringify(blanked).includes(kept))
  t.true(JSON.stringify(blanked).includes(`\\"clientSecret\\":\\"${'0'.repeat(clientSecret.length)}\\"`))

  let listening = (_port: string): void => {}
  const told = new Promise<string>((resolve) => {
    listening = resolve
  })
  const replay = measurand(
    ['replay', redacted, '--raw', '--speed', 'max', '--to', 'streamsea://127.0.0.1?listen=1', '--json'],
    [],
    undefined,
    (text) => {
      const [, bound] = /listening on port (\d+)/.exec(text) ?? []
      if (bound !== undefined) listening(bound)
    },
  )
  const tailed = await measurand(['tail', place(await told), '--json', '--limit', '3'])
  t.is(tailed.code, 0, tailed.stderr)
  t.deepEqual(
    tailed.lines.filter(({ event }) => event === 'event').map(({ payload, offset }) => [payload, offset]),
    [
      ['{"n":1}', '0'],
      ['{"n":2}', '1'],
      ['{"n":3,"t":0.5}', '2'],
    ],
  )
  const replayed = await replay
  t.is(replayed.code, 0, replayed.stderr)
  const received = (await itemsOf(redacted)).filter(
    ({ direction, kind }) => direction === 'received' && kind !== CAPTURE_KIND.httpHead,
  )
  t.is(replayed.lines.at(-1)?.['items'], received.length)

  const toServer = await measurand(['replay', whole, '--raw', '--to', place(world.remote.remotePort)])
  t.is(toServer.code, 1)
  t.regex(toServer.stderr, /ERR_CLI_OPTION_INVALID/)
})

test('what authenticates is blanked wherever its frame begins, and only that', async (t) => {
  const item = (kind: number, bytes: Uint8Array, direction: CaptureItem['direction'] = 'sent'): CaptureItem => ({
    ...{ time: 0n, channel: 3, direction, kind },
    bytes,
  })
  const frames = new ClientFrames()
  const auth = '{"id":1,"action":"authenticate","payload":{"type":"jwt","clientId":"é","jwt":"h.p.s"}}'
  const subscribe = '{"id":2,"action":"subscribe","payload":"h.p.s"}'
  frames.frame(10, Buffer.from('x'))
  frames.text(auth)
  frames.text(subscribe)
  const bytes = frames.take()
  const redact = redactor()
  const head = Buffer.from('GET /x HTTP/1.1\r\nhost: a\r\nAuthorization: Basic YTpi\r\naccept: */*\r\n\r\n')
  const blank = head.toString().replace('Basic YTpi', '0'.repeat(10))
  t.is(Buffer.from(redact(item(CAPTURE_KIND.httpHead, head)).bytes).toString(), blank)
  const redacted = redact(item(CAPTURE_KIND.stream, bytes))
  const received = item(CAPTURE_KIND.stream, Buffer.from('h.p.s'), 'received')
  t.is(redact(received), received)
  const pieces = (async function* () {
    yield redacted.bytes
  })()
  const texts: (string | undefined)[] = []
  for await (const line of decode(pieces)) texts.push((line as Line).fields.text)
  t.deepEqual(texts, [undefined, auth.replace('h.p.s', '00000'), subscribe])
})
