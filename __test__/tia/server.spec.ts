import test from 'ava'
import type { Transport } from '../../ts/session/index.js'
import {
  TIA_SIG_BUTTON,
  TIA_SIG_EEG,
  TIA_SIG_EMG,
  TIA_SIG_EVENT,
  TiAClient,
  TiAConnectionHandler,
  type TiAPacket,
  TiAServer,
  TiASignalConfig,
} from '../../ts/tia/index.js'
import { freePort } from '../free-port.js'
import { counting, Pair, pushed, turn } from './pair.js'

test('wrong signals are typed errors', async (t) => {
  const master = pushed(1, 100, 1)
  const cases: [TiASignalConfig[], string][] = [
    [[], 'ERR_TIA_SIGNAL_MASTER'],
    [[master, counting(1, 100, 1)], 'ERR_TIA_SIGNAL_MASTER'],
    [
      [
        master,
        new TiASignalConfig({ channels: 1, sampleRate: 1, blocksize: 1, id: 1, isMaster: false, sigtype: TIA_SIG_EEG }),
      ],
      'ERR_TIA_SIGNAL_DUPLICATE',
    ],
    [[pushed(65_535, 1, 65_535)], 'ERR_TIA_PACKET_LIMIT'],
  ]
  for (const [signals, code] of cases) await t.throwsAsync(new Pair().server.start(signals), { code })
  const options = { channels: 1, sampleRate: 1, blocksize: 1, id: 0 }
  t.throws(() => new TiASignalConfig({ ...options, channels: 0 }), { code: 'ERR_TIA_SIGNAL_SHAPE' })
  t.throws(() => new TiASignalConfig({ ...options, sigtype: 3 }), { code: 'ERR_TIA_SIGNAL_TYPE' })
  t.throws(() => new TiASignalConfig({ ...options, labels: ['a', 'b'] }), { code: 'ERR_TIA_OPTION_INVALID' })
})

test('at 2,000 packets/s asked it makes 2,000 over ten minutes', async (t) => {
  const pair = new Pair({ maxDelay: 50 })
  await pair.server.start([counting(1, 16_000, 8)])
  const before = pair.server.packets
  await pair.clock.advance(600_000)
  t.true(Math.abs(pair.server.packets - before - 1_200_000) <= 100, String(pair.server.packets))
  await pair.server.close()
})

test('header times are those of the last samples, cut to us', async (t) => {
  const pair = new Pair()
  await pair.server.start([counting(2, 512, 8)])
  const client = pair.client()
  await client.connect()
  await client.startStreaming()
  const packets: TiAPacket[] = []
  const reading = (async () => {
    while (packets.length < 5) packets.push(...(await client.getData()))
  })()
  await pair.clock.advance(200)
  await reading
  for (const { timestamp, packetId } of packets) {
    const sample = 8n * packetId + 7n
    t.true((timestamp - (sample * 1_000_000n) / 512n) % 15_625n <= 1n)
  }
  const first = (packets[0] as TiAPacket).getChannel(0, 1)
  t.deepEqual(
    Array.from(first).map((v) => v - (first[0] as number)),
    [0, 1, 2, 3, 4, 5, 6, 7],
  )
  await pair.close(client)
})

test('slaves come at their own rates, aperiodic signals when they have a value', async (t) => {
  const pair = new Pair()
  let [polls, presses] = [0, 0]
  await pair.server.start([
    counting(1, 100, 1),
    new TiASignalConfig({
      channels: 1,
      sampleRate: 25,
      blocksize: 1,
      callback: () => [polls++],
      id: 'slow',
      isMaster: false,
      sigtype: TIA_SIG_EMG,
    }),
    new TiASignalConfig({
      channels: 1,
      sampleRate: 200,
      blocksize: 1,
      callback: () => [7],
      id: 'fast',
      isMaster: false,
      sigtype: TIA_SIG_EVENT,
    }),
    new TiASignalConfig({
      channels: 1,
      sampleRate: 0,
      blocksize: 1,
      callback: () => (presses++ === 9 ? [1] : null),
      id: 'button',
      isMaster: false,
      sigtype: TIA_SIG_BUTTON,
    }),
  ])
  const client = pair.client()
  await client.connect()
  await client.startStreaming()
  const packets: TiAPacket[] = []
  const reading = (async () => {
    while (packets.length < 16) packets.push(...(await client.getData()))
  })()
  await pair.clock.advance(300)
  await reading
  const counts = (type: number): number[] =>
    packets.slice(0, 16).map((packet) => packet.blocksizes[packet.types.indexOf(type)] ?? 0)
  t.is(
    counts(TIA_SIG_EMG).reduce((a, b) => a + b),
    4,
  )
  t.deepEqual(new Set(counts(TIA_SIG_EVENT)), new Set([2]))
  t.is(
    counts(TIA_SIG_BUTTON).reduce((a, b) => a + b),
    1,
  )
  await pair.close(client)
})

