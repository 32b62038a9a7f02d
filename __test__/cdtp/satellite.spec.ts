import test from 'ava'
import {
  type Configuration,
  Controller,
  type DataRecord,
  ReceiverSatellite,
  RunCondition,
  Satellite,
  SatelliteState,
  TRANSITIONS,
  type TransitionName,
  TransmitterSatellite,
  type Values,
} from '../../ts/cdtp/index.js'

const interfaces = ['127.0.0.1']
let groups = 0
const newGroup = () => `spec${process.pid}x${++groups}`

class Sender extends TransmitterSatellite {
  records = 10

  protected override async doInitializing(configuration: Configuration) {
    this.records = configuration.number('records', 10)
    if (configuration.has('fail')) throw new Error('told to fail')
    return 'ready'
  }

  protected override async doRun(signal: AbortSignal) {
    for (let n = 0; n < this.records && !signal.aborted; n++) {
      const record = this.newDataRecord({ n })
      record.addBlock(Buffer.of(n))
      await this.sendDataRecord(record)
    }
    return 'done'
  }
}

class Counter extends ReceiverSatellite {
  records = 0
  readonly ends: Values[] = []

  protected override receiveData(_: string, record: DataRecord) {
    if (record.blocks[0]?.[0] === this.records % 256) this.records++
  }

  protected override receiveEor(_: string, __: Values, metadata: Values) {
    this.ends.push(metadata)
  }
}

async function constellation() {
  const group = newGroup()
  const sender = new Sender({ type: 'Sender', name: 'a', group, interfaces })
  const counter = new Counter({ type: 'Counter', name: 'a', group, interfaces })
  const controller = new Controller({ group, interfaces })
  for (const member of [sender, counter, controller]) await member.open()
  await controller.discover(['Sender.a', 'Counter.a'])
  const close = () => Promise.all([sender.close(), counter.close(), controller.close()])
  return { group, sender, counter, controller, close }
}

async function until(condition: () => boolean) {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}

test('a run by the controller: every record, the metadata, the state of each', async (t) => {
  const { sender, counter, controller, close } = await constellation()
  const configurations = { 'sender.A': { records: 200 }, 'Counter.a': { _data: { eor_timeout: 2 } } }
  await controller.run({ runId: 'run_7', configurations, until: () => until(() => counter.records === 200) })
  t.is(sender.state, 'ORBIT')
  t.is(counter.state, 'ORBIT')
  t.like(counter.ends[0], { run_id: 'run_7', condition: 'GOOD', data_records: 200, license: 'ODC-By-1.0' })
  t.is((await controller.command('Sender.a', 'get_run_id')).text, 'run_7')
  const { payload } = await controller.command('Sender.a', 'get_config')
  t.like(payload, { records: 200, _data: { payload_threshold: 128 } })
  // Another run begins where the one before ended, in ORBIT.
  await controller.run({ runId: 'run_8', configurations, until: () => Promise.resolve() })
  t.is(counter.ends.length, 2)
  t.like(counter.ends[1], { run_id: 'run_8', condition: 'GOOD' })
  await close()
})

test('what a satellite refuses, and how', async (t) => {
  const { controller, close } = await constellation()
  const refused = (command: string, text: RegExp, payload?: string | Values) =>
    t.throwsAsync(controller.command('Sender.a', command, payload), { message: text })
  await refused('launch', /INVALID launch not allowed from NEW state/)
  await refused('initialize', /INCOMPLETE initialize takes a map/)
  await refused('no_such_command', /UNKNOWN/)
  await refused('reconfigure', /UNKNOWN/, {})
  await controller.transition(['Sender.a'], 'initialize', () => ({}))
  await controller.transition(['Sender.a'], 'launch')
  await refused('start', /INCOMPLETE/, 'bad id!')
  await refused('land', /INCOMPLETE land takes no arguments/, 'argument')
  await refused('shutdown', /INVALID/)
  await close()
})

