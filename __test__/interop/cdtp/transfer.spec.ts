// Every scenario of prove.sh with either end replaced by ours; rx.py and tx.py check the other.
import test, { type ExecutionContext } from 'ava'
import {
  conditionName,
  DataReceiver,
  type DataRecord,
  DataTransmitter,
  hostId,
  SendTimeoutError,
  Service,
  timestampNow,
  type Values,
} from '../../../ts/cdtp/index.js'
import { systemClock } from '../../../ts/session/index.js'
import { blocks, borConfig, borTags, eorTags, tags } from './content.js'
import { Peer } from './peer.js'

const NAME = 'Interop.tx'

interface Scenario {
  readonly name: string
  readonly records: number
  readonly maxlen?: number
  readonly stride?: number
  readonly threshold?: number
  readonly drop?: readonly number[]
  readonly condition?: number
  readonly noEor?: boolean
  readonly doubleBor?: boolean
  /** What the receiver has to say. */
  readonly expected?: number
  readonly error?: string
}

const SCENARIOS: readonly Scenario[] = [
  { name: 'small', records: 5, maxlen: 60 },
  { name: 'batched', records: 5000 },
  { name: 'unbatched', records: 2000, threshold: 0 },
  { name: 'big', records: 60, maxlen: 3_000_000, stride: 99_991 },
  { name: 'gap', records: 300, drop: [7, 8, 150], expected: 2 },
  { name: 'gap-taint', records: 300, drop: [9], condition: 1, expected: 3 },
  { name: 'flags-21', records: 20, condition: 0x15, expected: 0x15 },
  { name: 'lost-tail', records: 300, drop: [300], expected: 2 },
  { name: 'no-eor', records: 20, noEor: true, expected: 8, error: 'EOR' },
  { name: 'no-eor-gap', records: 20, noEor: true, drop: [3], expected: 10, error: 'EOR' },
  { name: 'double-bor', records: 5, doubleBor: true, noEor: true, error: 'already' },
]

function args(scenario: Scenario, port: number): string[] {
  const { records, maxlen = 3000, stride = 1, threshold = 128, drop = [] } = scenario
  const numbers = { port, records, maxlen, stride, threshold }
  return [...Object.entries(numbers).flatMap(([key, value]) => [`--${key}`, `${value}`]), '--drop', drop.join(',')]
}

async function send(transmitter: DataTransmitter, scenario: Scenario): Promise<void> {
  const { records, maxlen = 3000, stride = 1, threshold = 128, drop = [], condition = 0 } = scenario
  const started = timestampNow(systemClock)
  await transmitter.sendBor(borTags(records), borConfig(maxlen, threshold))
  if (scenario.doubleBor) await transmitter.sendBor({}, {})
  transmitter.startSending()
  for (let i = 1; i <= records; i++) {
    const record = transmitter.newDataRecord(tags(i))
    for (const block of blocks(i, maxlen, stride)) record.addBlock(block)
    if (!drop.includes(i)) await transmitter.sendDataRecord(record)
  }
  await transmitter.stopSending()
  transmitter.checkException()
  if (scenario.noEor) return
  await transmitter.sendEor(eorTags(records), {
    version: 'interop',
    run_id: 'interop-run',
    time_start: started,
    license: 'ODC-By-1.0',
    time_end: new Date(),
    condition_code: condition,
    condition: conditionName(condition),
    data_records: transmitter.sequenceNumber,
  })
}

for (const scenario of SCENARIOS) {
  test.serial(`Node to Python: ${scenario.name}`, async (t) => {
    const { threshold = 128, expected = 0, error } = scenario
    const transmitter = await DataTransmitter.bind({
      name: NAME,
      endpoint: 'tcp://127.0.0.1:*',
      payloadThreshold: threshold,
    })
    transmitter.borTimeout = transmitter.dataTimeout = transmitter.eorTimeout = 20
    const rx = new Peer('rx.py', [
      ...args(scenario, transmitter.port),
      ...['--expect-condition', `${expected}`, '--eor-timeout', scenario.noEor ? '1' : '5'],
      ...(error === undefined ? [] : ['--expect-error', error]),
    ])
    const sent = send(transmitter, scenario)
    if (scenario.doubleBor) await takenOrTold(t, sent, transmitter, scenario.records)
    else await sent.catch((error: Error) => t.fail(`${error.stack}\n${rx.output}`))
    t.is(await rx.ended, 0, rx.output)
    await transmitter.close()
  })

  test.serial(`Python to Node: ${scenario.name}`, async (t) => {
    const tx = new Peer('tx.py', [
      ...args(scenario, 0),
      ...['--condition', `${scenario.condition ?? 0}`],
      ...(scenario.noEor ? ['--no-eor'] : []),
      ...(scenario.doubleBor ? ['--double-bor'] : []),
    ])
    await receive(t, scenario, Number(await tx.printed(/port (\d+)/)))
    // After two BORs nobody takes its records: it would wait for its time-out.
    if (scenario.doubleBor) await tx.kill()
    else t.is(await tx.ended, 0, tx.output)
  })
}

