import test, { type ExecutionContext } from 'ava'
import { nativeIdText } from '../../ts/batch/index.js'
import { MemoryNetwork, SimulatedClock } from '../../ts/session/index.js'
import { Subscriber } from '../../ts/sttp/subscriber.js'
import type { SubscriberOptions } from '../../ts/sttp/subscriber-options.js'
import { checkedSubscription, joinedStatements } from '../../ts/sttp/subscription.js'
import { ScriptedPublisher } from './scripted-publisher.js'
import { publishing, turns } from './wire-subscriber.js'

const PORT = 7165
const quiet = { statusMessage: false, errorMessage: false, reconnect: { jitter: 0 } } as const

interface Pair {
  readonly clock: SimulatedClock
  readonly network: MemoryNetwork
  readonly publisher: ScriptedPublisher
  readonly subscriber: Subscriber
}

async function pair(t: ExecutionContext, options: SubscriberOptions = {}, split?: () => number): Promise<Pair> {
  const clock = new SimulatedClock()
  const network = new MemoryNetwork(split === undefined ? {} : { split })
  const publisher = new ScriptedPublisher()
  await publisher.listen(network, PORT)
  const subscriber = new Subscriber({ ...quiet, clock, network, ...options })
  void subscriber.subscribe('FILTER ActiveMeasurements WHERE True')
  t.teardown(() => subscriber.close())
  return { clock, network, publisher, subscriber }
}

/** The values that come, as they come. */
function collect(subscriber: Subscriber): { readonly values: number[]; readonly done: Promise<void> } {
  const values: number[] = []
  const done = subscriber.consume((batch) => {
    values.push(...batch.value)
  })
  return { values, done }
}

const frames = (first: number, count: number): number[] =>
  Array.from({ length: count }, (_, n) => [first + n, 1000 + first + n]).flat()

test('it says its modes, asks for metadata, subscribes and confirms, in this order', async (t) => {
  const { clock, publisher, subscriber } = await pair(t, {}, () => 1)
  t.true(await subscriber.connect('localhost:7165'))
  t.true(subscriber.connected)
  await clock.advance(0)
  t.deepEqual(
    publisher.commands.map(({ type }) => type),
    ['defineOperationalModes', 'metadataRefresh', 'subscribe', 'confirmUpdateSignalIndexCache'],
  )
  const { values } = collect(subscriber)
  publisher.publish(3)
  await clock.advance(0)
  t.deepEqual(values, frames(0, 3))
  t.is(subscriber.totalMeasurementsReceived, 6)
  t.is(subscriber.signals.at(1)?.name, 'TEST:2')
})

test('a connection that breaks is made again, with the subscription; the gap is in the ledger', async (t) => {
  const { clock, network, publisher, subscriber } = await pair(t)
  const told: string[] = []
  subscriber.connectionEstablished = () => told.push('established')
  subscriber.connectionTerminated = () => told.push('terminated')
  await subscriber.connect('localhost:7165')
  await clock.advance(0)
  const { values } = collect(subscriber)
  publisher.publish(1)
  await clock.advance(0)
  network.cut()
  await clock.advance(1000)
  t.is(subscriber.state, 'connected')
  t.is(publisher.count('subscribe'), 2)
  publisher.publish(1)
  await clock.advance(0)
  t.deepEqual(values, frames(0, 2))
  t.is(subscriber.signals.length, 2)
  t.deepEqual(told, ['established', 'terminated', 'established'])
  t.is(subscriber.stats.reconnects, 1)
  const [gap, ...more] = subscriber.ledger
  t.deepEqual([gap?.cause, gap?.count, gap?.to === null, more.length], ['disconnect', null, false, 0])
})

