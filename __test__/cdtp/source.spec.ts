import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { DataTransmitter, MessageType, RunCondition, TransmitterState } from '../../ts/cdtp/index.js'
import { serveSynthetic } from '../../ts/cdtp/serve.js'
import { EndpointSource } from '../../ts/cdtp/source.js'
import { pipeline } from '../../ts/ingest/index.js'
import { type Sink, Spill } from '../../ts/session/index.js'
import { auditRecording, StoreSink } from '../../ts/store/index.js'
import { freePort } from '../free-port.js'

/** Serves a synthetic run; gives the port when it listens. */
async function serve(frames: number, size = 64): Promise<{ port: number; sent: Promise<bigint> }> {
  let sent: Promise<bigint> = Promise.resolve(0n)
  const port = await new Promise<number>((resolve, reject) => {
    sent = serveSynthetic({ port: 0, frames, size, onListening: resolve })
    sent.catch(reject)
  })
  return { port, sent }
}

test('every byte of a synthetic run is as its formula says', async (t) => {
  const { port, sent } = await serve(20_000, 40)
  const source = new EndpointSource('127.0.0.1', port, { runs: 1, reconnect: false })
  await source.connect()
  let records = 0
  const kinds = new Set<number>()
  for await (const batch of source) {
    kinds.add(batch.kind)
    t.is(batch.run, 'run_1')
    if (batch.kind !== MessageType.DATA) continue
    for (const { sequenceNumber, blocks } of batch) {
      const s = ++records
      const [block] = blocks as [Uint8Array]
      let right = sequenceNumber === BigInt(s) && block.length === 40
      for (let j = 0; j < block.length; j++) right &&= block[j] === ((31 * s + 7 * j) & 0xff)
      if (!right) t.fail(`record ${s}`)
    }
    const n = batch.length - 1
    t.is(batch.at(n).tags['n'], records)
  }
  t.is(records, 20_000)
  t.is(await sent, 20_000n)
  t.deepEqual([...kinds].sort(), [0, 1, 2])
  t.is(source.stats.received, 20_000)
  t.is(await source.closed, undefined)
  t.deepEqual(source.describe().meta, { senders: ['Synthetic.One'], runs: 1 })
})

test('a recording has every record, and the begin and end of its runs', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'measurand-cdtp-'))
  const { port, sent } = await serve(5000)
  const source = new EndpointSource('127.0.0.1', port, { runs: 1, reconnect: false, name: 'detector' })
  await source.connect()
  const sink = await StoreSink.open(directory)
  const result = await pipeline(source, sink)
  await sink.close()
  await sent
  t.true(result.isComplete)
  t.like(result.books, { received: 5000, stored: 5000, duplicate: 0, dropped: 0, failed: 0 })
  t.deepEqual(await readdir(join(directory, 'detector', 'record', 'run_1')), ['000001.arrows'])
  const { tableFromIPC } = await import('apache-arrow')
  const { readFile } = await import('node:fs/promises')
  const table = tableFromIPC(await readFile(join(directory, 'detector', 'record', 'run_1', '000001.arrows')))
  t.is(table.numRows, 5004)
  t.deepEqual(
    [0, 1, 2, 5001, 5002, 5003].map((row) => [table.get(row)?.['kind'], table.get(row)?.['seq']]),
    [
      [1, 0n],
      [1, 1n],
      [0, 1n],
      [0, 5000n],
      [2, 0n],
      [2, 1n],
    ],
  )
  const row = table.get(301)
  t.is(row?.['sender'], 'Synthetic.One')
  const [block] = [...(row as unknown as { blocks: Iterable<Uint8Array> }).blocks] as [Uint8Array]
  t.deepEqual(
    [...block],
    Array.from({ length: 64 }, (_, j) => (31 * 300 + 7 * j) & 0xff),
  )
  await rm(directory, { recursive: true })
})

