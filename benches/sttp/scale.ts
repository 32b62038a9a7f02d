// Few and many signals and subscribers, small frames, and a subscriber that does not read.
import type { Case, Contender, Sample } from '../harness/bench.js'
import { endToEndOf } from './end-to-end.js'
import { portOf, start } from './program.js'
import { peerPublisher } from './sttpapi.js'

const QUOTED = 'quoted from a study on a Zen 5 machine of 2 cores'
const rate = { unit: 'M measurements/s', per: 1e6 }
const cpp = (quoted: number) => ({ who: 'cppapi 0c30753', quoted, source: QUOTED })

/** Frames of 20 signals, published one by one. */
function frames(who: string, mode: 'turn' | 'write' | 'coalesce', count: number): Contender {
  return {
    who,
    async round() {
      const publisher = await start('publish-frames', 20, count, 1, mode)
      const subscriber = await start('count', await portOf(publisher), 'tssc', 20, count)
      const sample = await subscriber.sample()
      const { framesPerWrite } = (await publisher.sample()) as Sample & { readonly framesPerWrite: number }
      process.stderr.write(`  ${mode}: ${framesPerWrite.toFixed(1)} frames a write\n`)
      return sample
    },
  }
}

/** A bare socket that writes as many bytes a turn of the event loop. */
function bareWriter(count: number): Contender {
  return {
    who: 'net',
    async round() {
      const writer = await start('net-writer', 62, count)
      const reader = await start('net-writer', 62, count, await portOf(writer))
      return reader.sample()
    },
  }
}

function stalled(queueMiB: number, publishedMiB: number): Contender {
  return { who: 'measurand', round: async () => (await start('stalled', queueMiB, publishedMiB)).sample() }
}

/** The cases. */
export function* scale(quick: boolean): Generator<Case> {
  const part = quick ? 4 : 1
  const shapes = [
    { case: 'e2e tssc 100000', encoding: 'tssc', signals: 100_000, rows: 100e6, subscribers: 1, quoted: 1.7 },
    { case: 'e2e tssc 1000 10 subscribers', encoding: 'tssc', signals: 1000, rows: 40e6, subscribers: 10, quoted: 8.3 },
  ] as const
  for (const { case: name, encoding, signals, rows, subscribers, quoted } of shapes) {
    const ours = endToEndOf({ encoding, signals, frames: Math.ceil(rows / part / signals), subscribers })
    yield { case: name, ...rate, contenders: [ours, cpp(quoted)] }
  }
  const peers = [peerPublisher(quick, 20), cpp(1.9)]
  yield {
    case: 'e2e tssc 20, frames of a turn share a write',
    ...rate,
    contenders: [frames('measurand', 'turn', 1_000_000 / part), ...peers],
  }
  yield {
    case: 'e2e tssc 20, 5 ms coalesced',
    ...rate,
    contenders: [frames('measurand', 'coalesce', 4_000_000 / part), cpp(1.9)],
  }
  const writes = 400_000 / part
  const one = frames('measurand', 'write', writes)
  yield {
    case: 'e2e tssc 20, a write a frame',
    unit: 'k frames/s',
    per: 1000,
    contenders: [
      {
        who: 'measurand',
        round: async () => {
          const sample = await one.round()
          return { ...sample, items: sample.items / 20 }
        },
      },
      bareWriter(writes),
    ],
  }
  yield {
    case: 'publisher memory beyond its bound, a stalled subscriber',
    unit: 'MiB',
    lowerIsBetter: true,
    value: (sample) => (sample as Sample & { readonly grownMiB: number }).grownMiB - 16,
    contenders: [stalled(16, 512 / part)],
  }
}
