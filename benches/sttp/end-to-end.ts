// Publisher and subscribers in processes of their own, over the loopback.
import type { Case, Contender, Sample } from '../harness/bench.js'
import { portOf, start } from './program.js'
import { peerPublisher } from './sttpapi.js'

interface Shape {
  readonly encoding: 'tssc' | 'compact'
  readonly signals: number
  readonly frames: number
  readonly subscribers: number
}

/** What the study of the C++ reference measured. */
const QUOTED = 'quoted from a study on a Zen 5 machine of 2 cores'

async function run({ encoding, signals, frames, subscribers }: Shape, verify: boolean): Promise<Sample> {
  const publisher = await start('publish', signals, frames, subscribers)
  const subscriber: [string, ...unknown[]] = [
    'subscribe',
    await portOf(publisher),
    encoding,
    signals,
    frames,
    ...(verify ? ['verify'] : []),
  ]
  const received = Array.from({ length: subscribers }, async () => (await start(...subscriber)).sample())
  const samples = await Promise.all(received)
  const sent = await publisher.sample()
  return {
    items: samples.reduce((sum, { items }) => sum + items, 0),
    seconds: Math.max(...samples.map(({ seconds }) => seconds)),
    cpuSeconds: [sent, ...samples].reduce((sum, { cpuSeconds = 0 }) => sum + cpuSeconds, 0),
    peakMiB: Math.max(...[sent, ...samples].map(({ peakMiB = 0 }) => peakMiB)),
  }
}

/** Our publisher and subscribers. */
export function endToEndOf(shape: Shape): Contender {
  let isVerified = false
  return {
    who: 'measurand',
    async round() {
      // The first pass checks every value and is not timed.
      if (!isVerified) await run({ ...shape, frames: Math.ceil(shape.frames / 10) }, true)
      isVerified = true
      return run(shape, false)
    },
  }
}

/** The cases over the loopback. */
export function* endToEnd(quick: boolean): Generator<Case> {
  const frames = (rows: number, signals: number): number => Math.ceil((quick ? rows / 4 : rows) / signals)
  const rate = { unit: 'M measurements/s', per: 1e6 }
  for (const [encoding, cpp] of [
    ['tssc', 7.6],
    ['compact', 6.0],
  ] as const) {
    const shape = { encoding, signals: 1000, frames: frames(200e6, 1000), subscribers: 1 }
    const quoted = { who: 'cppapi 0c30753', quoted: cpp, source: QUOTED }
    const peer = encoding === 'tssc' ? [peerPublisher(quick)] : []
    yield { case: `e2e ${encoding} 1000`, ...rate, contenders: [endToEndOf(shape), ...peer, quoted] }
  }
}
