import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { MeasurementBatch } from '../../ts/batch/index.js'
import { imbalance, type Transport } from '../../ts/session/index.js'
import { StoreSink } from '../../ts/store/index.js'
import { readState } from '../../ts/store/reader.js'
import { TIA_SIG_EEG, TIA_SIG_EMG, TiASignalConfig } from '../../ts/tia/index.js'
import { counting, Pair, pushed, status, turn } from './pair.js'

const NO_CHANCE = { jitter: 0 }

test('measurements have times, labels, ids and positions', async (t) => {
  const pair = new Pair()
  const labels = ['Cz', 'Pz']
  const signal = new TiASignalConfig({
    channels: 2,
    sampleRate: 1000,
    blocksize: 4,
    id: 0,
    sigtype: TIA_SIG_EEG,
    labels,
  })
  await pair.server.start([signal])
  const client = pair.client()
  await client.connect()
  await client.startStreaming()
  await pair.clock.advance(100)
  pair.server.push(signal, [1, 2, 3, 4, 10, 20, 30, 40])
  for await (const batch of client) {
    const start = pair.clock.now() - 3_000_000n
    t.deepEqual([...batch.value], [1, 2, 3, 4, 10, 20, 30, 40])
    t.deepEqual(
      [...batch.time],
      [0n, 1n, 2n, 3n, 0n, 1n, 2n, 3n].map((ms) => start + ms * 1_000_000n),
    )
    t.deepEqual([...(batch.idx ?? [])], [0, 1, 2, 3, 0, 1, 2, 3])
    t.deepEqual(new Set(batch.seq), new Set([0n]))
    t.deepEqual(
      [...client.signals].map(({ name, kind, rateHz }) => [name, kind, rateHz]),
      [
        ['Cz', 'eeg', 1000],
        ['Pz', 'eeg', 1000],
      ],
    )
    break
  }
  t.like(client.describe(), { peer: '127.0.0.1:9000', quirks: [] })
  t.like(client.describe().meta, { subject: { id: 'subject0' }, master: { sampleRate: 1000, blocksize: 4 } })
  t.is((pair.client({ subject: 'P-17' }).describe().meta as { subject: { id: string } }).subject.id, 'P-17')
  t.false('subject' in pair.client({ subject: false }).describe().meta)
  await pair.close(client)
})

test('one client gives one form', async (t) => {
  const pair = new Pair()
  const signal = pushed(1, 100, 1)
  await pair.server.start([signal])
  const client = pair.client()
  await client.connect()
  await client.startStreaming()
  pair.server.push(signal, [1])
  t.is((await client.getData()).length, 1)
  t.throws(() => client[Symbol.asyncIterator](), { code: 'ERR_TIA_CONSUMER_FORM' })
  await client.stopStreamingData()
  t.deepEqual(await client.getData(), [])
  await pair.close(client)
})

test('a server that has ended before anybody reads: what it sent is read all the same', async (t) => {
  for (const form of ['measurements', 'packets']) {
    for (const watches of [true, false]) {
      const pair = new Pair()
      const signal = pushed(2, 100, 2)
      await pair.server.start([signal])
      const client = pair.client({ reconnect: false })
      await client.connect()
      if (watches) await client.watchServerState()
      await client.startStreaming()
      for (let packet = 0; packet < 3; packet++) pair.server.push(signal, [1, 2, 3, 4])
      await pair.server.drain()
      for (let turns = 0; turns < 5; turns++) await turn()
      t.is(client.state, 'connected')
      let samples = 0
      const read = async (): Promise<void> => {
        if (form === 'packets') for await (const batch of client.packets()) samples += batch.samples.length
        else for await (const batch of client) samples += batch.length
      }
      const reading = read().catch((error) => error)
      for (let ms = 0; ms < 3000; ms += 100) await pair.clock.advance(100)
      const error = (await reading) as { code?: string } | undefined
      t.is(samples, 12)
      t.is(error?.code, watches ? undefined : 'ERR_SESSION_CONNECTION_LOST')
      t.is(client.state, 'closed')
    }
  }
})

test('a connection that ends before its stream starts is told at once', async (t) => {
  const pair = new Pair()
  await pair.server.start([pushed(1, 100, 1)])
  const client = pair.client({ reconnect: false })
  await client.connect()
  await pair.server.close()
  t.is(((await client.closed) as { code?: string } | undefined)?.code, 'ERR_SESSION_CONNECTION_LOST')
})

