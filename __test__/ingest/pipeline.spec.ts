import test from 'ava'
import fc from 'fast-check'
import type { Batch, MeasurementBatch } from '../../ts/batch/index.js'
import { pipeline } from '../../ts/ingest/pipeline.js'
import { MemoryNetwork, type Policy, SimulatedClock, type Sink, Spill, type Transport } from '../../ts/session/index.js'
import { CONTROL } from '../session/byte-decoder.js'
import { ByteSession } from '../session/byte-session.js'

/** A sink that keeps values. */
class Values implements Sink {
  readonly values: number[] = []
  stored = 0
  delay = 0
  failsAt = Number.POSITIVE_INFINITY

  async write(batch: Batch): Promise<void> {
    for (let turn = 0; turn < this.delay; turn++) await new Promise((resolve) => setImmediate(resolve))
    if (this.stored + batch.length > this.failsAt) throw Object.assign(new Error('disk full'), { code: 'ENOSPC' })
    const values = batch.columns()[1]?.buffers[1] as Uint8Array
    this.values.push(...new Float64Array(values.buffer, values.byteOffset, batch.length))
    this.stored += batch.length
  }

  async close(): Promise<void> {}
}

interface Peer {
  readonly clock: SimulatedClock
  readonly network: MemoryNetwork
  readonly session: ByteSession
  send(...values: number[]): void
}

async function peer(reconnect: false | undefined = false): Promise<Peer> {
  const clock = new SimulatedClock(0n)
  const network = new MemoryNetwork({ clock })
  let far: Transport | undefined
  await network.listen({ host: '127.0.0.1', port: 7 }, (transport) => {
    far = transport
    transport.start({ onChunk: () => {}, onClose: () => {} })
  })
  const session = new ByteSession(reconnect === undefined ? { network, clock } : { network, clock, reconnect })
  await session.connect()
  return { clock, network, session, send: (...values) => far?.write(Uint8Array.from(values)) }
}

const range = (rows: number): number[] => Array.from({ length: rows }, (_, n) => n % 200)

test('what the source gives is stored, and the books balance', async (t) => {
  const { session, send } = await peer()
  const sink = new Values()
  send(...range(50), CONTROL)
  const result = await pipeline(session, sink)
  t.deepEqual(sink.values, range(50))
  t.like(result, { endedBy: 'source', error: undefined, isComplete: true })
  t.deepEqual(result.books, { received: 50, stored: 50, filtered: 0, duplicate: 0, dropped: 0, failed: 0 })
})

test('a limit and a duration are numbers that can be', async (t) => {
  const refused = { code: 'ERR_SESSION_OPTION_INVALID' }
  for (const wrong of [-1, Number.NaN, '5' as never]) {
    const { session } = await peer()
    await t.throwsAsync(pipeline(session, new Values(), { limit: wrong }), refused)
    await t.throwsAsync(pipeline(session, new Values(), { duration: wrong }), refused)
    await session.close()
  }
})

test('a limit ends it at exactly that row', async (t) => {
  for (const limit of [0, 1, 4, 5, 49, 50]) {
    const { session, send } = await peer()
    const sink = new Values()
    send(...range(50))
    const result = await pipeline(session, sink, { limit })
    t.deepEqual(sink.values, range(limit))
    t.is(result.endedBy, 'limit')
    t.is(result.books.received, limit)
    t.true(result.isComplete)
  }
})

test('a duration ends it with what has come', async (t) => {
  const { session, send, clock } = await peer()
  const sink = new Values()
  const done = pipeline(session, sink, { duration: 5000, clock })
  send(1, 2)
  await clock.advance(4000)
  send(3)
  await clock.advance(1000)
  const result = await done
  t.deepEqual(sink.values, [1, 2, 3])
  t.is(result.endedBy, 'duration')
  t.is(result.seconds, 5)
})

test('a signal ends it with what has come', async (t) => {
  const { session, send } = await peer()
  const sink = new Values()
  sink.delay = 2
  const abort = new AbortController()
  const done = pipeline(session, sink, { signal: abort.signal })
  send(...range(20))
  await new Promise((resolve) => setImmediate(resolve))
  abort.abort()
  const result = await done
  t.deepEqual(sink.values, range(20))
  t.is(result.endedBy, 'signal')
})