test('an idle client starves nobody, and what it lost is counted', async (t) => {
  const pair = new Pair({ queueBytes: 200_000 })
  const signal = pushed(64, 1000, 8)
  await pair.server.start([signal])
  const [idle, busy] = [pair.client(), pair.client()]
  for (const client of [idle, busy]) {
    await client.connect()
    await client.startStreaming()
  }
  let [packets, next] = [0, 0n]
  void (async () => {
    for await (const batch of busy.packets()) {
      for (const id of batch.packetId) t.is(id, next++)
      packets += batch.length
    }
  })()
  const block = new Float32Array(64 * 8)
  for (let n = 0; n < 2000; n++) {
    pair.server.push(signal, block)
    if (n % 20 === 19) await turn()
  }
  await pair.clock.advance(10)
  t.is(packets, 2000)
  t.true(pair.server.stats.dropped > 0)
  t.is(pair.server.stats.dropped % 512, 0)
  await pair.close(idle, busy)
})

test('under the policy block the source waits for its clients', async (t) => {
  const pair = new Pair({ queueBytes: 2 << 20, policy: 'block' })
  const signal = pushed(64, 1000, 8)
  await pair.server.start([signal])
  const client = pair.client()
  await client.connect()
  await client.startStreaming()
  const block = new Float32Array(64 * 8 * 200)
  let waited = 0
  const sending = (async () => {
    for (let n = 0; n < 50; n++) {
      if (!pair.server.push(signal, block)) {
        waited++
        await pair.server.ready()
      }
    }
  })()
  let samples = 0
  for await (const batch of client) {
    samples += batch.length
    if (samples === 50 * block.length) break
  }
  await sending
  t.true(waited > 0)
  t.is(pair.server.stats.dropped, 0)
  await pair.close(client)
})

test('Stop and resume, several data connections, either order of Start and connect', async (t) => {
  const pair = new Pair()
  const signal = pushed(1, 100, 1)
  await pair.server.start([signal])
  const seen: number[][] = [[], []]
  const control = await raw(pair)
  const ports = [await control.ask('GetDataConnection:TCP'), await control.ask('GetDataConnection: TCP')]
  const numbers = ports.map((reply) => Number(/Port:(\d+)/.exec(reply)?.[1]))
  const connect = async (index: number): Promise<Transport> => {
    const transport = await pair.network.dial({ host: '127.0.0.1', port: numbers[index] as number })
    transport.start({ onChunk: (bytes) => void seen[index]?.push(...ids(bytes)), onClose: () => {} })
    return transport
  }
  await connect(0)
  t.is(await control.ask('StartDataTransmission'), 'TiA 1.0\nOK\n\n')
  pair.server.push(signal, [1])
  await turn()
  await connect(1)
  await turn()
  pair.server.push(signal, [2])
  await turn()
  t.is(await control.ask('StopDataTransmission'), 'TiA 1.0\nOK\n\n')
  pair.server.push(signal, [3])
  await turn()
  t.is(await control.ask('StartDataTransmission'), 'TiA 1.0\nOK\n\n')
  pair.server.push(signal, [4])
  await turn()
  await turn()
  t.deepEqual(seen, [
    [0, 1, 2],
    [0, 1],
  ])
  await pair.server.close()
})

test('errors are answered, and unknown commands end nothing', async (t) => {
  const pair = new Pair()
  await pair.server.start([pushed(2, 100, 1)])
  const control = await raw(pair)
  const refused = (text: string): string => `TiA 1.0\nError\nContent-Length:${text.length}\n\n${text}`
  t.is(await control.ask('StartDataTransmission'), refused('Must send GetDataConnection message first'))
  t.is(await control.ask('StopDataTransmission'), refused('No existing data connection!'))
  t.is(await control.ask('NoSuchCommand'), refused('Unknown message type "NoSuchCommand"'))
  t.is(await control.ask('CheckProtocolVersion'), 'TiA 1.0\nOK\n\n')
  t.true((await control.send('TiA 1.0\r\nCheckProtocolVersion\r\n\r\n')).includes('OK'))
  const custom =
    '<tiaCustomSignalInfo version="1.0"><signal type="eeg" samplingRate="100" blockSize="1" numChannels="1"><channel nr="9" label="x"/></signal></tiaCustomSignalInfo>'
  const choose = (xml: string): Promise<string> =>
    control.send(`TiA 1.0\nSetCustomSignalInfo\nContent-Length:${xml.length}\n\n${xml}`)
  t.true((await choose(custom)).startsWith('TiA 1.0\nValidationError\nContent-Length:'))
  t.is(await choose(custom.replace('"9"', '"2"')), 'TiA 1.0\nOK\n\n')
  t.true((await choose(custom)).startsWith('TiA 1.0\nError -- '))
  t.true((await control.ask('GetMetaInfo')).includes('numChannels="1"'))
  t.is(
    await control.ask('GetDataConnection:UDP'),
    'TiA 1.0\nError -- UDP with a custom signalinfo is not supported!\n\n',
  )
  t.is(await control.send('hello\n'), refused('Unknown protocol version (requires "1.0")'))
  await pair.server.close()
})

