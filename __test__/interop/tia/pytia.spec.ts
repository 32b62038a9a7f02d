// pytia 0.1.0 from PyPI at the other end: its client checks every sample of our server, we check every one of its.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { TiAClient, TiAConnectionHandler, type TiAPacket, TiAServer } from '../../../ts/tia/index.js'
import { freePort } from '../../free-port.js'
import { parseSpec, samplesOf, servedSignals } from './formula.js'

const here = import.meta.dirname
const python = join(here, '../../../.peers/pytia/bin/python')

/**
 * Packets a second: over UDP so few that pytia, which checks a sample in a quarter of a microsecond, keeps up, and that
 * what a kernel holds of them by default (a dozen of the largest) bridges a stall of the machine.
 */
const CASES = [
  { spec: 'eeg:8:1', packets: 2000, rate: { tcp: 5000, udp: 1000 } },
  { spec: 'eeg:8:4,emg:2:2,bp:1:1', packets: 1000, rate: { tcp: 2000, udp: 1000 } },
  { spec: 'eeg:64:8,sensors:3:1,user_1:2:16,event:1:8', packets: 500, rate: { tcp: 1000, udp: 250 } },
  { spec: 'eeg:256:32', packets: 200, rate: { tcp: 500, udp: 50 } },
]

function start(
  program: string,
  args: readonly string[],
): { child: ChildProcess; output: () => string; ended: Promise<number> } {
  if (!existsSync(python)) throw new Error('pytia is not installed: run scripts/peers pytia')
  const child = spawn(python, [join(here, program), ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text: Buffer) => {
      output += text
    })
  }
  const ended = new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? -1)))
  return { child, output: () => output, ended }
}

for (const { spec, packets, rate } of CASES) {
  for (const transport of ['tcp', 'udp'] as const) {
    test.serial(`pytia's client, our server: ${spec} over ${transport}`, async (t) => {
      const server = new TiAServer(['127.0.0.1', 0], TiAConnectionHandler, { udp: { port: await freePort() } })
      t.teardown(() => server.drain())
      const signals = servedSignals(parseSpec(spec), {
        rate: Math.min(rate[transport], 1000),
        packets,
        server: () => server,
      })
      await server.start(signals)
      const args = ['--port', `${server.port}`, '--packets', `${packets}`, '--signals', spec]
      const client = start('client.py', transport === 'udp' ? [...args, '--udp'] : args)
      t.is(await client.ended, 0, client.output())
      t.regex(client.output(), new RegExp(`OK ${transport.toUpperCase()} packets=${packets} lost=0 `))
    })

    test.serial(`pytia's server, our client: ${spec} over ${transport}`, async (t) => {
      const args = ['--port', '0', '--packets', `${packets}`, '--rate', `${rate[transport]}`, '--signals', spec]
      const server = start('server.py', [...args, '--udp-port', `${await freePort()}`])
      const port = await ready(server)
      const client = new TiAClient('127.0.0.1', port)
      await client.connect()
      await client.startStreaming({ transport })
      const specs = parseSpec(spec)
      let [seen, first] = [0, 0]
      const check = (packet: TiAPacket): void => {
        t.is(packet.packetId, BigInt(seen))
        t.deepEqual(
          packet.types,
          specs.map(({ type }) => type),
        )
        if (seen === 0) first = (packet.signals[0]?.[0] ?? 0) / (specs[0]?.blocksize ?? 1)
        specs.forEach((one, index) => {
          const wanted = samplesOf(one, index, first + seen)
          if (!Buffer.from(wanted.buffer).equals(Buffer.from(packet.signals[index]?.slice().buffer ?? wanted.buffer))) {
            t.fail(`samples of signal ${index} in packet ${seen}`)
          }
        })
        seen++
      }
      while (seen < packets) for (const packet of await client.getData()) check(packet)
      t.is(seen, packets)
      t.is(client.ledger.totals.missing, 0)
      await client.stopStreamingData()
      await client.disconnect()
      t.is(await server.ended, 0, server.output())
    })
  }
}

test.serial("pytia's server, our client: measurements", async (t) => {
  const spec = 'eeg:8:4,emg:2:2,bp:1:1'
  const server = start('server.py', ['--port', '0', '--packets', '500', '--rate', '1000', '--signals', spec])
  const client = new TiAClient('127.0.0.1', await ready(server))
  await client.connect()
  await client.startStreaming()
  const specs = parseSpec(spec)
  const rows = specs.map(({ channels, blocksize }) => channels * blocksize).reduce((a, b) => a + b)
  let [seen, first] = [0, -1]
  for await (const batch of client) {
    for (let row = 0; row < batch.length; row++, seen++) {
      const packet = Math.floor(seen / rows)
      let place = seen % rows
      if (first < 0) first = (batch.value[0] ?? 0) / 4
      const index = specs.findIndex(({ channels, blocksize }) => {
        if (place < channels * blocksize) return true
        place -= channels * blocksize
        return false
      })
      const one = specs[index] as (typeof specs)[number]
      if (batch.value[row] !== samplesOf(one, index, first + packet)[place]) t.fail(`row ${seen}`)
      if (batch.seq?.[row] !== BigInt(packet) || batch.idx?.[row] !== place % one.blocksize) t.fail(`place ${seen}`)
    }
    if (seen === 500 * rows) break
  }
  t.is(seen, 500 * rows)
  await client.stopStreamingData()
  await client.disconnect()
  t.is(await server.ended, 0, server.output())
})

async function ready(server: ReturnType<typeof start>): Promise<number> {
  return new Promise((resolve, reject) => {
    server.child.stdout?.on('data', () => {
      const port = /READY (\d+)/.exec(server.output())?.[1]
      if (port !== undefined) resolve(Number(port))
    })
    void server.ended.then((code) => reject(new Error(`server.py ended with ${code}: ${server.output()}`)))
  })
}
