import test from 'ava'
import {
  DataReceiver,
  DataTransmitter,
  hostId,
  InvalidCDTPMessageType,
  MessageType,
  RecvTimeoutError,
  RunCondition,
  SendTimeoutError,
  Service,
  TransmitterState,
  type Values,
} from '../../ts/cdtp/index.js'

const NAME = 'Test.one'

function service(port: number) {
  return { hostUuid: hostId(NAME), serviceId: Service.DATA, address: '127.0.0.1', port }
}

async function pair(options: ConstructorParameters<typeof DataReceiver>[0] = {}) {
  const transmitter = await DataTransmitter.bind({ name: NAME, endpoint: 'tcp://127.0.0.1:*' })
  const receiver = new DataReceiver(options)
  receiver.startReceiving()
  await receiver.addSender(service(transmitter.port))
  return { transmitter, receiver }
}

async function until(condition: () => boolean) {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}

/** Sends a run of records of which some numbers are left out. */
async function run(transmitter: DataTransmitter, records: number, skip: readonly number[] = [], metadata: Values = {}) {
  await transmitter.sendBor({ purpose: 'test' }, { rate: 5 })
  transmitter.startSending()
  for (let n = 1; n <= records; n++) {
    const record = transmitter.newDataRecord(n % 3 === 0 ? {} : { n })
    for (let block = 0; block < n % 4; block++) record.addBlock(Buffer.alloc(n * 10, n + block))
    if (!skip.includes(n)) await transmitter.sendDataRecord(record)
  }
  await transmitter.stopSending()
  transmitter.checkException()
  const end = { condition_code: RunCondition.GOOD, condition: 'GOOD', data_records: transmitter.sequenceNumber }
  await transmitter.sendEor({ bye: true }, { ...end, ...metadata })
}

test('a run arrives whole, by callbacks', async (t) => {
  const seen: { n: bigint; blocks: number[]; tags: Values }[] = []
  let bor: unknown
  let metadata: Values | undefined
  const { transmitter, receiver } = await pair({
    receiveBorCb: (sender, userTags, configuration) => {
      bor = { sender, userTags, configuration }
    },
    receiveDataCb: (_, record) => {
      for (const block of record.blocks) t.true(block.every((byte) => byte === block[0]))
      seen.push({
        n: record.sequenceNumber,
        blocks: record.blocks.map((block) => block.length),
        tags: { ...record.tags },
      })
    },
    receiveEorCb: (_, userTags, runMetadata) => {
      t.deepEqual({ ...userTags }, { bye: true })
      metadata = runMetadata
    },
  })
  await run(transmitter, 1000)
  await until(() => metadata !== undefined)
  await receiver.stopReceiving()
  t.is(receiver.bytesReceived, transmitter.bytesTransmitted)
  t.is(transmitter.recordsTransmitted, 1000n)
  t.is(transmitter.state, TransmitterState.EOR_RECEIVED)
  t.deepEqual(receiver.transmitterStates.get(NAME), { state: 3, seq: 1000n, missed: 0n })
  await transmitter.close()
  t.like(metadata, { condition_code: 0, condition: 'GOOD', data_records: 1000 })
  t.deepEqual(bor, { sender: NAME, userTags: { purpose: 'test' }, configuration: { rate: 5 } })
  t.is(seen.length, 1000)
  seen.forEach(({ n, blocks, tags }, row) => {
    t.is(n, BigInt(row + 1))
    t.deepEqual(blocks, Array(Number(n % 4n)).fill(Number(n) * 10))
    t.deepEqual(tags, n % 3n === 0n ? {} : { n: Number(n) })
  })
})

test('what is left out is in the ledger, number by number', async (t) => {
  const { transmitter, receiver } = await pair()
  const sent = run(transmitter, 300, [7, 8, 150, 300])
  let metadata: Values = {}
  let records = 0
  for await (const batch of receiver) {
    if (batch.kind === MessageType.DATA) records += batch.length
    if (batch.kind !== MessageType.EOR) continue
    metadata = batch.runMetadata
    t.is(batch.condition, RunCondition.INCOMPLETE)
    break
  }
  await sent
  await receiver.stopReceiving()
  t.is(records, 296)
  t.like(metadata, { condition_code: 2, condition: 'INCOMPLETE', data_records: 300 })
  const ranges = [...receiver.ledger].map(({ source, firstSeq, lastSeq, count, cause }) => {
    return { source, firstSeq, lastSeq, count, cause }
  })
  const gap = (firstSeq: bigint, lastSeq: bigint) => {
    return { source: NAME, firstSeq, lastSeq, count: Number(lastSeq - firstSeq + 1n), cause: 'wire' as const }
  }
  t.deepEqual(ranges, [gap(7n, 8n), gap(150n, 150n), gap(300n, 300n)])
  t.is(receiver.stats.lost, 4)
  await transmitter.close()
})

