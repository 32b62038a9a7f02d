// What goes wrong in a run, and the ledger after it. The processes that are killed are killed by SIGKILL.
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  Controller,
  type DataRecord,
  DataTransmitter,
  EndpointSource,
  MessageType,
  ReceiverSatellite,
  RunCondition,
  SendTimeoutError,
  Service,
  TransmitterSatellite,
  type Values,
} from '../../ts/cdtp/index.js'
import { freePort } from '../free-port.js'
import { Program } from '../program.js'

const MAIN = join(import.meta.dirname, '..', '..', 'ts', 'cli', 'main.ts')
const interfaces = ['127.0.0.1']

/** The command in a process of its own. */
function command(t: ExecutionContext, args: readonly string[]): Program {
  const program = new Program(process.execPath, ['--import', 'tsx', MAIN, ...args])
  t.teardown(() => void program.kill())
  return program
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}

test('a transmitter that is killed in its run, and started again', async (t) => {
  const port = await freePort()
  const serve = async (...more: string[]): Promise<Program> => {
    const program = command(t, ['serve', 'cdtp', '--port', `${port}`, '--rate', '2000', ...more])
    await program.printed(/port \d+/)
    return program
  }
  const first = await serve()
  const source = new EndpointSource('127.0.0.1', port, { runs: 2, reconnect: { minDelay: 50, maxDelay: 100 } })
  await source.connect()
  const ends: [string, number][] = []
  let last = 0n
  const reading = source.consume((batch) => {
    if (batch.kind === MessageType.EOR) ends.push([batch.run, batch.condition])
    if (batch.kind === MessageType.DATA && batch.run === 'run_1') last = batch.sequences[batch.length - 1] as bigint
  })
  await until(() => source.stats.received > 100)
  await first.kill()
  const second = await serve('--frames', '300')
  await reading
  t.deepEqual(ends, [
    ['run_1', RunCondition.ABORTED],
    ['run_2', RunCondition.GOOD],
  ])
  // How many were lost behind the last one only the dead transmitter knew: the ledger says when, and no count.
  t.deepEqual(
    [...source.ledger].map(({ cause, count }) => [cause, count]),
    [['disconnect', null]],
  )
  t.is(source.stats.received, Number(last) + 300)
  t.is(await second.ended, 0, second.output)
})

