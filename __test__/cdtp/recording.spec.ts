// What is recorded or captured can be sent again, and comes out the same.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { decode, decodeCapture } from '../../ts/cdtp/decode.js'
import { Hdf5Sink } from '../../ts/cdtp/hdf5-sink.js'
import { DataTransmitter, EndpointSource, RunCondition, timestampOf } from '../../ts/cdtp/index.js'
import { PushTransport } from '../../ts/cdtp/push-transport.js'
import { serveRecording } from '../../ts/cdtp/serve-recording.js'
import { describeSource } from '../../ts/cdtp/source.js'
import { pipeline } from '../../ts/ingest/index.js'
import {
  CAPTURE_KIND,
  type CaptureItem,
  CapturingNetwork,
  SimulatedClock,
  systemClock,
  systemNetwork,
} from '../../ts/session/index.js'
import { openRecording, StoreSink } from '../../ts/store/index.js'
import { readRows } from '../../ts/store/rows.js'

const NAME = 'Camera.front'
const ENDPOINT = 'tcp://127.0.0.1:*'

/** Sends runs: the first with gaps, binary tags, records of no and of several blocks. */
async function sendRuns(transmitter: DataTransmitter, runs: number): Promise<void> {
  for (let run = 1; run <= runs; run++) {
    await transmitter.sendBor({ run, at: timestampOf(123n) }, { nested: { list: [1, 2], on: true } })
    transmitter.startSending()
    for (let n = 1; n <= 500; n++) {
      const record = transmitter.newDataRecord(n % 5 === 0 ? undefined : { n, raw: Uint8Array.of(n), dtype: 'uint16' })
      for (let block = 0; block < n % 3; block++) record.addBlock(Buffer.alloc(2 * n, n + block))
      if (run > 1 || (n !== 7 && n !== 8)) await transmitter.sendDataRecord(record)
    }
    await transmitter.stopSending()
    await transmitter.sendEor({ bye: run }, { condition_code: RunCondition.GOOD, data_records: 500 })
  }
}

async function record(port: number, directory: string, runs: number): Promise<{ stored: number; lost: unknown[] }> {
  const source = new EndpointSource('127.0.0.1', port, { runs, reconnect: false, name: 'detector' })
  await source.connect()
  const sink = await StoreSink.open(directory)
  const { books, losses } = await pipeline(source, sink)
  await sink.close()
  return { stored: books.stored, lost: losses.map(({ source, firstSeq, lastSeq }) => [source, firstSeq, lastSeq]) }
}

async function rowsIn(directory: string, run: string): Promise<unknown[]> {
  const rows = await readRows<Record<string, unknown>>(join(directory, 'detector', 'record', run, '000001.arrows'))
  return rows.map(({ time, rx, ...rest }) => rest)
}

test('a recording is served again: senders, numbers, tags and blocks as they came, what was missing missing again', async (t) => {
  const [first, second] = await Promise.all([1, 2].map(() => mkdtemp(join(tmpdir(), 'measurand-cdtp-'))))
  const transmitter = await DataTransmitter.bind({ name: NAME, endpoint: ENDPOINT, portable: false })
  const sending = sendRuns(transmitter, 2)
  const recorded = await record(transmitter.port, first as string, 2)
  await sending
  await transmitter.close()
  t.deepEqual(recorded, { stored: 998, lost: [[NAME, 7n, 8n]] })

  let sent: Promise<bigint> = Promise.resolve(0n)
  const port = await new Promise<number>((resolve, reject) => {
    sent = serveRecording({ directory: first as string, port: 0, onListening: resolve })
    sent.catch(reject)
  })
  t.deepEqual(await record(port, second as string, 2), recorded)
  t.is(await sent, 998n)
  for (const run of ['run_1', 'run_2']) {
    const rows = await rowsIn(first as string, run)
    t.is(rows.length, run === 'run_1' ? 502 : 504)
    t.deepEqual(await rowsIn(second as string, run), rows)
  }
  for (const directory of [first, second]) await rm(directory as string, { recursive: true })
})