test('an exception is ERROR, with its text as status; initialize leads out of it', async (t) => {
  const { controller, sender, close } = await constellation()
  const failing = controller.transition(['Sender.a'], 'initialize', () => ({ fail: true }))
  await t.throwsAsync(failing, { code: 'ERR_CDTP_TRANSITION_FAILED', message: /told to fail/ })
  t.is(sender.state, 'ERROR')
  await controller.transition(['Sender.a'], 'initialize', () => ({}))
  t.is(sender.state, 'INIT')
  await close()
})

test('an interrupt ends the run of both, INTERRUPTED', async (t) => {
  const { controller, sender, counter, close } = await constellation()
  const started = controller.run({
    runId: 'r',
    until: () => until(() => counter.records === 10).then(() => sender.interrupt('test')),
  })
  await t.throwsAsync(started)
  await until(() => sender.state === 'SAFE' && counter.state === 'SAFE')
  t.is(Number(counter.ends[0]?.['condition_code']) & ~RunCondition.DEGRADED, RunCondition.INTERRUPTED)
  await close()
})

test('a satellite that transmits nothing goes through its runs all the same', async (t) => {
  const { controller, sender, counter, close } = await constellation()
  const configurations = { 'Sender.a': { _data: { disable_transmission: true } } }
  for (const runId of ['run_1', 'run_2']) {
    await controller.run({ runId, configurations, until: () => Promise.resolve() })
    t.is(sender.state, 'ORBIT')
    t.is(sender.transmitter.sequenceNumber, 10n)
  }
  t.is(counter.records, 0)
  t.deepEqual(counter.ends, [])
  await close()
})

test('what a command of its own gives and cannot be sent is an error of that command alone', async (t) => {
  const { controller, sender, close } = await constellation()
  sender.addCommand('broken', { description: 'test', run: () => ({ text: 'x', payload: (() => {}) as never }) })
  await t.throwsAsync(controller.command('Sender.a', 'broken'), { message: /ERROR/ })
  t.is((await controller.command('Sender.a', 'get_name')).text, 'Sender.a')
  await close()
})

test('conditions hold a transition back until others are there', async (t) => {
  const { controller, sender, counter, close } = await constellation()
  const conditions = { _conditions: { require_launching_after: ['Counter.a'], transition_timeout: 5 } }
  await controller.transition(['Sender.a'], 'initialize', () => conditions)
  await controller.transition(['Counter.a'], 'initialize', () => ({}))
  await controller.command('Sender.a', 'launch')
  t.is(sender.state, 'launching')
  await controller.transition(['Counter.a'], 'launch')
  await until(() => sender.state === 'ORBIT')
  t.is(counter.state, 'ORBIT')
  await close()
})

test('logs and metrics go to those that have subscribed', async (t) => {
  const group = newGroup()
  const satellite = new Satellite({ type: 'Lamp', name: 'one', group, interfaces })
  const seen: string[] = []
  const controller = new Controller({
    group,
    interfaces,
    topics: ['LOG/WARNING', 'STAT/', 'STAT?'],
    onMonitoring: ({ kind, level, topic, value, unit }) => {
      seen.push(kind === 'metric-topics' ? kind : `${kind} ${level ?? ''} ${topic} ${value} ${unit ?? ''}`.trim())
    },
  })
  await satellite.open()
  await controller.open()
  await controller.discover(['Lamp.one'])
  await until(() => {
    satellite.log('INFO', 'nobody asked')
    satellite.log('WARNING', 'hot', 'TEMP')
    satellite.monitoring.metric('TEMPERATURE', 41.5, 'C')
    return seen.includes('metric  TEMPERATURE 41.5 C')
  })
  t.true(seen.includes('log WARNING TEMP hot'))
  t.true(seen.includes('metric-topics'))
  t.false(seen.some((line) => line.includes('nobody asked')))
  await satellite.close()
  await controller.close()
})

test('the lower half of a transitional state is the upper half of its target', (t) => {
  for (const name of Object.keys(TRANSITIONS) as TransitionName[]) {
    const { through, to } = TRANSITIONS[name]
    t.is(SatelliteState[through] & 0x0f, SatelliteState[to] >> 4, name)
  }
})