test('the server restarts: the stream goes on, the gap is in the ledger', async (t) => {
  const pair = new Pair()
  await pair.server.start([counting(2, 100, 2)])
  const client = pair.client({ reconnect: NO_CHANCE })
  await client.connect()
  await client.startStreaming()
  let samples = 0
  const late: bigint[] = []
  void client.consume((batch) => {
    samples += batch.length
    for (const time of batch.time) late.push(pair.clock.now() - time)
  })
  await pair.clock.advance(1000)
  const before = samples
  t.true(before >= 180)
  await pair.server.close()
  await pair.clock.advance(100)
  t.is(client.state, 'reconnecting')
  const next = pair.makeServer()
  await next.start([counting(2, 100, 2)])
  await pair.clock.advance(2000)
  t.is(client.state, 'connected')
  t.true(samples > before + 100)
  t.is(client.stats.reconnects, 1)
  t.deepEqual(
    [...client.ledger].map(({ cause, count }) => [cause, count]),
    [['disconnect', null]],
  )
  t.is(client.stats.received, samples)
  // Header times began anew, times in UTC did not.
  t.true(late.every((ns) => ns >= -20_000_000n && ns <= 40_000_000n))
  const { anchor, earlier } = client.describe().clock as { anchor: string; earlier: { anchor: string }[] }
  t.is(earlier.length, 1)
  t.true(BigInt(anchor) - BigInt(earlier[0]?.anchor ?? anchor) > 1_000_000_000n)
  await client.close()
  await next.close()
})

test('the session table has the offset and the drift of the clock as they are at last', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'tia-clock-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const pair = new Pair()
  const signal = pushed(1, 100, 1)
  await pair.server.start([signal])
  const client = pair.client({ name: 'lab' })
  await client.connect()
  await client.startStreaming()
  const sink = await StoreSink.open(directory, { clock: pair.clock })
  const recording = client.consume((batch) => sink.write(batch, client))
  const start = pair.clock.elapsed()
  for (let second = 0; second < 90; second++) {
    await pair.clock.advance(1000)
    // The server's clock loses 100 us a second, and its first packet comes 5 ms late.
    const us = (pair.clock.elapsed() - start) * 1000 * (1 - 1e-4) - (second === 0 ? 5000 : 0)
    pair.server.push(signal, [second], [us])
    for (let n = 0; n < 4; n++) await turn()
  }
  await client.drain()
  await recording
  await sink.close()
  const { session } = await readState(join(directory, 'lab'))
  const clock = JSON.parse(session?.clock ?? '{}') as { unitNs: number; offsetNs: number; driftPpm: number }
  t.is(clock.unitNs, 1000)
  t.true(clock.offsetNs <= -4_800_000 && clock.offsetNs >= -5_000_000, String(clock.offsetNs))
  t.true(Math.abs(clock.driftPpm - 100) < 2, String(clock.driftPpm))
  await pair.close()
})

test("libtia's clock counts 10 us: as told, as measured, or suspected", async (t) => {
  for (const [timestampUnit, quirks] of [
    ['10us', []],
    ['auto', ['timestamp-unit-10us']],
    ['us', ['timestamp-unit-suspected-10us']],
  ] as const) {
    const pair = new Pair()
    const signal = pushed(1, 100, 1)
    await pair.server.start([signal])
    const client = pair.client({ timestampUnit })
    await client.connect()
    await client.startStreaming()
    const late: number[] = []
    const reading = client.consume((batch) => void late.push(Number(pair.clock.now() - (batch.time[0] ?? 0n)) / 1e6))
    for (let n = 0; n < 30; n++) {
      await pair.clock.advance(100)
      pair.server.push(signal, [n], [10_000 * n])
      for (let turns = 0; turns < 4; turns++) await turn()
    }
    t.deepEqual(client.describe().quirks, quirks)
    const isRight = Math.abs(late.at(-1) ?? 1000) < 1
    t.is(isRight, timestampUnit !== 'us', String(late.at(-1)))
    await pair.close(client)
    await reading
  }
})

