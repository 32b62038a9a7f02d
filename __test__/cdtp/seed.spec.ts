// Every public name of constellationdaq's module `core.cdtp`, in its order there, has its counterpart here and its place in
// the guide.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  conditionName,
  DataReceiver,
  DataTransmitter,
  type DiscoveredService,
  hostId,
  InvalidCDTPMessageType,
  RecvTimeoutError,
  RunCondition,
  SendTimeoutError,
  Service,
  TransmitterState,
} from '../../ts/cdtp/index.js'

const SEED: Readonly<Record<string, { readonly methods: readonly string[]; readonly properties: readonly string[] }>> =
  {
    DataReceiver: {
      methods: ['add_sender', 'check_exception', 'remove_sender', 'start_receiving', 'stop_receiving'],
      properties: ['bytes_received', 'data_transmitters', 'eor_timeout', 'running'],
    },
    DataTransmitter: {
      methods: [
        'can_send_record',
        'check_exception',
        'new_data_record',
        'send_bor',
        'send_data_record',
        'send_eor',
        'start_sending',
        'stop_sending',
      ],
      properties: [
        'bor_timeout',
        'bytes_transmitted',
        'data_timeout',
        'eor_timeout',
        'payload_threshold',
        'queue_size',
        'records_transmitted',
        'sequence_number',
        'state',
      ],
    },
  }
/** What the constructors take, all of it. */
const ARGUMENTS = ['context', 'logger', 'receive_bor_cb', 'receive_data_cb', 'receive_eor_cb', 'data_transmitters']
const TRANSMITTER_ARGUMENTS = ['name', 'socket', 'logger', 'failure_cb']

const camelCase = (name: string): string => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())

function hasAll(t: ExecutionContext, object: object, of: string): void {
  const { methods = [], properties = [] } = SEED[of] ?? {}
  for (const name of methods) t.is(typeof Reflect.get(object, camelCase(name)), 'function', `${of}.${name}`)
  for (const name of properties) {
    t.true(camelCase(name) in object, `${of}.${name}`)
    t.not(typeof Reflect.get(object, camelCase(name)), 'function', `${of}.${name}`)
  }
}

test('DataReceiver takes the arguments of the seed and has its members', async (t) => {
  const told: string[] = []
  const receiver = new DataReceiver({
    logger: { log: (_, text) => told.push(text) },
    receiveBorCb: () => {},
    receiveDataCb: () => {},
    receiveEorCb: () => {},
    dataTransmitters: new Set(['Sputnik.One']),
  })
  hasAll(t, receiver, 'DataReceiver')
  t.deepEqual(receiver.dataTransmitters, new Set(['Sputnik.One']))
  t.is(receiver.eorTimeout, 10)
  t.is(receiver.bytesReceived, 0n)
  t.false(receiver.running)
  receiver.startReceiving()
  t.true(receiver.running)
  t.deepEqual(receiver.transmitterStates.get('Sputnik.One'), {
    state: TransmitterState.NOT_CONNECTED,
    seq: 0n,
    missed: 0n,
  })
  const service: DiscoveredService = {
    hostUuid: hostId('Sputnik.Two'),
    serviceId: Service.DATA,
    address: '127.0.0.1',
    port: 1,
  }
  await receiver.addSender(service)
  receiver.removeSender(service)
  await receiver.stopReceiving()
  t.false(receiver.running)
  receiver.checkException()
  await receiver.close()
})

test('DataTransmitter takes the arguments of the seed, has its members and its defaults', async (t) => {
  const transmitter = new DataTransmitter({
    name: 'Sputnik.One',
    socket: { sendTimeout: -1, send: () => Promise.resolve() },
    logger: { log: () => {} },
    failureCb: () => {},
  })
  hasAll(t, transmitter, 'DataTransmitter')
  const { borTimeout, dataTimeout, eorTimeout, payloadThreshold, queueSize, sequenceNumber, state } = transmitter
  t.deepEqual([borTimeout, dataTimeout, eorTimeout], [-1, -1, -1])
  t.deepEqual([payloadThreshold, queueSize, sequenceNumber], [128, 32_768, 0n])
  t.deepEqual([transmitter.recordsTransmitted, transmitter.bytesTransmitted], [0n, 0n])
  t.is(state, TransmitterState.NOT_CONNECTED)
  await transmitter.sendBor({}, {}, 0)
  t.is(transmitter.state, TransmitterState.BOR_RECEIVED)
  transmitter.startSending()
  t.true(transmitter.canSendRecord())
  const record = transmitter.newDataRecord({ n: 1 })
  record.addBlock(Buffer.alloc(7))
  await transmitter.sendDataRecord(record)
  await transmitter.stopSending()
  transmitter.checkException()
  t.deepEqual([transmitter.recordsTransmitted, transmitter.bytesTransmitted], [1n, 7n])
  await transmitter.sendEor({}, {}, 0)
  t.is(transmitter.state, TransmitterState.EOR_RECEIVED)
})

test('the exceptions take the arguments of the seed and say what it says', (t) => {
  const send = new SendTimeoutError('DATA message', 3)
  t.deepEqual([send.what, send.timeout, send.message], ['DATA message', 3, 'Failed sending DATA message after 3s'])
  const receive = new RecvTimeoutError('EOR', 3)
  t.deepEqual([receive.what, receive.timeout, receive.message], ['EOR', 3, 'Failed receiving EOR after 3s'])
  const order = new InvalidCDTPMessageType('BOR', 'twice')
  t.deepEqual([order.type, order.reason], ['BOR', 'twice'])
  t.is(order.message, 'Error handling CDTP message with type BOR: twice')
  for (const error of [send, receive, order]) t.true(error instanceof Error && error.code.startsWith('ERR_CDTP_'))
})

test('the constants have the numbers of the seed', (t) => {
  t.deepEqual(RunCondition, { GOOD: 0, TAINTED: 1, INCOMPLETE: 2, INTERRUPTED: 4, ABORTED: 8, DEGRADED: 16 })
  t.is(
    conditionName(RunCondition.TAINTED | RunCondition.INTERRUPTED | RunCondition.DEGRADED),
    'TAINTED|INTERRUPTED|DEGRADED',
  )
  t.deepEqual(TransmitterState, { NOT_CONNECTED: 1, BOR_RECEIVED: 2, EOR_RECEIVED: 3 })
})

test('the guide has a line for every name', async (t) => {
  const guide = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'constellation.md'), 'utf8')
  const table = guide.slice(guide.indexOf('## From constellationdaq'))
  const classes = Object.entries(SEED).flatMap(([name, { methods, properties }]) => [name, ...methods, ...properties])
  const others = ['SendTimeoutError', 'RecvTimeoutError', 'InvalidCDTPMessageType', 'RunCondition', 'PushThread']
  const states = ['TransmitterState', 'TransmitterStateSeq', 'seq', 'missed', 'DiscoveredService', 'flags']
  for (const name of [...classes, ...others, ...states, ...ARGUMENTS, ...TRANSMITTER_ARGUMENTS]) {
    t.regex(table, new RegExp(`\\b${name}\\b`), name)
    t.regex(table, new RegExp(`\\b${camelCase(name)}\\b`), name)
  }
})
