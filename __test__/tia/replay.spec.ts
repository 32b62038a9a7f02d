// Every recorded session, replayed from both sides: our client gets the server's bytes, our server the client's.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import type { Transport } from '../../ts/session/index.js'
import { type TiAPacket, TiASignalConfig } from '../../ts/tia/index.js'
import { readMetaInfo } from '../../ts/tia/meta-info.js'
import { Pair, turn } from './pair.js'

const folder = join(import.meta.dirname, '../vectors/tia')
const read = (session: string, file: string): Buffer => readFileSync(join(folder, session, file))
const json = (session: string, file: string) => JSON.parse(read(session, file).toString())

interface Wanted {
  readonly packet_id: number
  readonly timestamp: number
  readonly signals: readonly {
    readonly bit: number
    readonly channels: number
    readonly blocksize: number
    readonly data: number[]
  }[]
}

const SESSIONS = ['tcp-one-signal', 'tcp-three-signals', 'tcp-large', 'udp-one-signal', 'udp-three-signals']

interface Line {
  readonly dir: 'c2s' | 's2c'
  readonly text: string
}

const transcript = (session: string, file = 'control.jsonl'): Line[] =>
  read(session, file)
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

for (const session of [...SESSIONS, 'tcp-order-quirk']) {
  test(`our client, the recorded server: ${session}`, async (t) => {
    const isUdp = session.startsWith('udp')
    const pair = new Pair()
    const asked: string[] = []
    const lines = transcript(session)
    await pair.network.listen({ host: '127.0.0.1', port: 9000 }, (transport) => {
      transport.start({
        onChunk: (bytes) => {
          asked.push(Buffer.from(bytes).toString())
          const reply = lines.filter(({ dir }) => dir === 's2c')[asked.length - 1]?.text ?? ''
          transport.write(Buffer.from(reply.replace(/Port:\d+/, 'Port:9001')))
          if (isUdp && asked.length === 4) void sendDatagrams(pair, session)
        },
        onClose: () => {},
      })
    })
    await pair.network.listen({ host: '127.0.0.1', port: 9001 }, (transport) => {
      transport.start({ onChunk: () => {}, onClose: () => {} })
      transport.write(read(session, 'data.bin'))
    })
    const client = pair.client()
    await client.connect()
    await client.startStreaming({ transport: isUdp ? 'udp' : 'tcp' })
    const wanted: Wanted[] = json(session, 'packets.json').packets
    const packets: TiAPacket[] = []
    while (packets.length < wanted.length) packets.push(...(await client.getData()))
    packets.forEach((packet, index) => {
      const { packet_id, timestamp, signals } = wanted[index] as Wanted
      t.deepEqual([packet.packetId, packet.timestamp], [BigInt(packet_id), BigInt(timestamp)])
      t.deepEqual(
        packet.signals.map((samples) => [...samples]),
        signals.map(({ data }) => data),
      )
      // The vector shows the shapes under the wrong bits on purpose: the meta info's order is right.
      const bits = signals.map(({ bit }) => 2 ** bit)
      t.deepEqual(packet.types, session === 'tcp-order-quirk' ? bits.reverse() : bits)
    })
    t.deepEqual(client.describe().quirks, session === 'tcp-order-quirk' ? ['block-order-corrected'] : [])
    await client.stopStreamingData()
    t.deepEqual(
      asked,
      lines.filter(({ dir }) => dir === 'c2s').map(({ text }) => text),
    )
    await pair.close(client)
  })
}

for (const session of SESSIONS) {
  for (const isPipelined of [false, true]) {
    test(`our server, the recorded client: ${session}${isPipelined ? ', all requests at once' : ''}`, async (t) => {
      const isUdp = session.startsWith('udp')
      const pair = new Pair({ udp: { port: 9998 } })
      const lines = transcript(session)
      const offered = readMetaInfo(/<tia[\s\S]*$/.exec(lines[3]?.text ?? '')?.[0] ?? '')
      const signals = offered.signals.map(
        ({ bit, channels, blocksize, sampleRate }, index) =>
          new TiASignalConfig({ channels, blocksize, sampleRate, id: index, isMaster: index === 0, sigtype: 2 ** bit }),
      )
      await pair.server.start(signals)
      const received: Buffer[] = []
      const replies: string[] = []
      const take = (transport: Transport): void =>
        transport.start({ onChunk: (bytes) => void received.push(Buffer.from(bytes)), onClose: () => {} })
      if (isUdp) take(await pair.network.datagrams({ port: 9998 }))
      const control = await pair.network.dial({ host: '127.0.0.1', port: 9000 })
      let dialled: Promise<void> | undefined
      control.start({
        onChunk: (bytes) => {
          replies.push(Buffer.from(bytes).toString())
          const port = Number(/Port:(\d+)/.exec(replies.join(''))?.[1] ?? 0)
          if (port > 0 && !isUdp) dialled ??= pair.network.dial({ host: '127.0.0.1', port }).then(take)
        },
        onClose: () => {},
      })
      const requests = lines.filter(({ dir }) => dir === 'c2s').map(({ text }) => text)
      const before = requests.slice(0, 4)
      for (const request of isPipelined ? [before.join('')] : before) {
        control.write(Buffer.from(request))
        for (let n = 0; n < 8; n++) await turn()
      }
      await dialled
      for (const packet of json(session, 'packets.json').packets as Wanted[]) {
        for (let index = signals.length - 1; index >= 0; index--) {
          pair.server.push(index, packet.signals[index]?.data ?? [], [packet.timestamp])
        }
        if (isUdp) await turn()
      }
      for (let n = 0; n < 8; n++) await turn()
      control.write(Buffer.from(requests[4] as string))
      for (let n = 0; n < 8; n++) await turn()
      const plain = (text: string): string => text.replaceAll(/Port:\d+/g, 'Port:0')
      t.is(plain(replies.join('')), plain(read(session, 'control.s2c.bin').toString()))
      const bytes = isUdp ? unframe(Buffer.concat(received)) : Buffer.concat(received)
      t.true(bytes.equals(read(session, 'data.bin')), 'the data connection, byte for byte')
      await pair.server.close()
    })
  }
}

