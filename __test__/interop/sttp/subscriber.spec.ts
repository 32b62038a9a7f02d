import test, { type ExecutionContext } from 'ava'
import { nativeIdText } from '../../../ts/batch/index.js'
import { measurementAt } from '../../../ts/sttp/measurement-reader.js'
import { Subscriber } from '../../../ts/sttp/subscriber.js'
import type { PayloadEncoding, ProtocolVersion } from '../../../ts/sttp/subscription.js'
import { compactImage, signalNumber } from '../../judge/sttp/known-values.js'
import { Peer } from './peer.js'

const SIGNALS = 12
const SAMPLES = 300
const T0 = 638_000_000_000_000_000n
const STEP = 333_333n
const FLAGS = [0x0, 0x1, 0x2, 0x20, 0x1_0000, 0x1000, 0x8000_0000, 0x1_0001]
const EVERYTHING = 'FILTER ActiveMeasurements WHERE True ORDER BY SignalID'

interface Case {
  readonly encoding?: PayloadEncoding
  readonly filter?: string
  readonly signals?: number
  readonly samples?: number
  /** The subscription is made a second time behind so many measurements. */
  readonly again?: number
  readonly quirks?: readonly string[]
  readonly version?: ProtocolVersion
}

/** Subscribes to the real sttpapi and compares every value, flag and time. */
async function subscribeTo(t: ExecutionContext, wanted: Case, ...args: string[]): Promise<void> {
  const { encoding = 'tssc', filter = EVERYTHING, signals = SIGNALS, samples = SAMPLES, version = 2 } = wanted
  const base = ['--signals', `${SIGNALS}`, '--samples', `${samples}`, '--rate', '300']
  const peer = new Peer('pub.py', ...base, ...args)
  t.teardown(() => peer.kill())
  const port = await peer.listening()
  const quiet = { statusMessage: false, errorMessage: false } as const
  const subscriber = new Subscriber({ wait: 5000, autoReconnect: false, version, ...quiet })
  void subscriber.subscribe(filter, { encoding })
  await subscriber.connect(`127.0.0.1:${port}`)
  const jitters = args.includes('--jitter')
  const cycles = args.includes('--cycle-flags')
  const seen = new Set<string>()
  let [received, wrong, again] = [0, '', wanted.again ?? Number.POSITIVE_INFINITY]
  await subscriber.consume((batch) => {
    for (let row = 0; row < batch.length; row++) {
      const { signalId, value, timestamp, flags } = measurementAt(batch, row)
      const k = signalNumber(signalId)
      const n = Number((timestamp - T0) / STEP)
      const full = cycles ? (FLAGS[Math.floor(n / 50) % FLAGS.length] as number) : 0
      const expected = [
        1000 * k + 0.25 * (n % 4000),
        T0 + BigInt(n) * STEP + (jitters ? BigInt((n * 7919) % 97) : 0n),
        encoding === 'compact' ? compactImage(full) : full,
      ]
      if ([value, timestamp, flags].join() !== expected.join()) {
        wrong ||= `${signalId} ${n}: ${[value, timestamp, flags].join()}, not ${expected.join()}`
      }
      seen.add(`${k} ${n}`)
    }
    received += batch.length
    if (received < again) return
    again = Number.POSITIVE_INFINITY
    void subscriber.subscribe(filter, { encoding })
  })
  t.is(wrong, '')
  t.is(received, signals * samples, peer.output)
  t.is(seen.size, signals * samples)
  // It closes between two frames, and no other connection is wanted: that is the end.
  t.deepEqual([...subscriber.ledger], [])
  t.deepEqual(subscriber.describe().quirks, wanted.quirks ?? ['text-length-prefix', 'cache-size'])
  const first = [...subscriber.signals].find(({ name }) => name === 'INTEROP_DEV!T0')
  t.is(first?.kind, 'FREQ')
  t.is(nativeIdText(first?.nativeId ?? new Uint8Array(0), 'sttp'), '00000000-0000-4000-8000-000000000000')
}

test.serial('we subscribe to sttpapi: as it is, TSSC', (t) => subscribeTo(t, {}))
test.serial('we subscribe to sttpapi: repaired, TSSC, irregular times, every flag', (t) =>
  subscribeTo(t, {}, '--patched', '--jitter', '--cycle-flags'),
)
test.serial('we subscribe to sttpapi: repaired, compact, irregular times, every flag', (t) =>
  subscribeTo(t, { encoding: 'compact' }, '--patched', '--jitter', '--cycle-flags'),
)
test.serial('we subscribe to sttpapi: as it is, compact, whose packets have no count', (t) =>
  subscribeTo(t, {
    encoding: 'compact',
    quirks: ['text-length-prefix', 'cache-size', 'compact-without-count'],
  }),
)
test.serial('we subscribe to sttpapi: by a filter', (t) =>
  subscribeTo(t, { filter: "FILTER TOP 4 ActiveMeasurements WHERE SignalType = 'FREQ'", signals: 4 }),
)
test.serial('we subscribe to sttpapi: signals by their ids, which it cannot take apart itself', (t) =>
  subscribeTo(t, {
    filter: '00000000-0000-4000-8000-000000000000; 00000000-0000-4000-8000-000000000005',
    signals: 2,
    quirks: ['text-length-prefix', 'filter-cut-at-semicolons', 'cache-size'],
  }),
)
test.serial('we subscribe to sttpapi: as it is, twice, whose TSSC goes on', (t) =>
  subscribeTo(t, { again: 600, quirks: ['text-length-prefix', 'cache-size', 'tssc-not-reset'] }),
)
test.serial('we subscribe to sttpapi: repaired, twice', (t) => subscribeTo(t, { again: 600 }, '--patched'))
for (const version of [1, 3] as const) {
  test.serial(`we subscribe to sttpapi: repaired, TSSC of version ${version}`, (t) =>
    subscribeTo(t, { version }, '--patched', '--cycle-flags'),
  )
}