test('oversized control messages are refused before they are held', async (t) => {
  for (const text of ['TiA 1.0\nGetMetaInfo\nContent-Length:99999999\n\n', `TiA 1.0\n${'x'.repeat(5000)}`]) {
    const pair = new Pair()
    await pair.server.start([pushed(1, 100, 1)])
    const control = await raw(pair)
    t.true((await control.send(text)).startsWith('TiA 1.0\nError\nContent-Length:'))
    await pair.server.close()
  }
})

test('the state connection tells the end', async (t) => {
  const pair = new Pair()
  await pair.server.start([counting(1, 100, 1)])
  const client = pair.client()
  await client.connect()
  const states: string[] = []
  client.status.on(({ state }) => states.push(state))
  await client.watchServerState()
  await client.startStreaming()
  void client.consume(() => {})
  await turn()
  await pair.server.drain()
  t.is(await client.closed, undefined)
  t.deepEqual(
    states.filter((state) => state.startsWith('server')),
    ['server-running', 'server-shutdown'],
  )
})

test('a callback that gives too little ends the server with a typed error', async (t) => {
  const { server } = new Pair()
  const callback = (): number[] => [1]
  await server
    .start([new TiASignalConfig({ channels: 2, sampleRate: 10, blocksize: 1, callback, id: 0 })])
    .catch(() => {})
  t.is(((await server.closed) as { code?: string } | undefined)?.code, 'ERR_TIA_SAMPLES_LENGTH')
  t.true(server instanceof TiAServer)
})

test("datagrams to a broadcast address, of the client's own subnet alone", async (t) => {
  const port = await freePort()
  const serverTo = async (broadcast: string): Promise<TiAServer> => {
    const server = new TiAServer(['127.0.0.1', 0], TiAConnectionHandler, { udp: { port, broadcast } })
    await server.start([pushed(1, 100, 1)])
    return server
  }
  const server = await serverTo('127.0.0.255')
  const [client, other] = [new TiAClient('127.0.0.1', server.port), new TiAClient('127.0.0.1', server.port)]
  await client.connect()
  await client.startStreaming({ transport: 'udp' })
  const taken = client.getData()
  server.push('eeg', [1])
  server.push('eeg', [2])
  const packets = await taken
  while (packets.length < 2) packets.push(...(await client.getData()))
  // Who comes later shares the datagrams that are sent already.
  await other.connect()
  t.deepEqual(await other.cmdGetDataConnectionUdp(), [true, port])
  server.push('eeg', [3])
  while (packets.length < 3) packets.push(...(await client.getData()))
  t.deepEqual(
    packets.map(({ packetId, signals }) => [packetId, signals[0]?.[0]]),
    [
      [0n, 1],
      [1n, 2],
      [2n, 3],
    ],
  )
  await Promise.all([client.close(), other.close(), server.close()])

  const foreign = await serverTo('10.1.2.255')
  const refused = new TiAClient('127.0.0.1', foreign.port)
  await refused.connect()
  await t.throwsAsync(refused.cmdGetDataConnectionUdp(), {
    code: 'ERR_TIA_REQUEST_REFUSED',
    message: /Target and remote subnet do not match!/,
  })
  await Promise.all([refused.close(), foreign.close()])
})

/** A control connection in plain text. */
async function raw(pair: Pair) {
  const transport = await pair.network.dial({ host: '127.0.0.1', port: 9000 })
  let reply = ''
  transport.start({
    onChunk: (bytes) => {
      reply += Buffer.from(bytes).toString()
    },
    onClose: () => {},
  })
  const send = async (text: string): Promise<string> => {
    reply = ''
    transport.write(Buffer.from(text))
    for (let n = 0; n < 50 && reply === ''; n++) await turn()
    return reply
  }
  return { send, ask: (command: string) => send(`TiA 1.0\n${command}\n\n`) }
}

function ids(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const found: number[] = []
  for (let at = 0; at < bytes.length; at += view.getUint32(at + 1, true)) {
    found.push(Number(view.getBigUint64(at + 9, true)))
  }
  return found
}
