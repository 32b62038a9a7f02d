import { get } from 'node:http'
import test from 'ava'
import { WebSocket } from 'ws'
import { type Batch, Block, MeasurementBatch, type Row, SignalTable, TableBuilder } from '../../ts/batch/index.js'
import {
  Ledger,
  SimulatedClock,
  type Source,
  type SourceDescription,
  Stats,
  StatusStream,
  systemClock,
} from '../../ts/session/index.js'
import { MinMax, Playback, View } from '../../ts/view/index.js'
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

/** A source whose batches are given to the view by hand. */
function sourceOf(system: string, signals = new SignalTable()): Source {
  const stats = new Stats()
  const nothing = (): SourceDescription => ({ peer: '', quirks: [], clock: {}, meta: {} })
  return {
    name: 'by-hand',
    system,
    signals,
    stats,
    ledger: new Ledger('by-hand', systemClock),
    status: new StatusStream('by-hand', systemClock),
    policy: 'block',
    closed: new Promise(() => {}),
    describe: nothing,
    countOf: (rows: Batch) => rows.length,
    consume: async () => {},
    close: async () => {},
    drain: async () => {},
    [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }),
    [Symbol.asyncDispose]: async () => {},
  }
}

function tableOf(table: 'event' | 'record' | 'measurement', rows: readonly Row[]): Batch {
  const builder = new TableBuilder(table)
  for (const row of rows) builder.push(row)
  return builder.finish()
}

/** A page that keeps what it is told. */
class Page {
  readonly #socket: WebSocket
  readonly #waiting: { matches: (message: Told) => boolean; resolve: (message: Told) => void }[] = []
  readonly told: Told[] = []

  constructor(view: View) {
    this.#socket = new WebSocket(view.url.replace('http', 'ws').concat('stream'))
    this.#socket.on('message', (data: Buffer, isBinary) => {
      const message: Told = isBinary
        ? { type: 'pixels', pixels: pixels(Uint8Array.from(data)) }
        : JSON.parse(String(data))
      this.told.push(message)
      for (const one of this.#waiting) if (one.matches(message)) one.resolve(message)
    })
  }

  look(signals: readonly number[], bucketMs: number): void {
    const text = JSON.stringify({ type: 'look', signals, bucketMs })
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(text)
    else this.#socket.once('open', () => this.#socket.send(text))
  }

  until(matches: (message: Told) => boolean): Promise<Told> {
    const known = this.told.find(matches)
    if (known !== undefined) return Promise.resolve(known)
    return new Promise((resolve) => this.#waiting.push({ matches, resolve }))
  }
}

interface Told {
  readonly type: string
  readonly signals?: readonly { readonly id: number; readonly name: string; readonly kind: string }[]
  readonly rows?: readonly { readonly time: number; readonly from: string; readonly text: string }[]
  readonly pixels?: number[][]
}

test('numbers in events are traces, the newest events are lines', async (t) => {
  const source = sourceOf('stream-sea')
  const view = await View.open(source)
  const event = (n: number): Row => ({
    stream: 'orders',
    schema_version: '1',
    rx: 1_700_000_000_000_000_000n + BigInt(n) * 1_000_000n,
    payload: JSON.stringify({ n, ok: true, name: 'x', values: [0.5 * n, -n], deep: { a: { b: { c: { d: 1 } } } } }),
  })
  view.write(tableOf('event', [event(1)]))
  const page = new Page(view)
  const { rows } = await page.until(({ type }) => type === 'rows')
  t.is(rows?.[0]?.from, 'orders')
  t.is(rows?.[0]?.time, 1_700_000_000_001)
  t.is((JSON.parse(rows?.[0]?.text ?? '{}') as { n: number }).n, 1)
  const { signals = [] } = await page.until(({ type, signals }) => type === 'source' && (signals?.length ?? 0) >= 4)
  const names = signals.map(({ name }) => name).filter((name) => name !== 'rows a second')
  t.deepEqual(names, ['n', 'ok', 'values/0', 'values/1'])
  const wanted = signals.find(({ name }) => name === 'values/1')?.id ?? -1
  page.look([wanted], 1)
  await view.looked()
  view.write(tableOf('event', [event(7), event(8)]))
  const { pixels: drawn } = await page.until(({ type }) => type === 'pixels')
  t.deepEqual(drawn, [
    [wanted, 1_700_000_000_007, -7, -7],
    [wanted, 1_700_000_000_008, -8, -8],
  ])
  t.is(view.stored, 3)
  await view.close()
})