test('the pace of a recording counts from when a receiver is there', async (t) => {
  const HOUR = 3_600_000
  const directory = await mkdtemp(join(tmpdir(), 'measurand-cdtp-'))
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await new Promise((resolve) => setImmediate(resolve))
  }
  const transmitter = await DataTransmitter.bind({ name: NAME, endpoint: ENDPOINT })
  const recorder = new SimulatedClock()
  const options = { runs: 1, reconnect: false, name: 'detector' } as const
  const source = new EndpointSource('127.0.0.1', transmitter.port, { ...options, clock: recorder })
  await source.connect()
  const sink = await StoreSink.open(directory)
  const recorded = pipeline(source, sink)
  await transmitter.sendBor({}, {})
  transmitter.startSending()
  await transmitter.sendDataRecord(transmitter.newDataRecord())
  await transmitter.stopSending()
  await until(() => source.stats.received === 1)
  await recorder.advance(HOUR)
  await transmitter.sendEor({}, {})
  await recorded
  await sink.close()
  await transmitter.close()

  const clock = new SimulatedClock()
  let sent: Promise<bigint> = Promise.resolve(0n)
  let isSent = false
  const port = await new Promise<number>((resolve) => {
    sent = serveRecording({ directory, port: 0, speed: 1, clock, onListening: resolve })
  })
  void sent.then(() => {
    isSent = true
  })
  await clock.advance(HOUR)
  const again = new EndpointSource('127.0.0.1', port, options)
  await again.connect()
  const reading = again.consume(() => {})
  await until(() => clock.pending > 0 || isSent)
  t.false(isSent)
  await until(() => again.stats.received === 1)
  await clock.advance(HOUR)
  t.is(await sent, 1n)
  await reading
  await rm(directory, { recursive: true })
})

test('runs are served in the order of their numbers', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'measurand-cdtp-'))
  const transmitter = await DataTransmitter.bind({ name: NAME, endpoint: ENDPOINT })
  const sending = (async () => {
    for (let run = 1; run <= 11; run++) {
      await transmitter.sendBor({ run }, {})
      await transmitter.sendEor({}, {})
    }
  })()
  await record(transmitter.port, directory, 11)
  await sending
  await transmitter.close()
  let sent: Promise<bigint> = Promise.resolve(0n)
  const port = await new Promise<number>((resolve) => {
    sent = serveRecording({ directory, port: 0, onListening: resolve })
  })
  const source = new EndpointSource('127.0.0.1', port, { runs: 11, reconnect: false })
  await source.connect()
  const order: unknown[] = []
  for await (const batch of source) if (batch.kind === 1) order.push(batch.userTags['run'])
  await sent
  t.deepEqual(order, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
  await rm(directory, { recursive: true })
})

test('a capture has every frame, is decoded, and replayed byte for byte', async (t) => {
  const capture = async (port: number): Promise<CaptureItem[]> => {
    const items: CaptureItem[] = []
    const take = (item: CaptureItem): void => void items.push({ ...item, bytes: item.bytes.slice() })
    const network = new CapturingNetwork(systemNetwork, systemClock, take)
    const source = new EndpointSource('127.0.0.1', port, { runs: 1, reconnect: false, network })
    await source.connect()
    await source.consume(() => {})
    return items
  }
  const transmitter = await DataTransmitter.bind({ name: NAME, endpoint: ENDPOINT, portable: false })
  const sending = sendRuns(transmitter, 1)
  const items = await capture(transmitter.port)
  await sending
  await transmitter.close()
  t.true(items.length >= 3)
  t.true(items.every(({ kind, direction }) => kind === CAPTURE_KIND.zeromq && direction === 'received'))

  const lines: Record<string, unknown>[] = []
  const captured = (async function* () {
    yield* items
  })()
  for await (const line of decodeCapture(captured)) lines.push(line as Record<string, unknown>)
  t.is(lines.filter(({ event, kind }) => event === 'record' && kind === 0).length, 498)
  t.deepEqual(
    lines.filter(({ event }) => event === 'message').map(({ offset, length }) => [offset, length]),
    items.map(({ bytes }, at) => [items.slice(0, at).reduce((sum, one) => sum + one.bytes.length, 0), bytes.length]),
  )

  const transport = await PushTransport.bind({ host: '127.0.0.1', port: 0 })
  transport.start({ onChunk: () => {}, onClose: () => {} })
  for (const { bytes } of items) transport.write(bytes)
  const again = await capture(transport.localPort)
  transport.end()
  t.deepEqual(
    again.map(({ bytes }) => Buffer.from(bytes)),
    items.map(({ bytes }) => Buffer.from(bytes)),
  )
})