test('a missing EOR is replaced, and the caller is told', async (t) => {
  const { transmitter, receiver } = await pair()
  receiver.eorTimeout = 0.05
  await transmitter.sendBor({}, {})
  transmitter.startSending()
  transmitter.newDataRecord()
  const record = transmitter.newDataRecord()
  await transmitter.sendDataRecord(record)
  await transmitter.stopSending()
  const kinds: number[] = []
  let condition = -1
  const reading = receiver.consume((batch) => {
    kinds.push(batch.kind)
    condition = batch.condition
  })
  while (receiver.stats.received === 0) await new Promise((resolve) => setImmediate(resolve))
  const error = await t.throwsAsync(receiver.stopReceiving(), { instanceOf: RecvTimeoutError })
  t.is(error?.code, 'ERR_CDTP_RECEIVE_TIMEOUT')
  await receiver.close()
  await reading
  t.deepEqual(kinds, [MessageType.BOR, MessageType.DATA, MessageType.EOR])
  t.is(condition, RunCondition.ABORTED | RunCondition.INCOMPLETE)
  await transmitter.close()
})

test('a second BOR ends the run unless many runs are taken', async (t) => {
  const { transmitter, receiver } = await pair()
  await transmitter.sendBor({}, {})
  await transmitter.sendBor({}, {})
  const error = await t.throwsAsync(
    async () => {
      for await (const batch of receiver) t.is(batch.kind, MessageType.BOR)
    },
    { instanceOf: InvalidCDTPMessageType },
  )
  t.true(error?.message.includes('already received BOR from Test.one'))
  await receiver.abortReceiving()
  await transmitter.close()

  const many = await pair({ manyRuns: true })
  const conditions: number[] = []
  const reading = many.receiver.consume((batch) => {
    if (batch.kind === MessageType.EOR) conditions.push(batch.condition)
  })
  await many.transmitter.sendBor({}, {})
  await run(many.transmitter, 3)
  await run(many.transmitter, 2)
  await until(() => conditions.length === 3)
  await many.receiver.stopReceiving()
  await many.receiver.close()
  await reading
  t.deepEqual(conditions, [RunCondition.ABORTED, RunCondition.GOOD, RunCondition.GOOD])
  await many.transmitter.close()
})

test('a send that nobody takes is a SendTimeoutError, and what waited is in the ledger', async (t) => {
  const reasons: string[] = []
  const transmitter = await DataTransmitter.bind({
    name: NAME,
    endpoint: 'tcp://127.0.0.1:*',
    failureCb: (reason) => reasons.push(reason),
  })
  transmitter.borTimeout = 0.05
  const error = await t.throwsAsync(transmitter.sendBor({}, {}), { instanceOf: SendTimeoutError })
  t.is(error?.message, 'Failed sending BOR after 0.05s')
  t.is(transmitter.state, TransmitterState.NOT_CONNECTED)
  await t.throwsAsync(transmitter.sendBor({}, {}, 1), { message: 'Failed sending BOR after 0s' })
  transmitter.dataTimeout = 0.05
  transmitter.startSending()
  for (let n = 0; n < 5; n++) transmitter.sendDataRecord(transmitter.newDataRecord({ n }))
  await transmitter.stopSending()
  t.throws(() => transmitter.checkException(), { instanceOf: SendTimeoutError })
  t.deepEqual(reasons, ['Failed sending DATA message after 0.05s'])
  t.like([...transmitter.ledger][0], { firstSeq: 1n, lastSeq: 5n, count: 5, cause: 'queue' })
  await transmitter.close()
})

test('records without blocks go out by the timer', async (t) => {
  const { transmitter, receiver } = await pair()
  await transmitter.sendBor({}, {})
  transmitter.startSending()
  transmitter.sendDataRecord(transmitter.newDataRecord({ only: 'tags' }))
  for await (const batch of receiver) {
    if (batch.kind !== MessageType.DATA) continue
    t.deepEqual({ ...batch.at(0).tags }, { only: 'tags' })
    break
  }
  await transmitter.stopSending()
  await receiver.abortReceiving()
  await transmitter.close()
})

test('a reserved record is filled inside its message', async (t) => {
  const { transmitter, receiver } = await pair()
  await transmitter.sendBor({}, {})
  transmitter.startSending()
  for (const bytes of [10, 300_000, 20, 200_000]) {
    const record = transmitter.newDataRecord({ bytes }, { reserve: bytes })
    record.reserved?.fill(bytes % 251)
    await transmitter.sendDataRecord(record)
  }
  await transmitter.stopSending()
  await transmitter.sendEor({}, { data_records: transmitter.sequenceNumber })
  const lengths: number[] = []
  for await (const batch of receiver) {
    if (batch.kind === MessageType.EOR) break
    if (batch.kind === MessageType.BOR) continue
    for (const { blocks, tags } of batch) {
      const [block] = blocks as [Uint8Array]
      t.is(tags['bytes'], block.length)
      t.true(block.every((byte) => byte === block.length % 251))
      lengths.push(block.length)
    }
  }
  t.deepEqual(lengths, [10, 300_000, 20, 200_000])
  await receiver.stopReceiving()
  await transmitter.close()
})

