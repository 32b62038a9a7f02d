import { createDecipheriv } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { MemoryNetwork, SimulatedClock, systemNetwork, type Transport } from '../../ts/session/index.js'
import { sttpWriteCommand, sttpWriteResponse } from '../../ts/sttp/codec.js'
import { DataSet } from '../../ts/sttp/data-set.js'
import { Measurement } from '../../ts/sttp/measurement.js'
import { Publisher } from '../../ts/sttp/publisher.js'
import type { PublisherOptions } from '../../ts/sttp/publisher-options.js'
import { Subscriber } from '../../ts/sttp/subscriber.js'
import type { SubscriptionSettings } from '../../ts/sttp/subscription.js'
import { Ticks } from '../../ts/sttp/ticks.js'
import { loopback } from '../loopback.js'
import { ScriptedPublisher } from './scripted-publisher.js'

const PORT = 7165
const COMPACT = 0xc000_0222
const EVERYTHING = 'FILTER ActiveMeasurements WHERE True'
const T0 = Ticks.fromMs(Date.UTC(2024, 0, 1))
const xml = readFileSync(join(import.meta.dirname, '..', 'vectors', 'sttp', 'metadata6.xml'))
const idOf = (signal: number) => `00000000-0000-4000-8000-${signal.toString(16).padStart(12, '0')}`
const quiet = { statusMessage: false, errorMessage: false, reconnect: { jitter: 0 } } as const

const turns = async (count = 20) => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** A publisher of six signals and one who subscribes to all of them, in memory. */
async function pair(
  t: ExecutionContext,
  settings: SubscriptionSettings,
  options: PublisherOptions = {},
  loses?: (n: number) => boolean,
) {
  const clock = new SimulatedClock()
  const network = new MemoryNetwork({ clock, ...(loses === undefined ? {} : { loses }) })
  const publisher = new Publisher({ clock, network, ...options })
  const [set, error] = DataSet.fromXml(xml)
  if (set === null) throw error
  publisher.defineMetadata(set)
  await publisher.start({ host: '127.0.0.1', port: PORT })
  const told: string[] = []
  const subscriber = new Subscriber({ ...quiet, clock, network, onStatus: ({ state }) => told.push(state) })
  void subscriber.subscribe(EVERYTHING, settings)
  t.teardown(async () => {
    await subscriber.close()
    await publisher.close()
  })
  return { clock, network, publisher, subscriber, told }
}

function collect(subscriber: Subscriber): string[] {
  const rows: string[] = []
  subscriber
    .consume((batch) => {
      for (let row = 0; row < batch.length; row++)
        rows.push(`${batch.signal[row]} ${batch.value[row]} ${batch.time[row]}`)
    })
    .catch(() => {})
  return rows
}

const frame = (n: number) =>
  Array.from({ length: 6 }, (_, k) => new Measurement(idOf(k), 1000 * k + 0.25 * n, T0 + BigInt(n) * 333_333n))
const rowsOf = (n: number) => frame(n).map(({ value, timestamp }, k) => `${k} ${value} ${Ticks.toNs(timestamp)}`)
const expected = (frames: number) => Array.from({ length: frames }, (_, n) => rowsOf(n)).flat()

test('measurements go by datagrams, everything else by the connection', async (t) => {
  const { publisher, subscriber } = await pair(t, { udpPort: 0 })
  await subscriber.connect('localhost:7165')
  await turns()
  const rows = collect(subscriber)
  for (let n = 0; n < 50; n++) publisher.publishMeasurements(frame(n))
  await turns()
  t.deepEqual(rows, expected(50))
  t.deepEqual(subscriber.describe().meta['channel'], 'udp')
  t.regex(String(subscriber.describe().meta['wireLoss']), /not detectable/)
  t.deepEqual([...subscriber.ledger], [])
})

test('a datagram is as long as it may be', async (t) => {
  const { publisher, subscriber } = await pair(t, { udpPort: 0 }, { dataChannel: { datagramBytes: 60 } })
  await subscriber.connect('localhost:7165')
  await turns()
  const rows = collect(subscriber)
  const before = subscriber.stats.messagesIn
  publisher.publishMeasurements([...frame(0), ...frame(1)])
  await turns()
  t.deepEqual(rows, expected(2))
  // Two measurements of 17 bytes fit behind the 11 of the head.
  t.is(subscriber.stats.messagesIn - before, 6)
  t.throws(() => new Publisher({ dataChannel: { datagramBytes: 59 } }), { code: 'ERR_STTP_OPTION_INVALID' })
  t.throws(() => new Publisher({ dataChannel: { keyLifetime: 0 } }), { code: 'ERR_STTP_OPTION_INVALID' })
})

