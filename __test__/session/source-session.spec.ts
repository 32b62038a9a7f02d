import test from 'ava'
import { SimulatedClock } from '../../ts/session/clock.js'
import { UsageError } from '../../ts/session/errors.js'
import { MemoryNetwork } from '../../ts/session/memory-transport.js'
import type { SourceOptions } from '../../ts/session/source-session.js'
import type { Transport } from '../../ts/session/transport.js'
import { CONTROL, LOST, MALFORMED } from './byte-decoder.js'
import { ByteSession } from './byte-session.js'

interface Peer {
  readonly network: MemoryNetwork
  readonly clock: SimulatedClock
  readonly accepted: Transport[]
  send(...values: number[]): void
  session(options?: SourceOptions): ByteSession
}

async function peer(): Promise<Peer> {
  const clock = new SimulatedClock(0n)
  const network = new MemoryNetwork({ clock })
  const accepted: Transport[] = []
  await network.listen({ host: '127.0.0.1', port: 7 }, (transport) => {
    accepted.push(transport)
    transport.start({ onChunk: () => {}, onClose: () => {} })
  })
  return {
    network,
    clock,
    accepted,
    send: (...values) => accepted.at(-1)?.write(Uint8Array.from(values)),
    session: (options) => new ByteSession({ network, clock, ...options }),
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const NO_CHANCE = { jitter: 0 }

test('it connects, gives its rows and ends with the protocol', async (t) => {
  const { session: make, send } = await peer()
  const session = make()
  const states: string[] = []
  session.status.on(({ state }) => states.push(state))
  await session.connect()
  send(1, 2, 3, CONTROL)
  const seen: number[] = []
  for await (const batch of session) seen.push(...batch.value)
  t.deepEqual(seen, [1, 2, 3])
  t.is(await session.closed, undefined)
  t.deepEqual(states, ['connecting', 'connected', 'draining', 'closed'])
  t.like(session.stats, { received: 3, bytesIn: 4, reconnects: 0 })
})

test('a session is started once', async (t) => {
  const { session: make } = await peer()
  const session = make()
  await session.connect()
  await t.throwsAsync(async () => session.connect(), { code: 'ERR_SESSION_STARTED', instanceOf: UsageError })
  await session.close()
  await t.throwsAsync(async () => session.connect(), { code: 'ERR_SESSION_CLOSED', instanceOf: UsageError })
})

test('the first connection is tried once', async (t) => {
  const { network, session: make } = await peer()
  network.isReachable = false
  const session = make()
  await t.throwsAsync(session.connect(), { code: 'ERR_SESSION_CONNECT_REFUSED' })
  t.is(((await session.closed) as { code?: string } | undefined)?.code, 'ERR_SESSION_CONNECT_REFUSED')
  t.is(session.state, 'closed')
  await t.throwsAsync(session.connect(), { code: 'ERR_SESSION_CONNECT_REFUSED' })
})

test('or as long as wait says', async (t) => {
  const { network, clock, session: make } = await peer()
  network.isReachable = false
  const patient = make({ wait: 10_000, reconnect: NO_CHANCE })
  const attempts: unknown[] = []
  patient.status.on(({ state, at, detail = {} }) => {
    if (state === 'attempt-failed') attempts.push([Number(at) / 1e6, Object.values(detail)[0]])
  })
  const connected = patient.connect()
  await clock.advance(5000)
  network.isReachable = true
  await clock.advance(5000)
  await connected
  t.deepEqual(attempts, [
    [0, 1],
    [250, 2],
    [750, 3],
    [1750, 4],
    [3750, 5],
  ])
  network.isReachable = false
  const impatient = make({ wait: 1000 }).connect()
  const refused = t.throwsAsync(impatient, { code: 'ERR_SESSION_CONNECT_REFUSED' })
  await clock.advance(1000)
  await refused
})

test('a broken connection is tried again, and the gap is in the ledger', async (t) => {
  const { network, clock, session: make, send } = await peer()
  const session = make({ reconnect: NO_CHANCE })
  await session.connect()
  const seen: number[] = []
  void session.consume((batch) => void seen.push(...batch.value))
  send(1, 2)
  await clock.advance(1000)
  network.isReachable = false
  network.cut()
  await clock.advance(500)
  t.is(session.state, 'reconnecting')
  network.isReachable = true
  await clock.advance(500)
  t.is(session.state, 'connected')
  send(3)
  await turn()
  t.deepEqual(seen, [1, 2, 3])
  t.is(session.stats.reconnects, 1)
  t.deepEqual(session.gaps, [1])
  t.like([...session.ledger][0], { cause: 'disconnect', from: 1_000_000_000n, to: 1_750_000_000n, count: null })
  await session.close()
})

test('what had come before the break is delivered', async (t) => {
  const { network, clock, session: make, send } = await peer()
  const session = make({ reconnect: NO_CHANCE })
  await session.connect()
  send(...Array.from({ length: 100 }, (_, n) => n))
  await turn()
  network.cut()
  await clock.advance(250)
  send(100, CONTROL)
  const seen: number[] = []
  for await (const batch of session) seen.push(...batch.value)
  t.deepEqual(
    seen.filter((value) => value < 100),
    Array.from({ length: seen.length - 1 }, (_, n) => n),
  )
  t.is(seen.at(-1), 100)
  t.is(session.stats.received, seen.length)
})

test('without reconnect a broken connection is the end, behind the rows', async (t) => {
  const { network, session: make, send } = await peer()
  const session = make({ reconnect: false })
  await session.connect()
  send(1)
  await turn()
  network.cut()
  const seen: number[] = []
  await t.throwsAsync(
    (async () => {
      for await (const batch of session) seen.push(...batch.value)
    })(),
    { code: 'ERR_SESSION_CONNECTION_LOST' },
  )
  t.deepEqual(seen, [1])
  t.is(((await session.closed) as { code?: string }).code, 'ERR_SESSION_CONNECTION_LOST')
  t.is(session.ledger.totals.open, 1)
})

test('a peer that loses its framing is hung up on and tried again', async (t) => {
  const { accepted, clock, session: make, send } = await peer()
  const session = make({ reconnect: NO_CHANCE })
  await session.connect()
  send(1, LOST, 2)
  await clock.advance(250)
  t.is(accepted.length, 2)
  t.is(session.stats.received, 1)
  await session.close()
})

test('malformed bytes are in the ledger, the rows behind them arrive', async (t) => {
  const { session: make, send } = await peer()
  const session = make()
  await session.connect()
  send(1, MALFORMED, 2, CONTROL)
  let rows = 0
  for await (const batch of session) rows += batch.length
  t.is(rows, 2)
  t.like([...session.ledger][0], { cause: 'decoder', bytes: 1, count: null })
})

test('close ends it now, for the loop too, and unread rows are not received', async (t) => {
  const { session: make, send } = await peer()
  const session = make()
  await session.connect()
  send(1, 2, 3, 4, 5, 6)
  const loop = session[Symbol.asyncIterator]()
  t.is((await loop.next()).value?.length, 4)
  await turn()
  await session.close()
  t.true((await loop.next()).done)
  t.is(session.stats.received, 4)
  t.is(session.state, 'closed')
  await session.close()
  await t.throwsAsync(session.connect(), { code: 'ERR_SESSION_CLOSED' })
})

test('drain ends it after what has come was taken', async (t) => {
  const { session: make, send } = await peer()
  const session = make()
  await session.connect()
  send(1, 2, 3, 4, 5, 6)
  await turn()
  const drained = session.drain()
  t.is(session.state, 'draining')
  const seen: number[] = []
  for await (const batch of session) seen.push(...batch.value)
  await drained
  t.deepEqual(seen, [1, 2, 3, 4, 5, 6])
  t.is(session.state, 'closed')
})

test('a signal ends it wherever it is', async (t) => {
  const { network, clock, session: make } = await peer()
  const early = make({ signal: AbortSignal.abort() })
  await t.throwsAsync(early.connect(), { code: 'ERR_SESSION_ABORTED' })

  network.isReachable = false
  const waiting = new AbortController()
  const refused = make({ signal: waiting.signal, wait: 60_000 }).connect()
  await clock.advance(100)
  waiting.abort()
  await t.throwsAsync(refused, { code: 'ERR_SESSION_ABORTED' })

  network.isReachable = true
  const running = new AbortController()
  const session = make({ signal: running.signal })
  await session.connect()
  const loop = session[Symbol.asyncIterator]().next()
  running.abort()
  await t.throwsAsync(loop, { code: 'ERR_SESSION_ABORTED' })
  t.is(((await session.closed) as { code?: string }).code, 'ERR_SESSION_ABORTED')
  t.is(clock.pending, 0)
})

test('closing while it tries to connect again leaves nothing behind', async (t) => {
  const { network, clock, session: make } = await peer()
  const session = make()
  await session.connect()
  network.isReachable = false
  network.cut()
  await clock.advance(1000)
  await session.close()
  t.is(await session.closed, undefined)
  t.is(clock.pending, 0)
})

test('a connection that breaks before connect has resolved is seen', async (t) => {
  const { network, clock, session: make, accepted } = await peer()
  const session = make({ reconnect: NO_CHANCE })
  const connected = session.connect()
  while (accepted.length === 0) await Promise.resolve()
  network.cut()
  await connected
  await clock.advance(250)
  t.is(accepted.length, 2)
  t.is(session.state, 'connected')
  await session.close()
})

test('the policy disconnect ends the session with what it had', async (t) => {
  const { session: make, send } = await peer()
  const session = make({ policy: 'disconnect' })
  await session.connect()
  send(...Array.from({ length: 200 }, () => 1))
  t.is(((await session.closed) as { code?: string }).code, 'ERR_SESSION_QUEUE_FULL')
})

test('the policy drop-oldest enters one loss for each congestion', async (t) => {
  const { session: make, send, clock } = await peer()
  const session = make({ policy: 'drop-oldest' })
  await session.connect()
  send(...Array.from({ length: 200 }, () => 1))
  await clock.advance(10)
  await clock.advance(10)
  send(CONTROL)
  let rows = 0
  for await (const batch of session) rows += batch.length
  t.is(session.ledger.totals.records, 1)
  t.is(session.stats.received, 200)
  t.is(session.stats.dropped + rows, 200)
  t.is([...session.ledger][0]?.count, session.stats.dropped)
})