test('behind a missing TSSC packet it subscribes again by itself; what came meanwhile is in the ledger', async (t) => {
  const { clock, publisher, subscriber } = await pair(t, { gapRecovery: false })
  await subscriber.connect('localhost:7165')
  await clock.advance(0)
  const { values } = collect(subscriber)
  publisher.loses = (packet) => packet === 2
  publisher.publish(5)
  await clock.advance(0)
  t.deepEqual(values, frames(0, 2))
  const rows = [...subscriber.ledger].map(({ cause, firstSeq, lastSeq, count }) => [cause, firstSeq, lastSeq, count])
  t.deepEqual(rows, [
    ['wire', 2n, 2n, null],
    ['decoder', 3n, 4n, 4],
  ])
  t.deepEqual([subscriber.stats.failed, subscriber.stats.received], [4, 8])
  publisher.loses = () => false
  await clock.advance(2000)
  t.is(publisher.count('subscribe'), 2)
  publisher.publish(2)
  await clock.advance(5000)
  t.deepEqual(values.slice(4), frames(5, 2))
  t.is(publisher.count('subscribe'), 2)
})

test('where the compression does not start anew, the connection is', async (t) => {
  const { clock, publisher, subscriber } = await pair(t, { silence: 0 })
  await subscriber.connect('localhost:7165')
  await clock.advance(0)
  collect(subscriber).done.catch(() => {})
  publisher.loses = (packet) => packet === 0
  publisher.publish(2)
  await clock.advance(2000)
  publisher.publish(2)
  await clock.advance(2000)
  t.is(subscriber.stats.reconnects, 1)
  t.is(subscriber.state, 'connected')
  t.is(publisher.count('subscribe'), 3)
})

test('a publisher that falls silent is left; a keep-alive is enough', async (t) => {
  const { clock, publisher, subscriber } = await pair(t)
  await subscriber.connect('localhost:7165')
  for (let beat = 0; beat < 10; beat++) {
    await clock.advance(10_000)
    publisher.send({ type: 'noOp' })
  }
  t.is(publisher.count('defineOperationalModes'), 1)
  await clock.advance(45_000)
  t.true(publisher.count('defineOperationalModes') > 1)
})

test('refusals, silence and other protocols are typed errors', async (t) => {
  const refusing = await pair(t)
  refusing.publisher.answers = ({ type }) =>
    type === 'subscribe' ? [{ type: 'failed', command: 2, text: 'no such table' }] : undefined
  const refused = await t.throwsAsync(refusing.subscriber.connect('localhost:7165'), {
    code: 'ERR_STTP_SUBSCRIPTION_REFUSED',
  })
  t.regex(refused?.message ?? '', /no such table/)

  const old = await pair(t)
  old.publisher.answers = () => [{ type: 'failed', command: 6, text: 'version' }]
  await t.throwsAsync(old.subscriber.connect('localhost:7165'), { code: 'ERR_STTP_MODES_REFUSED' })

  const mute = await pair(t, { silence: 0 })
  mute.publisher.answers = () => []
  const waiting = t.throwsAsync(mute.subscriber.connect('localhost:7165'), { code: 'ERR_STTP_ANSWER_TIMEOUT' })
  await mute.clock.advance(30_000)
  await waiting

  const web = new MemoryNetwork()
  await web.listen({ host: '127.0.0.1', port: 80 }, (transport) => {
    transport.start({ onChunk: () => void transport.write(Buffer.from('HTTP/1.1 400 Bad Request\r\n')), onClose() {} })
  })
  const lost = new Subscriber({ ...quiet, network: web })
  await t.throwsAsync(lost.connect('127.0.0.1:80'), { code: 'ERR_STTP_FRAME_LENGTH' })

  await t.throwsAsync(new Subscriber(quiet).connect('localhost'), { code: 'ERR_STTP_ADDRESS_INVALID' })
})

test('a session that is closed while it waits for an answer rejects', async (t) => {
  const { publisher, subscriber, clock } = await pair(t)
  publisher.answers = () => []
  const waiting = t.throwsAsync(subscriber.connect('localhost:7165'))
  await clock.advance(0)
  await subscriber.dispose()
  await waiting
})

