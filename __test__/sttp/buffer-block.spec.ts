import { randomBytes } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import test from 'ava'
import { type Batch, rowsOf } from '../../ts/batch/index.js'
import { sttpWriteResponse } from '../../ts/sttp/codec.js'
import { SessionPair } from './session-pair.js'
import { COMPACT, idOf, publishing, TSSC, turns, Wire } from './wire-subscriber.js'

const EVERYTHING = 'FILTER ActiveMeasurements WHERE True'

for (const encoding of ['tssc', 'compact'] as const) {
  test(`blocks arrive once each, in order, with their signal, and are confirmed: ${encoding}`, async (t) => {
    const pair = new SessionPair(t)
    const { publisher, subscriber } = pair
    const came: [string, number, Buffer][] = []
    subscriber.bufferBlockReceived = ({ signalId, sequence, bytes }) =>
      came.push([signalId, sequence, Buffer.from(bytes)])
    let confirmed = 0
    publisher.bufferBlockConfirmed = () => confirmed++
    await pair.connect(EVERYTHING, { encoding })
    const payloads = Array.from({ length: 5 }, (_, n) => randomBytes(10_000 * n))
    for (const [n, payload] of payloads.entries()) t.is(publisher.broadcastBufferBlock(idOf(n), payload), 1)
    await pair.until(() => confirmed === 5)
    t.deepEqual(
      came,
      payloads.map((payload, n) => [idOf(n), n, payload]),
    )
    // Nothing waits any more: nothing is sent again.
    await pair.clock.advance(60_000)
    t.is(came.length, 5)
    t.is(publisher.ledger.totals.records, 0)
    t.is(subscriber.ledger.totals.records, 0)
  })
}

test('a block that is not confirmed is sent again, with the index of the cache in force, and given up in the end', async (t) => {
  const { clock, network, publisher } = await publishing()
  const wire = await Wire.connect(network, COMPACT)
  wire.subscribe(EVERYTHING, { other: ['bufferBlockRetransmissionTimeout', '2'] })
  await turns()
  const [connection] = publisher.connections
  t.true(connection !== undefined && publisher.sendBufferBlock(connection, idOf(2), Buffer.from('wave')))
  await turns()
  const blocks = () => wire.controls.filter(({ type }) => type === 'bufferBlock')
  t.like(blocks()[0], { sequence: 0, flags: 0x01, index: 2 })
  wire.subscribe("FILTER ActiveMeasurements WHERE PointTag LIKE '%T2'", {
    other: ['bufferBlockRetransmissionTimeout', '2'],
  })
  await turns()
  await clock.advance(2000)
  await turns()
  t.is(blocks().length, 2)
  t.like(blocks()[1], { sequence: 0, flags: 0x11, index: 0, payload: Buffer.from('wave') })
  wire.send({ type: 'confirmBufferBlock', sequence: 0 })
  await turns()
  await clock.advance(20_000)
  await turns()
  t.is(blocks().length, 2)

  publisher.broadcastBufferBlock(idOf(2), Buffer.from('lost'))
  await turns()
  await clock.advance(60_000)
  await turns()
  t.is(blocks().length, 2 + 4)
  t.like([...publisher.ledger][0], { cause: 'disconnect', bytes: 4, count: null })
  t.is(connection?.queuedBytes, 0)
  await publisher.close()
})

test('blocks wait for the first cache to be confirmed, and are lost with a client that never does', async (t) => {
  const { network, publisher } = await publishing()
  const wires = [await Wire.connect(network, COMPACT), await Wire.connect(network, COMPACT)] as const
  for (const wire of wires) {
    wire.confirms = false
    wire.subscribe("FILTER ActiveMeasurements WHERE PointTag LIKE '%T2'")
  }
  await turns()
  t.is(publisher.broadcastBufferBlock(idOf(1), Buffer.from('other')), 0)
  t.is(publisher.broadcastBufferBlock(idOf(2), Buffer.from('first')), 2)
  t.is(publisher.broadcastBufferBlock(idOf(2), Buffer.from('second'), false), 2)
  await turns()
  const blocks = ({ controls }: Wire) => controls.filter(({ type }) => type === 'bufferBlock')
  t.deepEqual(wires.flatMap(blocks), [])
  wires[0].send({ type: 'confirmUpdateSignalIndexCache' })
  wires[1].send({ type: 'unsubscribe' })
  await turns()
  t.deepEqual(
    blocks(wires[0]).map(({ sequence, payload }) => [sequence, String(payload)]),
    [
      [0, 'first'],
      [1, 'second'],
    ],
  )
  t.deepEqual(
    Array.from(publisher.ledger, ({ cause, bytes }) => [cause, bytes]),
    [
      ['disconnect', 5],
      ['disconnect', 6],
    ],
  )
  await publisher.close()
})

