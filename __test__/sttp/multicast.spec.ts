import { readFileSync } from 'node:fs'
import test from 'ava'
import { systemNetwork } from '../../ts/session/index.js'
import { Subscriber } from '../../ts/sttp/subscriber.js'
import { freePort } from '../free-port.js'
import { loopback } from '../loopback.js'
import { ScriptedPublisher } from './scripted-publisher.js'

const FRAMES = 50

/** A compact packet of both signals with full times, as a datagram. */
function datagram(n: number): Buffer {
  const bytes = Buffer.alloc(11 + 2 * 17)
  bytes.set([0x82, 0x02], 0)
  bytes.writeUInt32BE(bytes.length - 6, 2)
  bytes[6] = 2
  bytes.writeUInt32BE(2, 7)
  for (const signal of [0, 1]) {
    const at = 11 + 17 * signal
    bytes.writeInt32BE(signal, at + 1)
    bytes.writeFloatBE(1000 * signal + n, at + 5)
    bytes.writeBigInt64BE(638_396_640_000_000_000n + BigInt(n) * 333_333n, at + 9)
  }
  return bytes
}

const quiet = { statusMessage: false, errorMessage: false, autoReconnect: false, gapRecovery: false } as const
const expected = Array.from({ length: FRAMES }, (_, n) => [n, 1000 + n]).flat()

test('a group that a publisher sends to is received by all its subscribers: IPv4', async (t) => {
  const [group, groupInterface] = ['239.255.77.2', '127.0.0.1']
  const publisher = new ScriptedPublisher()
  const listener = await publisher.listen(systemNetwork, 0)
  const port = await freePort()
  const subscribers = [new Subscriber(quiet), new Subscriber(quiet)]
  const sender = await systemNetwork.datagrams({ remote: { host: group, port }, groupInterface, groupTtl: 0 })
  t.teardown(async () => {
    sender.close()
    await Promise.all(subscribers.map((subscriber) => subscriber.close()))
    await listener.close()
  })
  const collected = []
  for (const subscriber of subscribers) {
    const settings = { udpPort: port, udpGroup: group, udpInterface: groupInterface }
    void subscriber.subscribe('FILTER ActiveMeasurements WHERE True', settings)
    await subscriber.connect(`127.0.0.1:${listener.port}`)
    collected.push(values(subscriber, 2 * FRAMES))
  }
  // The publisher is told the group.
  const subscriptions = publisher.commands.filter(({ type }) => type === 'subscribe')
  t.deepEqual(
    subscriptions.map(({ subscription }) => subscription?.dataChannelGroup),
    [group, group],
  )
  for (let n = 0; n < FRAMES; n++) sender.write(datagram(n))
  t.deepEqual(await Promise.all(collected), [expected, expected])
  for (const { stats } of subscribers) t.deepEqual([stats.duplicate, stats.lost, stats.dropped], [0, 0, 0])
  t.is(subscribers[0]?.describe().meta['channel'], `udp, group ${group}`)
})

test('a group of IPv6 is joined on the interface that is named, and left with the subscription', async (t) => {
  const group = 'ff11::77:2'
  const publisher = new ScriptedPublisher()
  if (!loopback.hasIPv6) {
    await t.throwsAsync(publisher.listen(systemNetwork, 0, '::1'), { code: 'ERR_SESSION_CONNECT_FAILED' })
    return
  }
  const listener = await publisher.listen(systemNetwork, 0, '::1')
  const udpPort = await freePort('::1')
  const subscriber = new Subscriber(quiet)
  const sender = await systemNetwork.datagrams({ host: '::1', remote: { host: '::1', port: udpPort } })
  t.teardown(async () => {
    sender.close()
    await subscriber.close()
    await listener.close()
  })
  const settings = { udpPort, udpGroup: group, udpInterface: `::%${loopback.name}` }
  void subscriber.subscribe('FILTER ActiveMeasurements WHERE True', settings)
  await subscriber.connect(`[::1]:${listener.port}`)
  t.true(hasJoined(group))
  // A loopback has no route to groups of IPv6: what is sent to the port itself comes by the same socket.
  const came = values(subscriber, 2 * FRAMES)
  for (let n = 0; n < FRAMES; n++) sender.write(datagram(n))
  t.deepEqual(await came, expected)
  await subscriber.subscribe('FILTER ActiveMeasurements WHERE True', { encoding: 'compact' })
  t.false(hasJoined(group))
})

/** Whether Linux counts the loopback among the receivers of a group of IPv6. */
function hasJoined(group: string): boolean {
  const [head = '', tail = ''] = group.split('::')
  const words = (text: string): string[] => text.split(':').map((word) => word.padStart(4, '0'))
  const zeros = Array.from({ length: 8 - words(head).length - words(tail).length }, () => '0000')
  const hex = [...words(head), ...zeros, ...words(tail)].join('')
  return readFileSync('/proc/net/igmp6', 'latin1')
    .split('\n')
    .some((line) => line.includes(` ${loopback.name} `) && line.includes(hex))
}

/** So many values as they come. */
function values(subscriber: Subscriber, count: number): Promise<number[]> {
  const found: number[] = []
  return new Promise((resolve, reject) => {
    subscriber
      .consume((batch) => {
        found.push(...batch.value)
        if (found.length >= count) resolve(found)
      })
      .catch(reject)
  })
}