test('a receiver that is killed in a run, and started again: the next one has in its ledger what it did not see', async (t) => {
  const transmitter = await DataTransmitter.bind({
    name: 'Test.one',
    endpoint: 'tcp://127.0.0.1:*',
    queueBytes: 1 << 18,
  })
  const url = `cdtp://127.0.0.1:${transmitter.port}`
  const tail = command(t, ['tail', url, '--format', 'csv'])
  await transmitter.sendBor({}, {})
  transmitter.startSending()
  let isOver = false
  const sending = (async () => {
    while (!isOver) {
      const record = transmitter.newDataRecord()
      record.addBlock(Buffer.alloc(1000))
      await transmitter.sendDataRecord(record)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    await transmitter.stopSending()
    await transmitter.sendEor({}, { data_records: transmitter.sequenceNumber })
  })()
  await tail.printed(/,Test\.one,0,50,/)
  await tail.kill()
  const source = new EndpointSource('127.0.0.1', transmitter.port, { runs: 1 })
  const told: string[] = []
  source.status.on(({ state }) => told.push(state))
  await source.connect()
  let first = 0n
  const reading = source.consume((batch) => {
    if (batch.kind === MessageType.DATA && first === 0n) first = batch.sequences[0] as bigint
  })
  await until(() => source.stats.received > 50)
  isOver = true
  await sending
  await reading
  t.true(told.includes('joined-late'))
  t.true(first > 1n)
  const [gap, ...more] = source.ledger
  t.like(gap, { source: 'Test.one', cause: 'wire', firstSeq: 1n, lastSeq: first - 1n, count: Number(first - 1n) })
  t.is(more.length, 0)
  t.is(source.stats.received + Number(first - 1n), Number(transmitter.sequenceNumber))
  await transmitter.close()
})

test('a receiver that takes nothing holds its transmitter back, in bounds; what was not taken in time is in the ledger', async (t) => {
  const transmitter = await DataTransmitter.bind({
    name: 'Test.one',
    endpoint: 'tcp://127.0.0.1:*',
    queueBytes: 2 << 20,
  })
  const source = new EndpointSource('127.0.0.1', transmitter.port, { queueBytes: 1 << 20 })
  await source.connect()
  await transmitter.sendBor({}, {})
  transmitter.dataTimeout = 0.3
  transmitter.startSending()
  const block = Buffer.alloc(128 << 10)
  let sent = 0
  await t.throwsAsync(
    async () => {
      for (; sent < 10_000; sent++) {
        const record = transmitter.newDataRecord()
        record.addBlock(block)
        await transmitter.sendDataRecord(record)
        transmitter.checkException()
      }
    },
    { instanceOf: SendTimeoutError },
  )
  // 2 MiB of the queue, 1 MiB of ZeroMQ here and less there, 1 MiB of the consumer's, and the buffers of the system.
  t.true(sent < 200, `${sent}`)
  const lost = [...transmitter.ledger].reduce((sum, { count }) => sum + (count ?? 0), 0)
  t.is(Number(transmitter.recordsTransmitted) + lost, Number(transmitter.sequenceNumber))
  await source.close()
  await transmitter.close()
})

class Sender extends TransmitterSatellite {
  protected override async doRun(signal: AbortSignal) {
    while (!signal.aborted) {
      const record = this.newDataRecord()
      record.addBlock(Buffer.alloc(100))
      await this.sendDataRecord(record)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    return 'finished'
  }

  /** Says that its heartbeats are at a place where there are none. */
  fallSilent(port: number): void {
    this.chirp.offer(Service.HEARTBEAT, port)
  }
}

class Counter extends ReceiverSatellite {
  records = 0
  readonly ends: Values[] = []

  protected override receiveData(_: string, __: DataRecord) {
    this.records++
  }

  protected override receiveEor(_: string, __: Values, metadata: Values) {
    this.ends.push(metadata)
  }
}

for (const [role, wanted] of [
  ['TRANSIENT', 'RUN'],
  ['DYNAMIC', 'SAFE'],
] as const) {
  test(`heartbeats of a ${role} member that are lost while its data go on: ${wanted}`, async (t) => {
    const group = `faults${process.pid}${role}`
    const sender = new Sender({ type: 'Sender', name: 'a', group, interfaces })
    const counter = new Counter({ type: 'Counter', name: 'a', group, interfaces })
    const controller = new Controller({ group, interfaces })
    for (const member of [sender, counter, controller]) await member.open()
    const names = await controller.discover(['Sender.a', 'Counter.a'])
    const configuration = { _autonomy: { role, max_heartbeat_interval: 0.5 }, _data: { eor_timeout: 1 } }
    await controller.transition(names, 'initialize', () => configuration)
    await controller.transition(names, 'launch')
    await controller.transition(['Counter.a'], 'start', () => 'run_1')
    await controller.transition(['Sender.a'], 'start', () => 'run_1')
    await until(() => counter.remotes.some(({ name, state }) => name === 'Sender.a' && state === 'RUN'))
    sender.fallSilent(1)
    await until(() => counter.remotes.some(({ state }) => state === 'DEAD'))
    const before = counter.records
    if (wanted === 'RUN') {
      await until(() => counter.records > before + 50)
      t.is(counter.state, 'RUN')
      await controller.transition(['Sender.a'], 'stop')
      await controller.transition(['Counter.a'], 'stop')
    } else {
      await until(() => counter.state === 'SAFE')
    }
    const condition = Number(counter.ends[0]?.['condition_code'])
    t.is(condition & RunCondition.DEGRADED, RunCondition.DEGRADED)
    t.is(condition & RunCondition.INCOMPLETE, 0)
    t.is(counter.receiver.ledger.totals.records, 0)
    for (const member of [sender, counter, controller]) await member.close()
  })
}