test('a packet that cannot be read is told and counted', async (t) => {
  const { clock, publisher, subscriber } = await pair(t)
  await subscriber.connect('localhost:7165')
  await clock.advance(0)
  const { values } = collect(subscriber)
  publisher.publish(1)
  const encrypted = Buffer.from('0000000b8202000000050400000003', 'hex')
  publisher.transport?.write(encrypted)
  publisher.publish(1)
  await clock.advance(0)
  t.deepEqual(values, frames(0, 2))
  t.deepEqual(
    [...subscriber.ledger].map(({ cause, bytes }) => [cause, bytes]),
    [['decoder', encrypted.length]],
  )
})

test('measurement by measurement, connection by connection', async (t) => {
  const { clock, network, publisher, subscriber } = await pair(t)
  const read: string[][] = []
  subscriber.connectionEstablished = async () => {
    const reader = subscriber.readMeasurements()
    const texts: string[] = []
    read.push(texts)
    for (;;) {
      const [measurement, success] = await reader.nextMeasurement()
      if (!success) break
      texts.push(String(measurement))
    }
    t.deepEqual(await reader.nextMeasurement(), [undefined, false])
    texts.push('end')
  }
  await subscriber.connect('localhost:7165')
  await clock.advance(0)
  publisher.publish(1)
  await clock.advance(0)
  network.cut()
  await clock.advance(1000)
  publisher.publish(1)
  await clock.advance(0)
  await subscriber.dispose()
  await clock.advance(0)
  const row = (id: number, value: string): string =>
    `00000000-0000-0000-0000-00000000000${id} @ 00:00:00.000 = ${value} (Normal)`
  t.deepEqual(read, [
    [row(1, '0.000'), row(2, '1000.000'), 'end'],
    [row(1, '1.000'), row(2, '1001.000'), 'end'],
  ])
})

test('new metadata are asked for and the subscription is made again', async (t) => {
  const { clock, publisher, subscriber } = await pair(t)
  await subscriber.connect('localhost:7165')
  await clock.advance(0)
  publisher.send({ type: 'configurationChanged' })
  await clock.advance(0)
  t.deepEqual([publisher.count('metadataRefresh'), publisher.count('subscribe')], [2, 2])
})

test('where no other connection is wanted, an orderly close is the end; a cut frame or a broken connection is a loss', async (t) => {
  for (const [rest, ends] of [
    [0, 'well'],
    [3, 'cut'],
  ] as const) {
    const { clock, publisher, subscriber } = await pair(t, { autoReconnect: false })
    await subscriber.connect('localhost:7165')
    await clock.advance(0)
    const { values, done } = collect(subscriber)
    publisher.publish(2)
    publisher.transport?.write(new Uint8Array(rest))
    publisher.transport?.end()
    await done
    t.deepEqual(values, frames(0, 2))
    t.is(await subscriber.closed, undefined)
    t.deepEqual(
      [...subscriber.ledger].map(({ cause, bytes }) => [cause, bytes]),
      ends === 'well' ? [] : [['disconnect', rest]],
    )
  }
  const { clock, network, subscriber } = await pair(t, { autoReconnect: false })
  await subscriber.connect('localhost:7165')
  await clock.advance(0)
  const { done } = collect(subscriber)
  network.cut()
  await t.throwsAsync(done)
  t.is(subscriber.ledger.totals.open, 1)
})

test('a connection that broke is tried again as often as it may be', async (t) => {
  const { clock, network, subscriber } = await pair(t, { maxRetries: 2, retryInterval: 3, maxRetryInterval: 3 })
  await subscriber.connect('localhost:7165')
  await clock.advance(0)
  network.isReachable = false
  network.cut()
  await clock.advance(5000)
  t.is(subscriber.state, 'reconnecting')
  await clock.advance(5000)
  t.is(((await subscriber.closed) as { code?: string } | undefined)?.code, 'ERR_STTP_RETRIES')
})