test('our client, a libtia-style server', async (t) => {
  const lines = transcript('synthetic', 'libtia-style-control.jsonl')
  const pair = new Pair()
  const asked: string[] = []
  await pair.network.listen({ host: '127.0.0.1', port: 9000 }, (transport) => {
    transport.start({
      onChunk: (bytes) => {
        const request = Buffer.from(bytes).toString()
        asked.push(request)
        // libtia answers by request: ours asks for the meta info again once it has chosen.
        const command = request.split(/[\n:]/)[1] as string
        const argument = /:(UDP)\n/.exec(request)?.[1] ?? ''
        const index = lines.findIndex(
          ({ dir, text }) => dir === 'c2s' && text.split(/[\n:]/)[1] === command && text.includes(argument),
        )
        transport.write(Buffer.from(lines[index + 1]?.text ?? 'TiA 1.0\nError\n\n'))
      },
      onClose: () => {},
    })
  })
  await pair.network.listen({ host: '127.0.0.1', port: 49_200 }, (transport) => {
    transport.start({ onChunk: () => {}, onClose: () => {} })
    transport.write(read('synthetic', 'state-connection.s2c.txt'))
  })
  await pair.network.listen({ host: '127.0.0.1', port: 49_201 }, (transport) => {
    transport.start({ onChunk: () => {}, onClose: () => {} })
    transport.write(read('synthetic', 'v3-aperiodic-sequence.bin'))
  })
  const client = pair.client()
  const states: string[] = []
  client.status.on(({ state }) => states.push(state))
  await client.connect()
  await client.watchServerState()
  const info = await client.cmdGetMetaInfo()
  t.deepEqual(
    info.signals.map(({ bit, labels }) => [bit, labels]),
    [
      [0, ['Cz', 'Pz']],
      [8, ['temp']],
    ],
  )
  await client.startStreaming({ choose: [{ type: 'eeg', channels: [1] }] })
  const packets: TiAPacket[] = []
  while (packets.length < 12) packets.push(...(await client.getData()))
  t.deepEqual(
    packets.map(({ signals }) => signals.length),
    [2, 1, 2, 2, 2, 1, 1, 1, 3, 1, 1, 1],
  )
  t.true(states.includes('server-running') && states.includes('server-shutdown'))
  await t.throwsAsync(client.cmdGetDataConnectionUdp(), { message: /UDP with a custom signalinfo/ })
  const choice = asked.find((request) => request.includes('SetCustomSignalInfo')) ?? ''
  t.regex(choice, /<signal type="eeg" samplingRate="512" blockSize="8" numChannels="1">\n<channel nr="2" label="Pz"\/>/)
  await pair.close(client)
})

test('our server, a libtia-style client', async (t) => {
  const pair = new Pair({ dialect: 'libtia' })
  const labels = ['Cz', 'Pz']
  await pair.server.start(
    [
      new TiASignalConfig({ channels: 2, sampleRate: 512, blocksize: 8, id: 0, sigtype: 1, labels }),
      new TiASignalConfig({
        channels: 1,
        sampleRate: 64,
        blocksize: 1,
        id: 1,
        isMaster: false,
        sigtype: 256,
        labels: ['temp'],
      }),
    ],
    false,
    { id: 's1', firstName: 'A', surname: 'B' },
  )
  const control = await pair.network.dial({ host: '127.0.0.1', port: 9000 })
  let replies = ''
  control.start({
    onChunk: (bytes) => {
      replies += Buffer.from(bytes).toString()
    },
    onClose: () => {},
  })
  for (const { dir, text } of transcript('synthetic', 'libtia-style-control.jsonl')) {
    if (dir === 'c2s') {
      replies = ''
      control.write(Buffer.from(text))
      for (let n = 0; n < 8; n++) await turn()
    } else if (text.includes('MetaInfo')) {
      t.deepEqual(readMetaInfo(replies.slice(replies.indexOf('<'))), readMetaInfo(text.slice(text.indexOf('<'))))
    } else if (text === 'TiA 1.0\nError\n\n') t.true(replies.startsWith('TiA 1.0\nError\n'))
    else t.is(replies.replace(/Port:\d+/, 'Port:0'), text.replace(/Port:\d+/, 'Port:0'))
  }
  await pair.server.close()
})

async function sendDatagrams(pair: Pair, session: string): Promise<void> {
  const socket = await pair.network.datagrams({ remote: { host: '127.0.0.1', port: 9001 } })
  const data = read(session, 'data.bin')
  let at = 0
  for (const size of json(session, 'datagram_sizes.json') as number[]) {
    socket.write(data.subarray(at, at + size))
    at += size
  }
}

/** Gathered datagrams without their lengths. */
function unframe(bytes: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + 2 + bytes.readUInt16LE(at)
    parts.push(bytes.subarray(at + 2, end))
    at = end
  }
  return Buffer.concat(parts)
}