test('datagrams that are lost are counted sample by sample', async (t) => {
  const lost = new Set([2, 3, 7])
  const pair = new Pair({}, { loses: (n) => lost.has(n) })
  const signal = pushed(4, 100, 2)
  await pair.server.start([signal])
  const client = pair.client()
  await client.connect()
  await client.startStreaming({ transport: 'udp' })
  const ids: bigint[] = []
  void client.consume((batch: MeasurementBatch) => void ids.push(...(batch.seq ?? [])))
  for (let n = 0; n < 10; n++) {
    pair.server.push(signal, new Float32Array(8))
    await turn()
    await turn()
  }
  await turn()
  t.deepEqual([...new Set(ids)], [0n, 1n, 4n, 5n, 6n, 8n, 9n])
  t.deepEqual(
    [...client.ledger].map(({ cause, firstSeq, lastSeq, count }) => [cause, firstSeq, lastSeq, count]),
    [
      ['wire', 2n, 3n, 16],
      ['wire', 7n, 7n, 8],
    ],
  )
  t.is(client.stats.lost, 24)
  await pair.close(client)
})

test('late and doubled datagrams: what was missing is recovered, what came twice is left out', async (t) => {
  const pair = new Pair()
  const signal = pushed(1, 100, 1)
  await pair.server.start([signal])
  const client = pair.client()
  await client.connect()
  const [, port] = await client.cmdGetDataConnectionUdp()
  await client.startStreamingDataUdp(port)
  const values: number[] = []
  void client.consume((batch) => void values.push(...batch.value))
  const forger = await pair.network.datagrams({ remote: { host: '127.0.0.1', port } })
  for (const id of [0, 1, 3, 2, 2, 4]) {
    forger.write(packet(id, 10 * id))
    await turn()
    await turn()
  }
  await turn()
  t.deepEqual(values, [0, 10, 30, 20, 40])
  t.like(client.stats, { received: 6, duplicate: 1, lost: 1, recovered: 1 })
  t.is(imbalance({ ...client.stats, stored: values.length }), 0)
  t.is(client.ledger.totals.open, 0)
  forger.close()
  await pair.close(client)
})

/** A server of one channel in plain text, which gives every data connection to `serve`. */
async function scripted(pair: Pair, serve: (data: Transport) => void, onStop = (): void => {}): Promise<void> {
  const xml =
    '<tiaMetaInfo version="1.0"><signal type="eeg" samplingRate="1" blockSize="1" numChannels="1"/></tiaMetaInfo>'
  await pair.network.listen({ host: '127.0.0.1', port: 9000 }, (transport) => {
    const answer = (text: string): string => {
      if (text.includes('MetaInfo')) return `MetaInfo\nContent-Length:${xml.length}\n\n${xml}`
      return text.includes('GetData') ? 'DataConnectionPort: 9001\n\n' : 'OK\n\n'
    }
    transport.start({
      onChunk: (bytes) => {
        const text = Buffer.from(bytes).toString()
        if (!text.includes('Stop')) {
          transport.write(Buffer.from(`TiA 1.0\n${answer(text)}`))
          return
        }
        onStop()
        pair.clock.after(100, () => transport.write(Buffer.from('TiA 1.0\nOK\n\n')))
      },
      onClose: () => {},
    })
  })
  await pair.network.listen({ host: '127.0.0.1', port: 9001 }, (transport) => {
    transport.start({ onChunk: () => {}, onClose: () => {} })
    serve(transport)
  })
}

test('a lying packet costs its connection, not the session', async (t) => {
  const pair = new Pair()
  const bad = readFileSync(new URL('../vectors/tia/synthetic/bad-size-lies.bin', import.meta.url))
  let times = 0
  await scripted(pair, (data) => {
    data.write(packet(0, 5))
    if (times++ === 0) data.write(bad)
  })
  const client = pair.client({ reconnect: NO_CHANCE })
  await client.connect()
  await client.startStreaming()
  const malformed = status(client, 'malformed')
  const values: number[] = []
  void client.consume((batch) => void values.push(...batch.value))
  t.like((await malformed).detail, { code: 'ERR_TIA_PACKET_LAYOUT', length: bad.length })
  await pair.clock.advance(1000)
  t.deepEqual(values, [5, 5])
  t.deepEqual(
    [...client.ledger].map(({ cause, bytes }) => [cause, bytes]),
    [
      ['decoder', bad.length],
      ['disconnect', null],
    ],
  )
  await client.close()
})

test('a packet that the end of the connection cuts is in the ledger', async (t) => {
  const pair = new Pair()
  let times = 0
  await scripted(pair, (data) => {
    data.write(packet(0, 5))
    if (times++ > 0) return
    data.write(packet(1, 6).subarray(0, 20))
    data.end()
  })
  const client = pair.client({ reconnect: NO_CHANCE })
  await client.connect()
  await client.startStreaming()
  const malformed = status(client, 'malformed')
  const values: number[] = []
  void client.consume((batch) => void values.push(...batch.value))
  t.like((await malformed).detail, { code: 'ERR_TIA_PACKET_TRUNCATED', offset: 41, length: 20 })
  await pair.clock.advance(1000)
  t.deepEqual(values, [5, 5])
  t.deepEqual(
    [...client.ledger].map(({ cause, bytes }) => [cause, bytes]),
    [
      ['decoder', 20],
      ['disconnect', null],
    ],
  )
  await client.close()
})

