// Faults and pacing on real sockets: a relay that loses, swaps and doubles datagrams, a client that never reads.
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import test from 'ava'
import { imbalance } from '../../ts/session/index.js'
import { TiAClient, TiAConnectionHandler, TiAServer, TiASignalConfig } from '../../ts/tia/index.js'
import { freePort } from '../free-port.js'
import { pushed } from './pair.js'

const PACKETS = 3000

test('1 % lost, neighbours swapped, some doubled', async (t) => {
  const relay = createSocket('udp4')
  await new Promise<void>((resolve) => relay.bind(0, '127.0.0.1', resolve))
  const port = await freePort()
  const server = new TiAServer(['127.0.0.1', 0], TiAConnectionHandler, { udp: { port: relay.address().port } })
  const signal = pushed(4, 1000, 2)
  await server.start([signal])
  const client = new TiAClient('127.0.0.1', server.port)
  await client.connect()
  await client.cmdGetDataConnectionUdp()
  await client.startStreamingDataUdp(port)

  const send = (datagram: Buffer): void => relay.send(datagram, port, '127.0.0.1')
  const lost = new Set<number>()
  let doubled = 0
  let held: Buffer | undefined
  relay.on('message', (datagram) => {
    const id = Number(datagram.readBigUInt64LE(9))
    if (id % 100 === 50) {
      lost.add(id)
      return
    }
    if (id % 70 === 33) {
      held = datagram
      return
    }
    send(datagram)
    if (id % 90 === 7) {
      send(datagram)
      doubled++
    }
    if (held !== undefined) send(held)
    held = undefined
  })

  const seen = new Map<bigint, number>()
  let resolveLast = (): void => {}
  const last = new Promise<void>((resolve) => {
    resolveLast = resolve
  })
  void client.consume((batch) => {
    for (const id of batch.seq ?? []) seen.set(id, (seen.get(id) ?? 0) + 1)
    if (seen.has(BigInt(PACKETS - 1))) resolveLast()
  })
  for (let n = 0; n < PACKETS; n++) {
    server.push(signal, new Float32Array(8).fill(n))
    if (n % 10 === 9) await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await last
  t.true(lost.size >= 29)
  t.is(seen.size, PACKETS - lost.size)
  t.true([...seen.values()].every((samples) => samples === 8))
  t.is(client.stats.duplicate, 8 * doubled)
  t.is(client.stats.lost - client.stats.recovered, 8 * lost.size)
  t.is(imbalance({ ...client.stats, stored: 8 * seen.size }), 0)
  const open = [...client.ledger].filter(({ count, recovered }) => count !== recovered)
  t.deepEqual(new Set(open.map(({ firstSeq }) => Number(firstSeq))), lost)
  await client.close()
  await server.close()
  relay.close()
})

test('a client that connects and never reads holds up nobody, and what it lost is counted', async (t) => {
  const server = new TiAServer(['127.0.0.1', 0], TiAConnectionHandler, { queueBytes: 1 << 20 })
  const signal = pushed(64, 1000, 8)
  await server.start([signal])
  const control = connect(server.port, '127.0.0.1')
  const ask = (command: string): Promise<string> =>
    new Promise((resolve) => {
      control.once('data', (reply) => resolve(String(reply)))
      control.write(`TiA 1.0\n${command}\n\n`)
    })
  const port = Number(/Port:(\d+)/.exec(await ask('GetDataConnection:TCP'))?.[1])
  const idle = connect(port, '127.0.0.1')
  idle.pause()
  await new Promise((resolve) => idle.once('connect', resolve))
  t.true((await ask('StartDataTransmission')).includes('OK'))
  const client = new TiAClient('127.0.0.1', server.port)
  await client.connect()
  await client.startStreaming()
  let [next, packets] = [0n, 0]
  const reading = (async () => {
    for await (const batch of client.packets()) {
      for (const id of batch.packetId) t.is(id, next++)
      packets += batch.length
    }
  })()
  // More than the kernel holds for the one that does not read.
  const block = new Float32Array(64 * 8 * 10)
  for (let n = 0; n < 2000; n++) {
    server.push(signal, block)
    // The one that reads never lags by more than half of its queue, however slow the machine is.
    do await new Promise((resolve) => setImmediate(resolve))
    while (10 * n - packets > 250)
  }
  await server.drain()
  await client.drain()
  await reading
  t.is(packets, 20_000)
  t.is(client.ledger.totals.missing, 0)
  t.true(server.stats.dropped > 0)
  t.is(server.stats.dropped % 512, 0)
  idle.destroy()
  control.destroy()
})

test('for real too: so many packets as the clock says', async (t) => {
  const server = new TiAServer(['127.0.0.1', 0])
  const callback = (): Float32Array => new Float32Array(8)
  const options = { channels: 1, sampleRate: 16_000, blocksize: 8, callback, id: 0 }
  const start = performance.now()
  await server.start([new TiASignalConfig(options)])
  const before = performance.now()
  await new Promise((resolve) => setTimeout(resolve, 1500))
  // A machine that stalls makes up for it: the count follows the clock, not the timers.
  while (server.packets < (performance.now() - before) * 2 - 200) await new Promise((resolve) => setImmediate(resolve))
  t.true(server.packets <= (performance.now() - start) * 2 + 1, `${server.packets} packets`)
  await server.close()
})

test('a server that drains: a slow client has everything that was sent', async (t) => {
  const server = new TiAServer(['127.0.0.1', 0], TiAConnectionHandler, { policy: 'block' })
  const signal = pushed(64, 1000, 8)
  await server.start([signal])
  const client = new TiAClient('127.0.0.1', server.port, { reconnect: false, queueBytes: 1 << 20 })
  await client.connect()
  await client.startStreaming()
  const block = new Float32Array(64 * 8 * 50)
  const sending = (async () => {
    for (let n = 0; n < 80; n++) if (!server.push(signal, block)) await server.ready()
    await server.drain()
  })()
  let rows = 0
  const error = await client
    .consume(async (batch) => {
      rows += batch.length
      await new Promise((resolve) => setImmediate(resolve))
    })
    .then(
      () => undefined,
      (error: { code?: string }) => error.code,
    )
  await sending
  t.is(rows, 80 * block.length)
  t.is(error, 'ERR_SESSION_CONNECTION_LOST')
  t.is(client.ledger.totals.missing, 0)
})
