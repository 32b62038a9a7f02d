import test, { type ExecutionContext } from 'ava'
import { Measurement } from '../../../ts/sttp/measurement.js'
import { Publisher } from '../../../ts/sttp/publisher.js'
import { Synthetic, syntheticId } from '../../../ts/sttp/synthetic.js'
import { Ticks } from '../../../ts/sttp/ticks.js'
import { Peer } from './peer.js'

const SIGNALS = 4
const SECOND = Number(Ticks.PER_SECOND)

/** What sttpapi receives of us under these settings: signal, value, ticks and flags. */
async function received(
  t: ExecutionContext,
  publish: (publisher: Publisher) => void,
  expect: number,
  ...settings: string[]
): Promise<[number, number, bigint, number][]> {
  const publisher = new Publisher()
  publisher.defineMetadata(new Synthetic({ signals: SIGNALS }).metadata())
  const [, port] = await publisher.start({ host: '127.0.0.1', port: 0 })
  const peer = new Peer('settings_sub.py', '--port', String(port), '--expect', String(expect), ...settings)
  t.teardown(async () => {
    peer.kill()
    await publisher.close()
  })
  for await (const { state } of publisher.status) if (state === 'peer-subscribed') break
  publish(publisher)
  t.is(await peer.ended, 0, peer.output)
  t.regex(peer.output, /end errors=\[\]/)
  return [...peer.output.matchAll(/^(\d+) (\S+) (\d+) (\d+)$/gm)].map(([, k, value, ticks, flags]) => [
    Number(k),
    value === 'nan' ? Number.NaN : Number(value),
    BigInt(ticks as string),
    Number(flags),
  ])
}

const now = Ticks.utcNow()
const of = (k: number, value: number, seconds = 0) =>
  new Measurement(syntheticId(k), value, now + BigInt(Math.round(seconds * SECOND)))

for (const mode of ['tssc', 'compact']) {
  test.serial(`sttpapi asks for no NaN: ${mode}`, async (t) => {
    const rows = await received(
      t,
      (publisher) => publisher.publishMeasurements([of(0, Number.NaN), of(1, 1), of(2, Number.NaN), of(3, 3)]),
      2,
      ...['--mode', mode, 'requestnanvaluefilter=True'],
    )
    t.deepEqual(rows, [
      [1, 1, now, 0],
      [3, 3, now, 0],
    ])
  })

  test.serial(`sttpapi asks for the latest every 200 ms, of reasonable times: ${mode}`, async (t) => {
    const publish = (publisher: Publisher): void => {
      for (let n = 0; n < 100; n++) publisher.publishMeasurements([of(0, n), of(1, n)])
      publisher.publishMeasurements([of(2, 2, -30)])
    }
    const asked = ['throttled=True', 'publishinterval=0.2', 'enabletimereasonabilitycheck=True', 'lagtime=20.0']
    const rows = await received(t, publish, 6, '--mode', mode, ...asked)
    // Compact flags stand for a whole group of bits each.
    const bad = mode === 'tssc' ? 0x1_0000 : 0xbf_0000
    const turn = [
      [0, 99, now, 0],
      [1, 99, now, 0],
      [2, Number.NaN, now - 30n * Ticks.PER_SECOND, bad],
    ]
    t.deepEqual(rows, [...turn, ...turn] as typeof rows)
  })
}

for (const [name, setting, unit, reach] of [
  ['ticks', 'usemillisecondresolution=False', 1n, 420],
  ['milliseconds', 'usemillisecondresolution=True', 10_000n, 60],
] as const) {
  test.serial(`sttpapi reads times from base times that move on: ${name}`, async (t) => {
    // Ten times the reach of a base, so that it moves on several times.
    const times = Array.from({ length: 40 }, (_, n) => (n * reach) / 4 + n / 1000)
    const rows = await received(
      t,
      (publisher) => {
        for (const [n, seconds] of times.entries()) publisher.publishMeasurements([of(n % SIGNALS, n, seconds)])
      },
      times.length,
      setting,
    )
    t.deepEqual(
      rows.map(([k, value]) => [k, value]),
      times.map((_, n) => [n % SIGNALS, n]),
    )
    for (const [n, [, , ticks]] of rows.entries()) {
      const { timestamp } = of(0, 0, times[n])
      t.true(timestamp - ticks >= 0n && timestamp - ticks < unit, `${n}: ${timestamp - ticks}`)
    }
  })
}

test.serial('sttpapi asks for no times', async (t) => {
  const rows = await received(t, (publisher) => publisher.publishMeasurements([of(1, 5)]), 1, 'includetime=False')
  t.deepEqual(
    rows.map(([k, value]) => [k, value]),
    [[1, 5]],
  )
})