test('a data connection that is closed before the answer to Stop is none that was lost', async (t) => {
  const pair = new Pair()
  let data: Transport | undefined
  const close = (): void => {
    data?.write(packet(1, 6).subarray(0, 20))
    data?.end()
  }
  await scripted(
    pair,
    (transport) => {
      data = transport
      transport.write(packet(0, 5))
    },
    close,
  )
  const client = pair.client({ reconnect: NO_CHANCE })
  await client.connect()
  await client.startStreaming()
  t.is((await client.getData()).length, 1)
  const stopped = client.stopStreamingData()
  await pair.clock.advance(200)
  t.true(await stopped)
  t.is(client.state, 'connected')
  t.is([...client.ledger].length, 0)
  await client.startStreaming()
  t.is((await client.getData()).length, 1)
  await client.close()
})

test('a refusal has the text of the server, a silent server a time', async (t) => {
  const pair = new Pair()
  await pair.server.start([counting(1, 100, 1)])
  const client = pair.client({ requestTimeout: 500 })
  await client.connect()
  await t.throwsAsync(client.cmdSetCustomSignalInfo([{ type: 'eeg', channels: [7] }]), {
    code: 'ERR_TIA_REQUEST_REFUSED',
    message: /does not exist/,
  })
  await t.throwsAsync(client.stopStreamingData(), { code: 'ERR_TIA_CONNECTION_MISSING' })
  await pair.close(client)
  await pair.network.listen({ host: '127.0.0.1', port: 9000 }, (transport) => {
    transport.start({ onChunk: () => {}, onClose: () => {} })
  })
  const other = pair.client({ requestTimeout: 500, reconnect: false })
  await other.connect()
  const refused = t.throwsAsync(other.cmdCheckProtocolVersion(), { code: 'ERR_TIA_REQUEST_TIMEOUT' })
  await pair.clock.advance(500)
  await refused
  await other.close()
})

test('chosen channels, fewer samples', async (t) => {
  const pair = new Pair()
  const signal = pushed(3, 1000, 4)
  const slave = new TiASignalConfig({
    channels: 1,
    sampleRate: 0,
    blocksize: 1,
    id: 'emg',
    isMaster: false,
    sigtype: TIA_SIG_EMG,
  })
  await pair.server.start([signal, slave])
  const client = pair.client()
  await client.connect()
  await client.startStreaming({ choose: [{ type: 'eeg', channels: [2], downsampling: 2 }] })
  t.is(client.metaInfo?.signals.length, 1)
  t.like(client.metaInfo?.signals[0], { sampleRate: 500, blocksize: 2, channels: 1, labels: ['channel3'] })
  for (let n = 0; n < 3; n++) pair.server.push(signal, [0, 0, 0, 0, 0, 0, 0, 0, 5, 5, 5, 5])
  const [packet] = await client.getData()
  t.deepEqual(packet?.blocksizes, [2])
  t.true((packet?.getChannel(0, 0) ?? []).every((value) => Math.abs(value - 5) < 1e-4))
  t.throws(() => packet?.getChannel(1), { code: 'ERR_TIA_CHANNEL_UNKNOWN' })
  t.throws(() => packet?.getChannel(0, 1), { code: 'ERR_TIA_CHANNEL_UNKNOWN' })
  t.is([...client.ledger].length, 0)
  await pair.close(client)
})

/** A packet of one channel of EEG with one sample. */
function packet(id: number, value: number): Buffer {
  const bytes = Buffer.alloc(41)
  bytes.writeUInt8(3, 0)
  bytes.writeUInt32LE(41, 1)
  bytes.writeUInt32LE(1, 5)
  bytes.writeBigUInt64LE(BigInt(id), 9)
  bytes.writeBigUInt64LE(BigInt(id), 17)
  bytes.writeBigUInt64LE(BigInt(id * 1000), 25)
  bytes.writeUInt16LE(1, 33)
  bytes.writeUInt16LE(1, 35)
  bytes.writeFloatLE(value, 37)
  return bytes
}