test('a fast stream of events is sampled, what is no JSON is a line too', async (t) => {
  const view = await View.open(sourceOf('stream-sea'))
  const page = new Page(view)
  page.look([0], 1)
  await view.looked()
  const events = Array.from({ length: 20_000 }, (_, n) => ({
    stream: 's',
    schema_version: '',
    rx: 1n,
    payload: `{${n}`,
  }))
  view.write(tableOf('event', events))
  const { rows } = await page.until(({ type }) => type === 'rows')
  t.true((rows?.length ?? 0) > 0 && (rows?.length ?? 0) <= 100)
  t.is(rows?.at(-1)?.text, '{19999')
  await view.close()
})

test('a record is a line and its bytes a trace; a text among measurements is a line', async (t) => {
  const view = await View.open(sourceOf('cdtp'))
  const page = new Page(view)
  page.look([0], 1)
  await view.looked()
  const record = (kind: number, seq: number, blocks: Uint8Array[]): Row => ({
    run: 'run_1',
    sender: 'Cam.One',
    kind,
    seq,
    time: 5_000_000n,
    rx: 6_000_000n,
    condition: 0,
    tags: new Uint8Array([0x80]),
    blocks,
  })
  view.write(
    tableOf('record', [record(1, 0, []), record(0, 1, [new Uint8Array(30), new Uint8Array(12)]), record(2, 0, [])]),
  )
  const { rows = [] } = await page.until(({ type }) => type === 'rows')
  t.deepEqual(
    rows.map(({ from, text }) => `${from}: ${text}`),
    ['Cam.One: BOR 0 of run_1, 0 bytes', 'Cam.One: DATA 1 of run_1, 42 bytes', 'Cam.One: EOR 0 of run_1, 0 bytes'],
  )
  await view.close()

  const signals = new SignalTable()
  signals.add({ nativeId: Buffer.from('door'), name: 'door' })
  const texts = await View.open(sourceOf('sisock', signals))
  const other = new Page(texts)
  other.look([0], 1)
  await texts.looked()
  texts.write(tableOf('measurement', [{ time: 9_000_000n, value: null, signal: 0, flags: 0, text: 'open' }]))
  texts.write(tableOf('measurement', [{ time: 9_000_000n, value: 3, signal: 0, flags: 0 }]))
  t.deepEqual((await other.until(({ type }) => type === 'rows')).rows, [{ time: 9, from: 'door', text: 'open' }])
  t.deepEqual((await other.until(({ type }) => type === 'pixels')).pixels, [[0, 9, 3, 3]])
  await texts.close()
})

test('a recording is played at its pace from the first look', async (t) => {
  const clock = new SimulatedClock()
  const signals = new SignalTable()
  signals.add({ nativeId: Buffer.from('s'), name: 's' })
  const view = await View.open(sourceOf('tia', signals))
  const playback = new Playback(view, 10, undefined, clock)
  let isDone = false
  const playing = playback
    .write(
      batch([
        [0, 1000, 1],
        [0, 2000, 2],
        [0, 3000, 3],
      ]),
    )
    .then(() => {
      isDone = true
    })
  await clock.advance(60_000)
  t.false(isDone)
  const page = new Page(view)
  page.look([0], 1)
  await view.looked()
  t.deepEqual((await page.until(({ type }) => type === 'pixels')).pixels, [[0, 1000, 1, 1]])
  await clock.advance(110)
  t.false(isDone)
  await page.until(({ pixels }) => pixels?.[0]?.[1] === 2000)
  await clock.advance(110)
  await playing
  await page.until(({ pixels }) => pixels?.[0]?.[1] === 3000)
  t.is(playback.stored, 3)
  await view.close()
})

test('a recording that nobody looks at ends when it is told to', async (t) => {
  const abort = new AbortController()
  const view = await View.open(sourceOf('tia'))
  const playing = new Playback(view, 1, abort.signal).write(batch([[0, 1, 1]]))
  abort.abort()
  await playing
  t.is(view.stored, 1)
  await view.close()
})