test('a transmitter that dies in its run leaves an aborted run and a gap in the ledger', async (t) => {
  const port = await freePort()
  const open = () => DataTransmitter.bind({ name: 'Test.one', endpoint: `tcp://127.0.0.1:${port}` })
  const first = await open()
  const source = new EndpointSource('127.0.0.1', first.port, { runs: 2 })
  await source.connect()
  const seen: [number, string, number][] = []
  const reading = source.consume((batch) => {
    if (batch.kind !== MessageType.DATA) seen.push([batch.kind, batch.run, batch.condition])
  })
  await first.sendBor({}, {})
  first.startSending()
  first.sendDataRecord(first.newDataRecord({ n: 1 }))
  await first.stopSending()
  while (source.stats.received === 0) await new Promise((resolve) => setImmediate(resolve))
  const lost = new Promise<void>((resolve) => source.status.on(({ state }) => state === 'reconnecting' && resolve()))
  await first.close()
  await lost
  let second: DataTransmitter | undefined
  while (second === undefined) second = await open().catch(() => undefined)
  await second.sendBor({}, {})
  second.startSending()
  await second.stopSending()
  await second.sendEor({}, { data_records: 0 })
  await reading
  t.deepEqual(seen, [
    [MessageType.BOR, 'run_1', 0],
    [MessageType.EOR, 'run_1', RunCondition.ABORTED],
    [MessageType.BOR, 'run_2', 0],
    [MessageType.EOR, 'run_2', 0],
  ])
  t.deepEqual(
    [...source.ledger].map(({ cause }) => cause),
    ['disconnect'],
  )
  await second.close()
})

test('nobody there is an error of the transport', async (t) => {
  const source = new EndpointSource('127.0.0.1', 1)
  await t.throwsAsync(source.connect(), { code: 'ERR_SESSION_CONNECT_REFUSED' })
})

test('a limit in the middle of a message ends at exactly that record', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'measurand-cdtp-'))
  const { port, sent } = await serve(5000)
  const source = new EndpointSource('127.0.0.1', port, { reconnect: false, name: 'detector' })
  await source.connect()
  const sink = await StoreSink.open(directory)
  const result = await pipeline(source, sink, { limit: 1234 })
  await sink.close()
  t.like(result, { endedBy: 'limit', error: undefined })
  t.like(result.books, { received: 1234, stored: 1234 })
  await sent.catch(() => {})
  await rm(directory, { recursive: true })
})

test('records that waited on disk are stored as they came', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'measurand-cdtp-'))
  const { port, sent } = await serve(20_000, 1024)
  const source = new EndpointSource('127.0.0.1', port, { runs: 1, reconnect: false, name: 'd', queueBytes: 1 << 18 })
  await source.connect()
  const store = await StoreSink.open(directory)
  const spill = new Spill()
  const kinds: string[] = []
  // The sink takes nothing until some batch waits on disk.
  let hasSpilled = false
  const sink: Sink = {
    stored: 0,
    close: () => store.close(),
    async write(batch, from) {
      kinds.push(batch.constructor.name)
      while (!hasSpilled) {
        await new Promise((resolve) => setImmediate(resolve))
        hasSpilled = spill.bytes > 0
      }
      await store.write(batch, from)
    },
  }
  const result = await pipeline(source, sink, { policy: spill })
  await sink.close()
  await sent
  t.true(result.isComplete)
  t.like(result.books, { received: 20_000, stored: 20_000, dropped: 0 })
  t.true(kinds.includes('TableBatch'), 'some batch waited on disk')
  const audited = await auditRecording(directory)
  t.true(audited.isSound)
  await rm(directory, { recursive: true })
})

