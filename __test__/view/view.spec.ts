import { get } from 'node:http'
import test from 'ava'
import { WebSocket } from 'ws'
import { Block, MeasurementBatch } from '../../ts/batch/index.js'
import { MinMax, View } from '../../ts/view/index.js'
import { Pair, pushed, turn } from '../tia/pair.js'

function batch(rows: readonly [signal: number, ms: number, value: number][]): MeasurementBatch {
  const block = new Block(Math.max(1, rows.length))
  rows.forEach(([signal, ms, value], row) => {
    block.signal[row] = signal
    block.time[row] = BigInt(Math.round(ms * 1e6))
    block.value[row] = value
  })
  block.count = rows.length
  return new MeasurementBatch(block)
}

function pixels(frame: Uint8Array | undefined): number[][] {
  if (frame === undefined) return []
  const view = new DataView(frame.buffer, frame.byteOffset)
  const count = view.getUint32(4, true)
  return Array.from({ length: count }, (_, row) => [
    view.getUint32(16 + 24 * count + 4 * row, true),
    ...[0, 1, 2].map((column) => view.getFloat64(16 + 8 * (column * count + row), true)),
  ])
}

test('every pixel has the least and the greatest value, whatever comes between', (t) => {
  const look = new MinMax([3, 1], 10)
  look.add(
    batch([
      [3, 100, 5],
      [1, 101, -1],
      [3, 109, 7],
      [2, 105, 99],
      [3, 104, -2],
      [3, 110, 1],
      [3, 111, Number.NaN],
    ]),
    0,
  )
  t.deepEqual(pixels(look.take()), [
    [3, 10, -2, 7],
    [3, 11, 1, 1],
    [1, 10, -1, -1],
  ])
  t.is(look.take(), undefined)
  look.add(batch([[3, 115, 9]]), 0)
  t.deepEqual(pixels(look.take()), [[3, 11, 9, 9]])
})

async function viewed() {
  const pair = new Pair()
  const signal = pushed(2, 1000, 1)
  await pair.server.start([signal])
  const client = pair.client()
  await client.connect()
  await client.startStreaming()
  const view = await View.open(client)
  void client.consume((rows) => view.write(rows))
  return { pair, signal, client, view }
}

test('the page is served to this machine alone', async (t) => {
  const { pair, client, view } = await viewed()
  const answer = (path: string, headers: Record<string, string> = {}) =>
    new Promise<[number, string]>((resolve, reject) => {
      get(new URL(path, view.url), { headers, agent: false }, (response) => {
        let body = ''
        response.setEncoding('utf8').on('data', (text) => {
          body += text
        })
        response.on('end', () => resolve([response.statusCode ?? 0, body]))
      }).on('error', reject)
    })
  for (const [path, text] of [
    ['/', '<main'],
    ['/page.js', 'WebSocket'],
    ['/uplot.js', 'uPlot'],
    ['/uplot.css', 'uplot'],
  ] as const) {
    const [code, body] = await answer(path)
    t.is(code, 200)
    t.true(body.includes(text), path)
  }
  t.is((await answer('/../package.json'))[0], 404)
  t.is((await answer('/', { host: 'evil.example' }))[0], 403)
  const foreign = new WebSocket(view.url.replace('http', 'ws').concat('stream'), { origin: 'http://evil.example' })
  t.regex(String(await new Promise((resolve) => foreign.once('error', resolve))), /401/)
  await view.close()
  await pair.close(client)
})

test('a page gets what it looks at, and a wrong wish ends it', async (t) => {
  const { pair, signal, client, view } = await viewed()
  const socket = new WebSocket(view.url.replace('http', 'ws').concat('stream'))
  const texts: Record<string, unknown>[] = []
  const frame = new Promise<Buffer>((resolve) => {
    socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) resolve(data)
      else texts.push(JSON.parse(data.toString()))
    })
  })
  await new Promise((resolve) => socket.once('open', resolve))
  socket.send(JSON.stringify({ type: 'look', signals: [1], bucketMs: 1000 }))
  const pushing = setInterval(() => {
    pair.server.push(signal, [4, -4])
    void turn()
  }, 5)
  const [row] = pixels(Uint8Array.from(await frame))
  clearInterval(pushing)
  t.deepEqual([row?.[0], row?.[2], row?.[3]], [1, -4, -4])
  t.like(texts[0], { type: 'source', system: 'tia', name: 'tia-127.0.0.1-9000' })
  t.is((texts[0] as { signals: unknown[] }).signals.length, 2)
  t.like(texts[1], { type: 'stats', state: 'connected', lost: 0 })
  socket.send('{"type":"look","signals":[-1],"bucketMs":1}')
  t.is(await new Promise((resolve) => socket.once('close', resolve)), 1003)
  await view.close()
  await pair.close(client)
})