test('a full queue is a promise, and an error for who does not wait', async (t) => {
  const transmitter = await DataTransmitter.bind({ name: NAME, endpoint: 'tcp://127.0.0.1:*', queueBytes: 1 << 20 })
  transmitter.dataTimeout = 0.3
  transmitter.startSending()
  const block = Buffer.alloc(128 * 1024)
  let promise: Promise<void> | undefined
  let sent = 0
  while (promise === undefined && sent < 100) {
    const record = transmitter.newDataRecord()
    record.addBlock(block)
    promise = transmitter.sendDataRecord(record)
    sent++
  }
  t.true(sent < 20, `${sent}`)
  t.false(transmitter.canSendRecord())
  t.throws(() => transmitter.sendDataRecord(transmitter.newDataRecord()), { code: 'ERR_CDTP_QUEUE_FULL' })
  await promise
  t.throws(() => transmitter.checkException(), { instanceOf: SendTimeoutError })
  await transmitter.close()
})

test('ten thousand runs of one record', async (t) => {
  const runs = 10_000
  const { transmitter, receiver } = await pair({ manyRuns: true })
  const counts = [0, 0, 0]
  const reading = receiver.consume((batch) => {
    counts[batch.kind] = (counts[batch.kind] as number) + 1
    t.is(batch.condition, RunCondition.GOOD)
  })
  for (let n = 0; n < runs; n++) {
    await transmitter.sendBor({}, {})
    transmitter.startSending()
    await transmitter.sendDataRecord(transmitter.newDataRecord({ n }))
    await transmitter.stopSending()
    await transmitter.sendEor({}, { data_records: 1 })
  }
  await until(() => counts[2] === runs)
  await receiver.stopReceiving()
  await receiver.close()
  await reading
  t.deepEqual(counts, [runs, runs, runs])
  t.is(receiver.ledger.totals.records, 0)
  await transmitter.close()
})

test('a second receiver is noticed by all, and what each lacks is in its ledger', async (t) => {
  const first = await pair({ manyRuns: true })
  const { transmitter } = first
  const noticed = new Promise<unknown>((resolve) => {
    transmitter.status.on(({ state, detail }) => state === 'second-receiver' && resolve(detail))
  })
  const second = new DataReceiver({ manyRuns: true })
  second.startReceiving()
  await second.addSender(service(transmitter.port))
  t.deepEqual(await noticed, { peers: 2 })
  const joined = new Set<unknown>()
  const receivers = [first.receiver, second]
  const readings = receivers.map((receiver) => {
    receiver.status.on(({ state }) => state === 'joined-late' && joined.add(receiver))
    return receiver.consume(() => {})
  })
  transmitter.payloadThreshold = 0
  await transmitter.sendBor({}, {})
  transmitter.startSending()
  for (let n = 0; n < 100; n++) {
    const record = transmitter.newDataRecord()
    record.addBlock(Buffer.of(n))
    await transmitter.sendDataRecord(record)
  }
  await transmitter.stopSending()
  await transmitter.sendEor({}, { data_records: 100 })
  const received = () => receivers.reduce((sum, { stats }) => sum + stats.received, 0)
  while (received() < 100) await new Promise((resolve) => setImmediate(resolve))
  t.is(joined.size, 1)
  for (const receiver of receivers) {
    t.true(receiver.stats.lost > 0)
    const { seq = 0n, missed = 0n } = receiver.transmitterStates.get(NAME) ?? {}
    t.is(Number(seq - missed), receiver.stats.received)
    await receiver.abortReceiving()
    await receiver.close()
  }
  await Promise.all(readings)
  await transmitter.close()
})

test('a malformed message is put aside, or ends the run where that is asked for', async (t) => {
  const { Push } = await import('zeromq')
  for (const malformedIsFatal of [false, true]) {
    const socket = new Push({ linger: 0 })
    await socket.bind('tcp://127.0.0.1:*')
    const transmitter = new DataTransmitter({ name: NAME, socket })
    const port = Number(socket.lastEndpoint?.split(':').at(-1))
    const receiver = new DataReceiver({ malformedIsFatal })
    receiver.startReceiving()
    await receiver.addSender(service(port))
    await transmitter.sendBor({}, {})
    await socket.send(Buffer.from('garbage'))
    await transmitter.sendEor({}, {})
    const kinds: number[] = []
    const reading = (async () => {
      for await (const batch of receiver) {
        kinds.push(batch.kind)
        if (batch.kind === MessageType.EOR) break
      }
    })()
    if (malformedIsFatal) await t.throwsAsync(reading, { code: 'ERR_CDTP_VALUE_TYPE' })
    else {
      await reading
      t.deepEqual(kinds, [MessageType.BOR, MessageType.EOR])
      t.like([...receiver.ledger][0], { cause: 'decoder', bytes: 7, count: null })
    }
    await receiver.abortReceiving()
    socket.close()
  }
})
