import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import test from 'ava'
import { Pacer, systemClock } from '../../../ts/session/index.js'
import { DataSet } from '../../../ts/sttp/data-set.js'
import { Measurement } from '../../../ts/sttp/measurement.js'
import { Publisher } from '../../../ts/sttp/publisher.js'
import { freePort } from '../../free-port.js'
import { Peer } from './peer.js'

const SIGNALS = 12
const SAMPLES = 300
const T0 = 638_000_000_000_000_000n
const FLAGS = [0x0, 0x1, 0x2, 0x20, 0x1_0000, 0x1000, 0x8000_0000, 0x1_0001]
const idOf = (k: number) => `00000000-0000-4000-8000-${k.toString(16).padStart(12, '0')}`

/** The metadata of the peer's own programs, made by them. */
function metadata(): DataSet {
  const python = join(import.meta.dirname, '..', '..', '..', '.peers', 'sttpapi', 'bin', 'python')
  const print = `import sys; sys.path.insert(0, ${JSON.stringify(import.meta.dirname)}); import formula; print(formula.metadata_xml(${SIGNALS}))`
  const { stdout, error } = spawnSync(python, ['-c', print], { encoding: 'utf8' })
  if (error) throw new Error('sttpapi is not installed: run scripts/peers sttpapi')
  const [set, reason] = DataSet.fromXml(stdout.trim())
  if (set === null) throw reason
  return set
}

async function publishTo(t: import('ava').ExecutionContext, expect: number, ...args: string[]): Promise<void> {
  const publisher = new Publisher()
  t.teardown(() => publisher.close())
  publisher.defineMetadata(metadata())
  const [, port] = await publisher.start({ host: '127.0.0.1', port: 0 })
  const peer = new Peer('sub.py', '--port', String(port), '--expect', String(expect), ...args)
  for await (const { state } of publisher.status) if (state === 'peer-subscribed') break
  const jitters = args.includes('--jitter')
  const cycles = args.includes('--cycle-flags')
  const publish = (n: number): void => {
    const ticks = T0 + BigInt(n) * 333_333n + (jitters ? BigInt((n * 7919) % 97) : 0n)
    const flags = cycles ? (FLAGS[Math.floor(n / 50) % FLAGS.length] as number) : 0
    publisher.publishMeasurements(
      Array.from({ length: SIGNALS }, (_, k) => new Measurement(idOf(k), 1000 * k + 0.25 * (n % 4000), ticks, flags)),
    )
  }
  // Who receives datagrams cannot ask for a slower sender.
  if (args.includes('--udp')) await paced(publish)
  else {
    for (let n = 0; n < SAMPLES; n++) {
      publish(n)
      if (n % 10 === 9) await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const code = await peer.ended
  t.regex(peer.output, new RegExp(`received=${expect} lost=0 wrong=0`))
  t.is(code, 0, peer.output)
  t.is(publisher.stats.dropped, 0)
  await publisher.stop()
}

/** Publishes 500 frames a second, which the peer can read. */
function paced(publish: (n: number) => void): Promise<void> {
  return new Promise((resolve) => {
    const pacer = new Pacer(systemClock, 500, (first, count) => {
      for (let n = first; n < first + count; n++) publish(n)
      if (first + count >= SAMPLES) resolve()
    })
    pacer.start(SAMPLES)
  })
}

const ALL = SIGNALS * SAMPLES
test.serial('sttpapi subscribes to us: TSSC, irregular times, every flag', (t) =>
  publishTo(t, ALL, '--mode', 'tssc', '--jitter', '--cycle-flags'),
)
test.serial('sttpapi subscribes to us: compact, irregular times, every flag', (t) =>
  publishTo(t, ALL, '--mode', 'compact', '--jitter', '--cycle-flags'),
)
test.serial('sttpapi subscribes to us: TSSC by a filter', (t) =>
  publishTo(t, 4 * SAMPLES, '--filter', "FILTER TOP 4 ActiveMeasurements WHERE SignalType = 'FREQ'"),
)
test.serial('sttpapi subscribes to us: by UDP, irregular times, every flag', async (t) =>
  publishTo(t, ALL, '--udp', String(await freePort()), '--cycle-flags', '--jitter', '--mode', 'compact'),
)
test.serial('sttpapi subscribes to us: compact of version 1 with a plain cache', (t) =>
  publishTo(t, ALL, '--mode', 'compact', '--version', '1', '--no-sic-gzip'),
)
test.serial('sttpapi subscribes to us: TSSC of version 1', (t) =>
  publishTo(t, ALL, '--mode', 'tssc', '--version', '1', '--cycle-flags'),
)
test.serial('sttpapi subscribes to us: TSSC of version 3', (t) =>
  publishTo(t, ALL, '--mode', 'tssc', '--version', '3', '--cycle-flags'),
)