test('encrypted: the keys come first and change without a loss', async (t) => {
  const options = { dataChannel: { encryption: 'always' as const, keyLifetime: 10_000 } }
  const { clock, publisher, subscriber, told } = await pair(t, { udpPort: 0 }, options)
  await subscriber.connect('localhost:7165')
  await turns()
  t.deepEqual(subscriber.describe().quirks, ['cipher-keys-in-clear'])
  const rows = collect(subscriber)
  for (let n = 0; n < 45; n++) {
    publisher.publishMeasurements(frame(n))
    await clock.advance(1000)
    await turns(4)
  }
  t.deepEqual(rows, expected(45))
  t.deepEqual([...subscriber.ledger], [])
  t.is(told.filter((state) => state === 'cipher-keys').length, 1 + 4 * 2)
  await subscriber.rotateCipherKeys()
  await t.throwsAsync(subscriber.rotateCipherKeys(), { code: 'ERR_STTP_KEYS_REFUSED' })
  publisher.publishMeasurements(frame(45))
  await turns()
  t.deepEqual(rows.slice(-6), rowsOf(45))
})

test('encrypted: buffer blocks are too, by the keys in use', async (t) => {
  const { clock, publisher, subscriber } = await pair(
    t,
    { udpPort: 0 },
    { dataChannel: { encryption: 'always', keyLifetime: 5000 } },
  )
  const blocks: [string, string][] = []
  subscriber.bufferBlockReceived = ({ signalId, bytes }) => blocks.push([signalId, Buffer.from(bytes).toString()])
  await subscriber.connect('localhost:7165')
  await turns()
  const wire: Buffer[] = []
  const [connection] = publisher.connections
  const { commandOutbox } = connection as NonNullable<typeof connection>
  const send = commandOutbox.send.bind(commandOutbox)
  commandOutbox.send = (frame, ...rest) => {
    wire.push(Buffer.from(frame as Uint8Array))
    return send(frame, ...rest)
  }
  const texts = ['first', 'second', 'third']
  for (const [n, text] of texts.entries()) {
    t.is(publisher.broadcastBufferBlock(idOf(n), Buffer.from(text)), 1)
    await turns()
    await clock.advance(3000)
    await turns()
  }
  t.deepEqual(
    blocks,
    texts.map((text, n) => [idOf(n), text]),
  )
  const frames = wire.filter((frame) => frame[4] === 0x88)
  t.deepEqual(
    frames.map((frame) => [frame.readUInt32BE(10), (frame[14] ?? 0) & 0x04, frame.length]),
    [
      [0, 0, 15 + 16],
      [1, 0, 15 + 16],
      [2, 4, 15 + 16],
    ],
  )
  t.deepEqual([publisher.ledger.totals.records, subscriber.ledger.totals.records], [0, 0])
})

test('what goes over the wire is AES-256-CBC', async (t) => {
  const { network, publisher } = await pair(t, {}, { dataChannel: { encryption: 'always' } })
  const datagrams: Buffer[] = []
  const socket = await network.datagrams({ port: 9000 })
  socket.start({ onChunk: (bytes) => datagrams.push(Buffer.from(bytes.subarray(2))), onClose() {} })
  const frames: Buffer[] = []
  const connection = await network.dial({ host: '127.0.0.1', port: PORT })
  connection.start({ onChunk: (bytes) => frames.push(Buffer.from(bytes)), onClose() {} })
  connection.write(sttpWriteCommand({ type: 'defineOperationalModes', modes: COMPACT }))
  const subscription = { flags: 2, filterExpression: EVERYTHING, dataChannel: 9000 }
  connection.write(sttpWriteCommand({ type: 'subscribe', subscription }))
  await turns()
  connection.write(sttpWriteCommand({ type: 'confirmUpdateSignalIndexCache' }))
  await turns()
  publisher.publishMeasurements(frame(3))
  await turns()
  const stream = Buffer.concat(frames)
  const at = stream.indexOf(Buffer.from([0x85, 0x02]))
  // Active index, then key and IV of the even pair, each behind its length.
  const payload = stream.subarray(at + 6)
  t.deepEqual([payload[0], payload.readUInt32BE(1), payload.readUInt32BE(37)], [0, 32, 16])
  const decipher = createDecipheriv('aes-256-cbc', payload.subarray(5, 37), payload.subarray(41, 57))
  const [datagram = Buffer.alloc(0)] = datagrams
  t.deepEqual([datagrams.length, datagram[0], datagram[6], datagram.readUInt32BE(2)], [1, 0x82, 2, datagram.length - 6])
  const plain = Buffer.concat([decipher.update(datagram.subarray(7)), decipher.final()])
  t.is(plain.readUInt32BE(0), 6)
  t.is(plain.length, 4 + 6 * 17)
  t.is(plain.readFloatBE(4 + 17 + 5), 1000.75)
})