test('what drop-oldest gives up is in the ledger by its numbers, and a run keeps its begin and end', async (t) => {
  const RECORDS = 20_000
  const transmitter = await DataTransmitter.bind({ name: 'Test.one', endpoint: 'tcp://127.0.0.1:*' })
  const options = { runs: 1, reconnect: false, policy: 'drop-oldest', queueBytes: 1 << 18 } as const
  const source = new EndpointSource('127.0.0.1', transmitter.port, options)
  await source.connect()
  const seen = new Uint8Array(RECORDS + 1)
  const kinds: number[] = []
  const reading = source.consume(async (batch) => {
    kinds.push(batch.kind)
    if (batch.kind === MessageType.DATA) for (const number of batch.sequences) (seen[Number(number)] as number)++
    const dropped = source.stats.dropped
    while (source.stats.dropped < dropped + 500 && transmitter.state !== TransmitterState.EOR_RECEIVED) {
      await new Promise((resolve) => setImmediate(resolve))
    }
  })
  await transmitter.sendBor({}, {})
  transmitter.startSending()
  for (let n = 1; n <= RECORDS; n++) {
    const record = transmitter.newDataRecord()
    record.addBlock(Buffer.alloc(1024))
    // Never sent: ranges of what is dropped have to end here.
    if (n % 777 !== 0) await transmitter.sendDataRecord(record)
  }
  await transmitter.stopSending()
  await transmitter.sendEor({}, { data_records: transmitter.sequenceNumber })
  await reading
  const never = Math.floor(RECORDS / 777)
  t.true(source.stats.dropped > 1000, `${source.stats.dropped} dropped`)
  t.is(source.stats.received, RECORDS - never)
  t.is(source.stats.lost, never)
  for (const { source: sender, firstSeq, lastSeq, count, bytes, cause } of source.ledger) {
    t.is(sender, 'Test.one')
    for (let n = firstSeq as bigint; n <= (lastSeq as bigint); n++) (seen[Number(n)] as number)++
    t.is(count, Number((lastSeq as bigint) - (firstSeq as bigint)) + 1)
    if (cause === 'queue') t.is(bytes, (count as number) * 1024)
  }
  t.deepEqual(
    [...seen.keys()].filter((n) => seen[n] !== (n === 0 ? 0 : 1)),
    [],
  )
  t.is(kinds.at(0), MessageType.BOR)
  t.is(kinds.at(-1), MessageType.EOR)
  await transmitter.close()
})

test('gaps of two runs stay two records, although their numbers follow one another', async (t) => {
  const transmitter = await DataTransmitter.bind({ name: 'Test.one', endpoint: 'tcp://127.0.0.1:*' })
  const source = new EndpointSource('127.0.0.1', transmitter.port, { runs: 2, reconnect: false })
  await source.connect()
  const reading = source.consume(() => {})
  for (const missing of [3, 4]) {
    await transmitter.sendBor({}, {})
    transmitter.startSending()
    for (let n = 1; n <= 5; n++) {
      const record = transmitter.newDataRecord()
      if (n !== missing) await transmitter.sendDataRecord(record)
    }
    await transmitter.stopSending()
    await transmitter.sendEor({}, { data_records: transmitter.sequenceNumber })
  }
  await reading
  t.deepEqual(
    [...source.ledger].map(({ firstSeq, lastSeq, count }) => [firstSeq, lastSeq, count]),
    [
      [3n, 3n, 1],
      [4n, 4n, 1],
    ],
  )
  await transmitter.close()
})

test('what a sink could not store is in the ledger by its numbers', async (t) => {
  const { port, sent } = await serve(20_000, 1024)
  const source = new EndpointSource('127.0.0.1', port, { runs: 1, reconnect: false })
  await source.connect()
  let stored = 0
  const sink: Sink = {
    get stored() {
      return stored
    },
    close: async () => {},
    write: async (batch, from) => {
      if (stored > 0) throw new Error('the disk is full')
      stored += from.countOf(batch)
    },
  }
  const { books, losses, isComplete } = await pipeline(source, sink)
  t.false(isComplete)
  t.true(books.failed > 0)
  const first = BigInt(stored + 1)
  t.like(losses[0], { cause: 'sink', source: 'Synthetic.One', firstSeq: first, count: books.failed })
  t.is(losses[0]?.lastSeq, first + BigInt(books.failed) - 1n)
  t.is(losses.length, 1)
  // Somebody has to take the rest, or its transmitter would wait for ever.
  const rest = new EndpointSource('127.0.0.1', port, { runs: 1, reconnect: false })
  await rest.connect()
  await rest.consume(() => {})
  await sent
})
