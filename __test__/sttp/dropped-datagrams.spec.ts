import { createSocket } from 'node:dgram'
import test from 'ava'
import { isRecovered } from '../../ts/session/index.js'
import { Publisher } from '../../ts/sttp/publisher.js'
import { Subscriber } from '../../ts/sttp/subscriber.js'
import { Synthetic } from '../../ts/sttp/synthetic.js'
import { freePort } from '../free-port.js'
import { SIGNALS, World } from './recovery-world.js'

const QUEUE_BYTES = 64 * 1024

test('datagrams for which the own queue has no room are told where they are missing, and fetched back', async (t) => {
  const world = await World.open(t, {
    settings: { udpPort: 0 },
    subscriber: { queueBytes: QUEUE_BYTES, batchRows: 256 },
  })
  world.isReading = false
  await world.publish(4000)
  world.read()
  for (let wait = 0; wait < 200 && !world.told.includes('recovered'); wait++) await world.publish(20)
  world.assertWhole(t)
  const [gap, ...more] = world.subscriber.ledger
  t.is(more.length, 0)
  t.is(gap?.cause, 'queue')
  // Nobody could say how many measurements the bytes were, before they were fetched back.
  t.true((gap?.bytes ?? 0) > 0)
  t.true((gap?.count ?? 0) > 1000 * SIGNALS)
  t.is(world.subscriber.stats.dropped, gap?.count ?? -1)
})

test('where nothing can be fetched back, the bytes that had no room stay in the ledger', async (t) => {
  const world = await World.open(t, {
    settings: { udpPort: 0 },
    gapRecovery: false,
    subscriber: { queueBytes: QUEUE_BYTES, batchRows: 256 },
  })
  world.isReading = false
  await world.publish(4000)
  world.read()
  await world.publish(20)
  world.assertOnce(t)
  const [gap, ...more] = world.subscriber.ledger
  t.deepEqual([gap?.cause, gap?.count, more.length], ['queue', null, 0])
  const rows = 4030 * SIGNALS - world.rows.length
  // Each datagram is one frame: 11 bytes and 13 or 17 a measurement.
  const [least, most] = [(rows / SIGNALS) * (11 + 13 * SIGNALS), (rows / SIGNALS) * (11 + 17 * SIGNALS)]
  t.true((gap?.bytes ?? 0) >= least && (gap?.bytes ?? 0) <= most, `${gap?.bytes} bytes for ${rows} rows`)
  t.false([...world.subscriber.ledger].every(isRecovered))
})

test('datagrams that the system dropped are told by their number', async (t) => {
  const signals = 20
  const synthetic = new Synthetic({ signals })
  const publisher = new Publisher({ dataChannel: { datagramBytes: 1452 } })
  publisher.defineMetadata(synthetic.metadata())
  const [, port] = await publisher.start({ host: '127.0.0.1', port: 0 })
  let [received, told] = [0, 0]
  let wake = (): void => {}
  const subscriber = new Subscriber({
    ...{ statusMessage: false, errorMessage: false, autoRequestMetadata: false },
    onStatus: ({ state, detail }) => {
      if (state !== 'datagrams-dropped') return
      t.is(detail?.['where'], 'system')
      told += Number(detail?.['datagrams'])
      wake()
    },
  })
  t.teardown(() => Promise.all([subscriber.close(), publisher.close()]))
  const udpPort = await freePort()
  void subscriber.subscribe('FILTER ActiveMeasurements WHERE True', { udpPort })
  await subscriber.connect(`127.0.0.1:${port}`)
  subscriber
    .consume((batch) => {
      received += batch.length
      wake()
    })
    .catch(() => {})
  publisher.publish(synthetic.batch(0, 1, publisher.signals))
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  await until(() => received === signals)
  // What is sent in one turn cannot be read in it: the system's buffer is full before the end.
  const datagrams = 60_000
  const frame = Buffer.alloc(11 + 17)
  frame.set([0x82, 0x02], 0)
  frame.writeUInt32BE(frame.length - 6, 2)
  frame[6] = 2
  frame.writeUInt32BE(1, 7)
  frame.writeFloatBE(59.5, 11 + 5)
  const socket = createSocket('udp4')
  t.teardown(() => socket.close())
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  await new Promise<void>((resolve) => socket.connect(udpPort, '127.0.0.1', resolve))
  const sent = new Promise<void>((resolve) => {
    for (let n = 0; n < datagrams; n++) {
      frame.writeBigInt64BE(BigInt(n), 11 + 9)
      socket.send(Buffer.from(frame), n === datagrams - 1 ? () => resolve() : undefined)
    }
  })
  await sent
  const { stats } = subscriber
  while (received + stats.duplicate + told < signals + datagrams)
    await new Promise((resolve) => setTimeout(resolve, 20))
  t.true(told > 0)
  t.is(received + stats.duplicate + told, signals + datagrams)
  const [gap, ...more] = subscriber.ledger
  t.deepEqual([gap?.cause, gap?.count, gap?.bytes, more.length], ['wire', null, null, 0])
})