test('a datagram that comes twice is duplicate, one that never comes cannot be known', async (t) => {
  const { clock, network, publisher, subscriber } = await pair(t, { udpPort: 9100 }, {}, (n) => n === 1)
  await subscriber.connect('localhost:7165')
  await turns()
  const rows = collect(subscriber)
  const twice = await network.datagrams({ remote: { host: '127.0.0.1', port: 9100 } })
  const tap = tapDatagrams(network, 9100)
  publisher.publishMeasurements(frame(0))
  publisher.publishMeasurements(frame(1))
  publisher.publishMeasurements(frame(2))
  await turns()
  twice.write(tap[0] as Uint8Array)
  await turns()
  await clock.advance(0)
  t.deepEqual(rows, [...rowsOf(0), ...rowsOf(2)])
  t.deepEqual([subscriber.stats.received, subscriber.stats.duplicate, subscriber.stats.lost], [18, 6, 0])
  t.deepEqual([...subscriber.ledger], [])
})

test('datagrams that others have overtaken are given, and told by their number', async (t) => {
  const { clock, network, publisher, subscriber, told } = await pair(
    t,
    { udpPort: 9150 },
    {},
    (n) => n === 1 || n === 4,
  )
  await subscriber.connect('localhost:7165')
  await turns()
  const rows = collect(subscriber)
  const later = await network.datagrams({ remote: { host: '127.0.0.1', port: 9150 } })
  const tap = tapDatagrams(network, 9150)
  for (let n = 0; n < 8; n++) publisher.publishMeasurements(frame(n))
  await turns()
  for (const n of [1, 4]) later.write(tap[n] as Uint8Array)
  await turns()
  await clock.advance(0)
  t.deepEqual(rows, [0, 2, 3, 5, 6, 7, 1, 4].flatMap(rowsOf))
  t.like(subscriber.describe().meta, { channel: 'udp', datagramsDropped: 0, datagramsLate: 2 })
  t.true(told.includes('datagrams-late'))
  t.deepEqual([subscriber.stats.received, subscriber.stats.duplicate, subscriber.stats.lost], [48, 0, 0])
})

/** The datagrams that a memory network brings to a port. */
function tapDatagrams(network: MemoryNetwork, port: number): Uint8Array[] {
  const taken: Uint8Array[] = []
  network.onDatagram = (datagram, to) => {
    if (to === port) taken.push(datagram.slice())
  }
  return taken
}

test('foreign and damaged datagrams are told and harm nothing', async (t) => {
  const { network, publisher, subscriber, told } = await pair(t, { udpPort: 9200 })
  await subscriber.connect('localhost:7165')
  await turns()
  const rows = collect(subscriber)
  const stranger = await network.datagrams({ remote: { host: '127.0.0.1', port: 9200 } })
  stranger.write(Buffer.from('GET / HTTP/1.1\r\n'))
  stranger.write(sttpWriteResponse({ type: 'processingComplete', text: 'over' }, COMPACT).subarray(4))
  stranger.write(Buffer.from('8202000000080200000009000000', 'hex'))
  publisher.publishMeasurements(frame(0))
  await turns()
  t.deepEqual(rows, expected(1))
  t.is(subscriber.state, 'connected')
  t.is(told.filter((state) => state === 'malformed').length, 3)
  t.is(
    [...subscriber.ledger].every(({ cause, count }) => cause === 'decoder' && count === null),
    true,
  )
})

test('settings of the data channel are checked, and refused where there is none', async (t) => {
  const subscriber = new Subscriber(quiet)
  const wrong = [
    { udpPort: -1 },
    { udpPort: 65_536 },
    { udpPort: 9000, udpInterface: 'eth0' },
    { udpPort: 9000, udpGroup: '10.0.0.1' },
    { udpPort: 0, udpGroup: '239.1.1.1' },
    { udpPort: 9000, encoding: 'tssc' as const },
  ]
  for (const settings of wrong) {
    t.throws(() => void subscriber.subscribe(EVERYTHING, settings), { code: 'ERR_STTP_SUBSCRIPTION_OPTION' })
  }
  const refusing = await pair(t, { udpPort: 0 }, { dataChannel: false })
  await t.throwsAsync(refusing.subscriber.connect('localhost:7165'), { code: 'ERR_STTP_SUBSCRIPTION_REFUSED' })
  const noGroup = await pair(t, { udpPort: 9000, udpGroup: '239.1.1.1' })
  await t.throwsAsync(noGroup.subscriber.connect('localhost:7165'), { code: 'ERR_STTP_SUBSCRIPTION_REFUSED' })
})

