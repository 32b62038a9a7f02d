// Whole satellites of both kinds, driven by drive.py (which knows nothing of any framework) and by our controller.
import test from 'ava'
import { Controller, RunCondition, type Values } from '../../../ts/cdtp/index.js'
import { Peer } from './peer.js'
import { interfaces, SatRx, SatTx } from './satellites.js'

let groups = 0
const newGroup = () => `interop${process.pid}x${++groups}`

async function until(condition: () => boolean | Promise<boolean>) {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20))
}

for (const ends of ['Node to Node', 'Node to Python', 'Python to Node'] as const) {
  for (const skip of [0, 17]) {
    test.serial(`drive.py: ${ends}${skip ? ', one record skipped' : ''}`, async (t) => {
      const group = newGroup()
      const tx = ends.startsWith('Node') ? new SatTx('one', group) : await Peer.satellite('tx', group)
      const rx = ends.endsWith('Node') ? new SatRx('one', group) : await Peer.satellite('rx', group)
      for (const member of [tx, rx]) if (!(member instanceof Peer)) await member.open()
      const drive = new Peer('drive.py', ['--group', group, '--run', '0.7', '--skip', `${skip}`, '--shutdown'])
      t.is(await drive.ended, 0, drive.output)
      t.regex(drive.output, skip ? /verdict: OK 299 2 / : /verdict: OK 300 0 /)
      for (const member of [tx, rx]) {
        if (member instanceof Peer) t.is(await member.ended, 0, member.output)
        else await member.closed
      }
    })
  }
}

test.serial('drive.py interrupts Node satellites', async (t) => {
  const group = newGroup()
  const [tx, rx] = [new SatTx('one', group), new SatRx('one', group)]
  await tx.open()
  await rx.open()
  const drive = new Peer('drive.py', ['--group', group, '--run', '0.5', '--interrupt', '--shutdown'])
  t.is(await drive.ended, 0, drive.output)
  t.is(rx.ends.length, 1)
  t.like(rx.ends[0]?.metadata, { condition_code: 4, condition: 'INTERRUPTED' })
  await Promise.all([tx.closed, rx.closed])
})

test.serial('ten satellites of both kinds: start, stop, interrupt, crash of one', async (t) => {
  const group = newGroup()
  const own = [new SatTx('n1', group), new SatTx('n2', group), new SatTx('n3', group), new SatRx('all', group)]
  for (const satellite of own) await satellite.open()
  const names = ['p1', 'p2', 'p3']
  const python = await Promise.all(names.map((name) => Peer.satellite('tx', group, name)))
  const receivers = await Promise.all(names.map((name) => Peer.satellite('rx', group, name)))
  await using controller = new Controller({ group, interfaces })
  await controller.open()
  const all = [
    ...own.map((satellite) => satellite.canonicalName),
    ...names.flatMap((n) => [`SatTx.${n}`, `SatRx.${n}`]),
  ]
  t.is((await controller.discover(all, 30_000)).length, 10)

  // Each transmitter serves one receiver: ours takes n1 and p1..p3 are split among the others.
  const from: Record<string, string[]> = {
    'SatRx.all': ['SatTx.n1', 'SatTx.p1'],
    'SatRx.p1': ['SatTx.n2'],
    'SatRx.p2': ['SatTx.p2', 'SatTx.n3'],
    'SatRx.p3': ['SatTx.p3'],
  }
  const configurations = Object.fromEntries(
    all.map((name) => {
      const data = from[name] === undefined ? {} : { receive_from: from[name], eor_timeout: 3 }
      const base = { records: 200, check_content: false, _autonomy: { max_heartbeat_interval: 1 } }
      return [name, { ...base, _data: data }]
    }),
  )
  const rx = own[3] as SatRx
  const sent = () => until(() => rx.records >= 400)
  await controller.run({ runId: 'run_1', configurations, until: sent })
  t.deepEqual(rx.ends.map(({ sender, metadata }) => [sender, metadata['condition_code']]).sort(), [
    ['SatTx.n1', 0],
    ['SatTx.p1', 0],
  ])
  for (const name of ['SatRx.p1', 'SatRx.p3']) {
    const { text } = await controller.command(name, 'verdict')
    t.regex(text, /OK 200 0/, name)
  }

  const start = async (runId: string) => {
    const isTransmitter = (name: string) => name.startsWith('SatTx')
    await controller.transition(Object.keys(from), 'start', () => runId)
    await controller.transition(all.filter(isTransmitter), 'start', () => runId)
  }
  const areSafe = async (names: readonly string[]) => {
    for (const name of names) await until(async () => (await controller.state(name)) === 'SAFE')
  }

  // A second run, of which one member is interrupted: the others see it in SAFE and follow.
  await start('run_2')
  await sent()
  await controller.command('SatTx.n1', '_interrupt')
  await areSafe(all)
  t.deepEqual(rx.ends.map(({ sender, metadata }) => [sender, metadata['condition_code']]).sort(), [
    ['SatTx.n1', RunCondition.INTERRUPTED],
    ['SatTx.p1', RunCondition.INTERRUPTED],
  ])
  t.is(rx.receiver.ledger.totals.records, 0)

  // A third run, in which a Python transmitter dies: the others notice by its heartbeats and go to SAFE.
  await controller.transition(all, 'initialize', (name) => configurations[name] as Values)
  await controller.transition(all, 'launch')
  await start('run_3')
  await sent()
  await python[0]?.kill()
  const survivors = all.filter((name) => name !== 'SatTx.p1')
  await areSafe(survivors)
  // Who hears of the death by an interrupted member before its own patience is over is not DEGRADED.
  const { DEGRADED, ...sure } = RunCondition
  const conditions = new Map(
    rx.ends.map(({ sender, metadata }) => [sender, Number(metadata['condition_code']) & ~DEGRADED]),
  )
  t.is(conditions.get('SatTx.p1'), sure.ABORTED)
  t.is(conditions.get('SatTx.n1'), sure.INTERRUPTED)
  await until(() => controller.remotes.some(({ name, state }) => name === 'SatTx.p1' && state === 'DEAD'))

  for (const name of survivors) await controller.command(name, 'shutdown')
  await Promise.all([...own.map(({ closed }) => closed), ...python.slice(1).map(({ ended }) => ended)])
  for (const peer of receivers) t.is(await peer.ended, 0, peer.output)
})

test.serial("constellationdaq's own controller drives Node satellites", async (t) => {
  const group = newGroup()
  const [tx, rx] = [new SatTx('one', group), new SatRx('one', group)]
  await tx.open()
  await rx.open()
  const control = new Peer('control.py', [group, 'SatTx.one', 'SatRx.one'])
  await control.printed(/control: OK/)
  t.regex(control.output, /verdict .*OK 100 0/)
  await control.kill()
  await Promise.all([tx.close(), rx.close()])
})