test('payloads are compressed where measurements are, and never for clients that know no flags', async (t) => {
  const { network, publisher } = await publishing()
  const [tssc, compact, old] = [
    await Wire.connect(network, TSSC),
    await Wire.connect(network, COMPACT),
    await Wire.connect(network, TSSC),
  ]
  tssc.subscribe(EVERYTHING)
  compact.subscribe(EVERYTHING)
  old.subscribe(EVERYTHING, { source: 'STTP Go Library' })
  await turns()
  const payload = Buffer.alloc(5000, 7)
  t.is(publisher.broadcastBufferBlock(idOf(1), payload, false), 3)
  const blockOf = (wire: Wire) => wire.controls.find(({ type }) => type === 'bufferBlock')
  for (let wait = 0; wait < 500 && blockOf(tssc) === undefined; wait++) await turns()
  const [first, second, third] = [tssc, compact, old].map(blockOf)
  t.is(first?.flags, 0x08)
  t.deepEqual(gunzipSync(first?.payload ?? Buffer.alloc(0)), payload)
  t.deepEqual([second?.flags, second?.payload], [0, payload])
  t.deepEqual([third?.flags, third?.payload], [0, payload])
  await publisher.close()
})

test('a block of a signal that is not subscribed, or beyond what may wait, is not sent', async (t) => {
  const { network, publisher } = await publishing({ queueBytes: 4000, bufferBlockBytes: 2000 })
  const wire = await Wire.connect(network, COMPACT)
  wire.subscribe("FILTER ActiveMeasurements WHERE PointTag LIKE '%T2'")
  await turns()
  t.is(publisher.broadcastBufferBlock(idOf(1), Buffer.alloc(1)), 0)
  t.is(publisher.broadcastBufferBlock(idOf(2), Buffer.alloc(2000)), 1)
  t.is(publisher.broadcastBufferBlock(idOf(2), Buffer.alloc(2000)), 0)
  t.throws(() => publisher.broadcastBufferBlock(idOf(2), Buffer.alloc(2001)), {
    code: 'ERR_STTP_BUFFER_BLOCK_LENGTH',
  })
  t.throws(() => publisher.broadcastBufferBlock('T2', Buffer.alloc(1)), { code: 'ERR_STTP_SIGNAL_ID' })
  await publisher.close()
})

test('blocks that come again are told, missing ones are in the ledger until they come', async (t) => {
  const pair = new SessionPair(t)
  const { publisher, subscriber } = pair
  const came: number[] = []
  subscriber.bufferBlockReceived = ({ sequence }) => came.push(sequence)
  await pair.connect()
  const [connection] = publisher.connections
  const send = (sequence: number, more: object = {}) =>
    connection?.sendFrame(
      sttpWriteResponse(
        { type: 'bufferBlock', sequence, flags: 1, index: 0, payload: Buffer.from('x'), ...more },
        TSSC,
      ),
    )
  for (const sequence of [0, 0, 3]) send(sequence)
  await pair.turns()
  t.deepEqual(came, [0, 3])
  const [gap] = [...subscriber.ledger]
  t.like(gap, { cause: 'wire', firstSeq: 1n, lastSeq: 2n, count: 2, recovered: 0 })
  for (const sequence of [2, 1, 1]) send(sequence)
  await pair.turns()
  t.deepEqual(came, [0, 3, 2, 1])
  t.is([...subscriber.ledger][0]?.recovered, 2)
  t.is(subscriber.ledger.totals.open, 0)
  // Of no signal, and damaged.
  send(4, { index: 99 })
  send(5, { flags: 9 })
  await pair.turns()
  t.deepEqual(
    [...subscriber.ledger].slice(1).map(({ cause }) => cause),
    ['decoder', 'decoder'],
  )
  t.deepEqual(came, [0, 3, 2, 1])
})

test('a recorder gets blocks as rows of the table record, and the books balance', async (t) => {
  const pair = new SessionPair(t, {}, { recordBufferBlocks: true })
  const { publisher, subscriber } = pair
  await pair.connect()
  const rows: unknown[] = []
  const done = subscriber.consume((batch) => {
    const any: Batch = batch
    if (any.table === 'record') rows.push(...rowsOf({ rows: any.length, columns: any.columns() }))
  })
  publisher.broadcastBufferBlock(idOf(3), Buffer.from('wave'))
  await pair.until(() => rows.length === 1)
  t.like(rows[0] as object, {
    run: 'buffer-blocks-1',
    sender: '127.0.0.1:7165',
    kind: 0,
    seq: 0n,
    blocks: [Uint8Array.from(Buffer.from('wave'))],
  })
  // MessagePack of {"signal": GUID}.
  const tags = Buffer.from((rows[0] as { tags: Uint8Array }).tags)
  t.deepEqual(
    tags,
    Buffer.concat([Buffer.from([0x81, 0xa6]), Buffer.from('signal'), Buffer.from([0xd9, 36]), Buffer.from(idOf(3))]),
  )
  t.is(subscriber.stats.received, 1)
  await subscriber.close()
  await done
})