test('the channel is changed with the subscription, without losing the connection', async (t) => {
  const { publisher, subscriber } = await pair(t, {})
  await subscriber.connect('localhost:7165')
  await turns()
  const rows = collect(subscriber)
  publisher.publishMeasurements(frame(0))
  await turns()
  for (const [n, settings] of [
    { udpPort: 0 },
    { udpPort: 9300 },
    { udpPort: 9300, includeTime: false },
    {},
  ].entries()) {
    await subscriber.subscribe(EVERYTHING, settings)
    await turns()
    publisher.publishMeasurements(frame(n + 1))
    await turns()
  }
  const without = frame(3).map(({ value }, k) => `${k} ${value} ${-(2n ** 63n)}`)
  t.deepEqual(rows, [...expected(3), ...without, ...rowsOf(4)])
  t.is(subscriber.stats.reconnects, 0)
})

test('datagrams that come before the cache wait for it', async (t) => {
  const clock = new SimulatedClock()
  const network = new MemoryNetwork({ clock })
  const publisher = new ScriptedPublisher()
  await publisher.listen(network, PORT)
  publisher.answers = ({ type }) => (type === 'subscribe' ? [] : undefined)
  const subscriber = new Subscriber({ ...quiet, clock, network })
  t.teardown(() => subscriber.close())
  void subscriber.subscribe(EVERYTHING, { udpPort: 9400 })
  const connecting = subscriber.connect('localhost:7165')
  await turns()
  const socket = await network.datagrams({ remote: { host: '127.0.0.1', port: 9400 } })
  const packet = Buffer.from('820200000016020000000102000000013f800000', 'hex')
  socket.write(
    Buffer.concat([packet.subarray(0, 11), Buffer.from('00000000013f80000008dc0a8dfbd54000', 'hex').subarray(0, 17)]),
  )
  await turns()
  const signalIds = Buffer.alloc(32, 1)
  publisher.send(
    { type: 'signalIndexCache', cacheIndex: 0, signalIds, sources: ['A', 'A'], keyIds: BigUint64Array.of(1n, 2n) },
    { type: 'succeeded', command: 2, text: 'yes' },
  )
  await connecting
  const rows = collect(subscriber)
  await turns()
  t.is(rows.length, 1)
})

for (const [name, host] of [
  ['IPv4', '127.0.0.1'],
  ['IPv6', '::1'],
] as const) {
  test(`real sockets: ${name}`, async (t) => {
    const publisher = new Publisher({ dataChannel: { datagramBytes: 1452 } })
    publisher.defineMetadata(DataSet.fromXml(xml)[0] as DataSet)
    if (name === 'IPv6' && !loopback.hasIPv6) {
      await t.throwsAsync(publisher.start({ host, port: 0 }), { code: 'ERR_SESSION_CONNECT_FAILED' })
      return
    }
    const [, port] = await publisher.start({ host, port: 0 })
    const subscriber = new Subscriber(quiet)
    t.teardown(async () => {
      await subscriber.close()
      await publisher.close()
    })
    void subscriber.subscribe(EVERYTHING, { udpPort: 0 })
    await subscriber.connect(host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)
    const rows: string[] = []
    const enough = new Promise<void>((resolve) => {
      subscriber
        .consume((batch) => {
          for (let row = 0; row < batch.length; row++) {
            rows.push(`${batch.signal[row]} ${batch.value[row]} ${batch.time[row]}`)
          }
          if (rows.length === 600) resolve()
        })
        .catch(() => {})
    })
    // Held until the cache is confirmed.
    for (let n = 0; n < 100; n++) publisher.publishMeasurements(frame(n))
    await enough
    t.deepEqual(rows, expected(100))
  })
}

test('a group is received by everybody who has joined it', async (t) => {
  const group = '239.255.77.1'
  const options = { group, groupInterface: '127.0.0.1', host: '0.0.0.0' }
  const first: Transport = await systemNetwork.datagrams({ ...options, port: 0 })
  const second = await systemNetwork.datagrams({ ...options, port: first.localPort })
  const sender = await systemNetwork.datagrams({
    remote: { host: group, port: first.localPort },
    groupInterface: '127.0.0.1',
    groupTtl: 0,
  })
  t.teardown(() => {
    for (const socket of [first, second, sender]) socket.close()
  })
  const received = [first, second].map(
    (socket) =>
      new Promise<string>((resolve) => {
        socket.start({ onChunk: (bytes) => resolve(Buffer.from(bytes.subarray(2)).toString()), onClose() {} })
      }),
  )
  sender.write(Buffer.from('to the group'))
  t.deepEqual(await Promise.all(received), ['to the group', 'to the group'])
})