test('a sink that fails ends it: the rows are in the books and in the ledger', async (t) => {
  const { session, send } = await peer()
  const sink = new Values()
  sink.failsAt = 20
  send(...range(50))
  const result = await pipeline(session, sink)
  t.is(result.endedBy, 'sink')
  t.is((result.error as { code?: string }).code, 'ERR_INGEST_SINK_FAILED')
  t.true(result.books.failed > 0)
  t.is(result.books.stored, sink.stored)
  t.is(result.books.received, result.books.stored + result.books.failed)
  t.like(result.losses[0], { cause: 'sink', count: result.books.failed })
  t.false(result.isComplete)
})

test('a source that breaks gives what it had, and its error', async (t) => {
  const { session, send, network } = await peer()
  const sink = new Values()
  const done = pipeline(session, sink)
  send(1, 2, 3)
  await new Promise((resolve) => setImmediate(resolve))
  network.cut()
  const result = await done
  t.deepEqual(sink.values, [1, 2, 3])
  t.is((result.error as { code?: string }).code, 'ERR_SESSION_CONNECTION_LOST')
  t.false(result.isComplete)
})

test('a source that counts wrongly is found out', async (t) => {
  const { session, send } = await peer()
  send(1, 2, 3, CONTROL)
  const consume = session.consume.bind(session)
  session.consume = (call) =>
    consume((batch: MeasurementBatch) => {
      session.stats.received++
      return call(batch)
    })
  await t.throwsAsync(pipeline(session, new Values()), { code: 'ERR_INGEST_BOOKS_UNBALANCED' })
})

test('books balance for every policy, limit and pace', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom<Policy>('block', 'drop-oldest', 'disconnect'),
      fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 8 }),
      fc.option(fc.nat(150), { nil: undefined }),
      fc.nat(3),
      async (policy, sizes, limit, delay) => {
        const { session, send } = await peer()
        const sink = new Values()
        sink.delay = delay
        const done = pipeline(session, sink, limit === undefined ? { policy } : { policy, limit })
        for (const size of sizes) {
          send(...range(size))
          await new Promise((resolve) => setImmediate(resolve))
        }
        send(CONTROL)
        const { books, endedBy, error } = await done
        t.is(books.stored, sink.stored)
        t.is(books.received, books.stored + books.dropped)
        if (limit !== undefined) t.true(books.stored <= limit)
        if (policy === 'block') {
          const sent = sizes.reduce((sum, size) => sum + size, 0)
          t.is(books.stored, Math.min(sent, limit ?? sent))
          t.is(error, undefined)
        }
        if (endedBy === 'limit') t.is(books.stored, limit ?? -1)
      },
    ),
    { numRuns: 100 },
  )
})

test('under spill a sink that stands still holds nobody back: all rows come in order, and the books balance', async (t) => {
  const { session, send } = await peer()
  let go = (): void => {}
  const gate = new Promise<void>((resolve) => {
    go = resolve
  })
  const sink = new Values()
  const write = sink.write.bind(sink)
  sink.write = (batch) => gate.then(() => write(batch))
  const spill = new Spill()
  const done = pipeline(session, sink, { policy: spill })
  for (let part = 0; part < 40; part++) {
    send(...range(50))
    while (session.stats.bytesIn < (part + 1) * 50) await new Promise((resolve) => setImmediate(resolve))
  }
  t.true(spill.bytes > 0)
  t.true(session.stats.queuedBytes < 4096)
  send(CONTROL)
  go()
  const result = await done
  t.deepEqual(sink.values, Array.from({ length: 40 }, () => range(50)).flat())
  t.like(result, { error: undefined, isComplete: true })
  t.deepEqual(result.books, { received: 2000, stored: 2000, filtered: 0, duplicate: 0, dropped: 0, failed: 0 })
  t.is(spill.bytes, 0)
})

test('a spill that is full makes the source wait, and loses nothing', async (t) => {
  const { session, send } = await peer()
  const sink = new Values()
  sink.delay = 3
  const done = pipeline(session, sink, { policy: new Spill({ maxBytes: 1024 }) })
  for (let part = 0; part < 20; part++) send(...range(50))
  send(CONTROL)
  const result = await done
  t.deepEqual(sink.values, Array.from({ length: 20 }, () => range(50)).flat())
  t.is(result.books.received, 1000)
  t.true(result.isComplete)
})