test('messages one behind the other are decoded; what follows and is none is passed over', async (t) => {
  const message = (n: number): Buffer =>
    Buffer.concat([Buffer.from('\xa5CDTP\x02\xa3A.b\x00\x91\x93', 'latin1'), Buffer.of(n, 0x80, 0x90)])
  const lines: Record<string, unknown>[] = []
  const bytes = Buffer.concat([message(1), message(2), Buffer.from('rest')])
  for await (const line of decode([bytes].values() as unknown as AsyncIterable<Uint8Array>)) {
    lines.push(line as Record<string, unknown>)
  }
  t.deepEqual(
    lines.map(({ event, offset, seq }) => [event, offset ?? seq]),
    [
      ['message', 0],
      ['record', '1'],
      ['message', message(1).length],
      ['record', '2'],
    ],
  )
})

test('asking what listens at an address takes nothing of its run away', async (t) => {
  const transmitter = await DataTransmitter.bind({ name: NAME, endpoint: ENDPOINT, portable: false })
  const place = {
    host: '127.0.0.1',
    port: transmitter.port,
    path: '',
    option: () => undefined,
    integer: () => undefined,
  }
  const told: string[] = []
  transmitter.status.on(({ state }) => told.push(state))
  const sending = sendRuns(transmitter, 1)
  const { meta } = await describeSource(place, systemNetwork)
  t.deepEqual(meta, { protocol: 'ZMTP 3.1', socket: 'PUSH', role: 'a transmitter, for one receiver' })
  const source = new EndpointSource('127.0.0.1', transmitter.port, { runs: 1, reconnect: false })
  await source.connect()
  await source.consume(() => {})
  await sending
  t.is(source.stats.received, 498)
  t.is(told[0], 'peer-joined')
  await transmitter.close()
  const other = await systemNetwork.listen({ host: '127.0.0.1', port: 0 }, (client) => client.close())
  await t.throwsAsync(describeSource({ ...place, port: other.port }, systemNetwork), {
    code: 'ERR_SESSION_CONNECT_REFUSED',
  })
  await other.close()
})

test("a run as HDF5 has the layout of Constellation's own writer", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'measurand-cdtp-'))
  const transmitter = await DataTransmitter.bind({ name: NAME, endpoint: ENDPOINT, portable: false })
  const sending = sendRuns(transmitter, 1)
  await record(transmitter.port, directory, 1)
  await sending
  await transmitter.close()
  const [source] = await openRecording(directory)
  if (source === undefined) throw new Error('no source')
  const path = join(directory, 'run.h5')
  const sink = await Hdf5Sink.open(path, source)
  t.is((await pipeline(source, sink)).books.stored, 498)
  await sink.close()

  const { File, ready } = await import('h5wasm/node')
  await ready
  const file = new File(path, 'r')
  type Attributes = Record<string, { value: unknown }>
  const attributes = (of: string) => (file.get(of) as unknown as { attrs: Attributes }).attrs
  const group = file.get(NAME) as unknown as { keys(): string[] }
  t.is(group.keys().length, 500)
  t.false(group.keys().includes('data_000000007'))
  t.is(attributes(`${NAME}/BOR/user_tags`)['run']?.value, 1n)
  t.is(attributes(`${NAME}/BOR/user_tags`)['at']?.value, '1970-01-01T00:00:00.000000123+00:00')
  t.deepEqual(attributes(`${NAME}/BOR/configuration`)['nested.list']?.value, BigInt64Array.of(1n, 2n))
  t.is(attributes(`${NAME}/BOR/configuration`)['nested.on']?.value, 1)
  t.is(attributes(`${NAME}/EOR/run_metadata`)['condition']?.value, 'INCOMPLETE')
  t.is(attributes(`${NAME}/data_000000011`)['n']?.value, 11n)
  const blocks = (of: string) => (file.get(of) as unknown as { value: unknown }).value
  t.deepEqual(blocks(`${NAME}/data_000000011/block_01`), new Uint16Array(11).fill(0x0c0c))
  t.deepEqual(blocks(`${NAME}/data_000000010/block_00`), new Uint8Array(20).fill(10))
  file.close()
  await rm(directory, { recursive: true })
})