test('a historical subscription ends by itself', async (t) => {
  const { clock, publisher, subscriber } = await pair(t)
  await subscriber.connect('localhost:7165')
  await clock.advance(0)
  const { values, done } = collect(subscriber)
  publisher.publish(2)
  publisher.send({ type: 'processingComplete', text: 'done' })
  await done
  t.deepEqual(values, frames(0, 2))
  t.is(await subscriber.closed, undefined)
  t.deepEqual([...subscriber.ledger], [])
})

test('buffer blocks and notifications are confirmed', async (t) => {
  const { clock, publisher, subscriber } = await pair(t)
  const blocks: unknown[] = []
  subscriber.bufferBlockReceived = ({ sequence, signal, bytes }) => blocks.push([sequence, signal, String(bytes)])
  await subscriber.connect('localhost:7165')
  await clock.advance(0)
  publisher.send({ type: 'bufferBlock', sequence: 0, flags: 1, index: 1, payload: Buffer.from('wave') })
  publisher.send({ type: 'notification', hash: 77, text: 'maintenance' })
  await clock.advance(0)
  t.deepEqual(blocks, [[0, 1, 'wave']])
  t.is(publisher.commands.find(({ type }) => type === 'confirmBufferBlock')?.sequence, 0)
  t.is(publisher.commands.find(({ type }) => type === 'confirmNotification')?.hash, 77)
})

test('GUIDs in the order of Microsoft’s systems are turned where that is asked for', async (t) => {
  const { clock, network, publisher } = await publishing({
    permit: (_, { name }) => name.endsWith('T1') || name.endsWith('T2'),
  })
  t.teardown(() => publisher.close())
  const subscriber = new Subscriber({ ...quiet, clock, network, autoRequestMetadata: false, swapGuidEndianness: true })
  t.teardown(() => subscriber.close())
  let unauthorized: readonly string[] = []
  subscriber.subscriptionUpdated = (update) => {
    unauthorized = update.unauthorized
  }
  void subscriber.subscribe("PointTag LIKE '%T1'; PointTag LIKE '%T3'")
  await subscriber.connect('localhost:7165')
  await turns()
  t.deepEqual(
    Array.from(subscriber.signals, ({ nativeId }) => nativeIdText(nativeId, 'sttp')),
    ['00000000-0000-0040-8000-000000000001'],
  )
  t.deepEqual(unauthorized, ['00000000-0000-0040-8000-000000000003'])
  const [{ subscriberId } = { subscriberId: '' }] = publisher.subscribers
  const [a = '', b = '', c = '', ...rest] = subscriber.subscriberId?.split('-') ?? []
  const swapped = [a, b, c].map((part) => Buffer.from(part, 'hex').reverse().toString('hex'))
  t.is([...swapped, ...rest].join('-'), subscriberId)
})

test('settings are checked, and statements joined for a publisher that cuts at semicolons', (t) => {
  t.throws(() => checkedSubscription('', { encoding: 'zip' as never }), { code: 'ERR_STTP_SUBSCRIPTION_OPTION' })
  t.throws(() => checkedSubscription('', { lagTime: Number.NaN }), { code: 'ERR_STTP_SUBSCRIPTION_OPTION' })
  t.throws(() => checkedSubscription('', { processingInterval: 1.5 }), { code: 'ERR_STTP_SUBSCRIPTION_OPTION' })
  t.throws(() => new Subscriber({ version: 7 as never }), { code: 'ERR_STTP_OPTION_INVALID' })
  const id = '28bbb1fc-3434-48d3-87a8-bf5024c089d5'
  t.is(
    joinedStatements(`{${id}};PPA:12; "TAG'S";`),
    `FILTER ActiveMeasurements WHERE SignalID IN ('${id}') OR ID IN ('PPA:12') OR PointTag IN ('TAG''S')`,
  )
  t.is(joinedStatements('FILTER A WHERE True;'), 'FILTER A WHERE True')
  t.is(joinedStatements(`FILTER A WHERE x = ';'; ${id}`), `FILTER A WHERE x = ';'; ${id}`)
})