/** The receiver goes away at the second BOR: ZeroMQ had the records before, or the ledger has all of them. */
async function takenOrTold(t: ExecutionContext, sent: Promise<void>, transmitter: DataTransmitter, records: number) {
  const outcome = await sent.catch((error: unknown) => error)
  const lost = [...transmitter.ledger].reduce((sum, { count }) => sum + Number(count), 0)
  if (outcome !== undefined) t.true(outcome instanceof SendTimeoutError, String(outcome))
  t.is(lost, outcome === undefined ? 0 : records)
  t.is(Number(transmitter.recordsTransmitted), records - lost)
}

async function receive(t: ExecutionContext, scenario: Scenario, port: number): Promise<void> {
  const { records, maxlen = 3000, stride = 1, threshold = 128, drop = [], expected = 0 } = scenario
  const wanted = Array.from({ length: records }, (_, row) => row + 1).filter((i) => !drop.includes(i))
  let row = 0
  let bor: [Values, Values] | undefined
  let eor: [Values, Values] | undefined
  const check = (record: DataRecord): void => {
    const i = wanted[row++] as number
    if (record.sequenceNumber !== BigInt(i)) t.fail(`sequence ${record.sequenceNumber} instead of ${i}`)
    if (row % 97 === 1) t.deepEqual(plain(record.tags), plain(tags(i)), `tags of ${i}`)
    const expectedBlocks = blocks(i, maxlen, stride)
    const same = record.blocks.every((block, j) => Buffer.compare(block, expectedBlocks[j] as Buffer) === 0)
    if (record.blocks.length !== expectedBlocks.length || !same) t.fail(`blocks of ${i}`)
  }
  const receiver = new DataReceiver({
    dataTransmitters: new Set([NAME]),
    receiveBorCb: (sender, userTags, configuration) => {
      t.is(sender, NAME)
      bor = [plain(userTags), plain(configuration)]
    },
    receiveDataCb: (_, record) => check(record),
    receiveEorCb: (_, userTags, metadata) => {
      eor = [plain(userTags), plain(metadata)]
    },
  })
  receiver.eorTimeout = scenario.noEor ? 0.2 : 5
  receiver.startReceiving()
  await receiver.addSender({ hostUuid: hostId(NAME), serviceId: Service.DATA, address: '127.0.0.1', port })
  if (scenario.doubleBor) {
    await new Promise<void>((resolve) => receiver.status.on(({ state }) => state === 'failed' && resolve()))
    t.throws(() => receiver.checkException(), { message: /already received BOR from Interop.tx/ })
    await receiver.abortReceiving()
    return
  }
  while (row < wanted.length || (eor === undefined && !scenario.noEor)) await new Promise((r) => setTimeout(r, 5))
  if (scenario.noEor) await t.throwsAsync(receiver.stopReceiving(), { message: /EOR messages from \['Interop.tx'\]/ })
  else await receiver.stopReceiving()
  t.deepEqual(bor, [plain(borTags(records)), plain(borConfig(maxlen, threshold))])
  t.is(row, wanted.length)
  const [userTags, metadata] = eor ?? [{}, {}]
  t.deepEqual(userTags, scenario.noEor ? {} : eorTags(records))
  t.is(metadata['condition_code'], expected)
  t.is(metadata['condition'], conditionName(expected))
  const missing = [...receiver.ledger].map(({ firstSeq, lastSeq }) => [firstSeq, lastSeq])
  const gaps = drop
    .filter((i) => !drop.includes(i - 1))
    .map((first) => {
      let last = first
      while (drop.includes(last + 1)) last++
      return [BigInt(first), BigInt(last)]
    })
  t.deepEqual(missing, gaps)
}

/** Timestamps as text, so that they can be compared. */
function plain(value: Values): Values {
  const text = (_: string, item: unknown): unknown => {
    const time = item as { seconds?: bigint; nanoseconds?: number } | null
    return typeof time?.seconds === 'bigint' ? `${time.seconds}.${time.nanoseconds}` : item
  }
  return JSON.parse(JSON.stringify(value, text)) as Values
}
