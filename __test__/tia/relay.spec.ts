// UDP over a relay on real sockets that loses 1 %, swaps neighbours and doubles: every sample is accounted for.
import { createSocket } from 'node:dgram'
import test from 'ava'
import { imbalance } from '../../ts/session/index.js'
import { TiAClient, TiAConnectionHandler, TiAServer } from '../../ts/tia/index.js'
import { pushed } from './pair.js'

const PACKETS = 3000

test('1 % lost, neighbours swapped, some doubled', async (t) => {
  const bound = async () => {
    const socket = createSocket('udp4')
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
    return { socket, port: socket.address().port }
  }
  const relay = await bound()
  const free = await bound()
  free.socket.close()
  const server = new TiAServer(['127.0.0.1', 0], TiAConnectionHandler, { udp: { port: relay.port } })
  const signal = pushed(4, 1000, 2)
  await server.start([signal])
  const client = new TiAClient('127.0.0.1', server.port)
  await client.connect()
  await client.cmdGetDataConnectionUdp()
  await client.startStreamingDataUdp(free.port)

  const send = (datagram: Buffer): void => relay.socket.send(datagram, free.port, '127.0.0.1')
  const lost = new Set<number>()
  let doubled = 0
  let held: Buffer | undefined
  relay.socket.on('message', (datagram) => {
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
  relay.socket.close()
})
