// How long a measurement is under way at 30 a second, beside a bare socket pair in the same run.
import type { Case, Contender, Sample } from '../harness/bench.js'
import { portOf, start } from './program.js'

async function run(kind: 'sttp' | 'net', seconds: number): Promise<Sample & { readonly p99: number }> {
  const sender = await start('latency-end', kind, seconds)
  const receiver = await start('latency-end', kind, seconds, await portOf(sender))
  const sample = await receiver.sample()
  await sender.ended()
  return sample as Sample & { readonly p99: number }
}

/** Both at the same time, so that whatever else the machine does meets both. */
function pair(seconds: number): Contender[] {
  let bare: Promise<Sample> | undefined
  return [
    {
      who: 'measurand',
      round: () => {
        bare = run('net', seconds)
        return run('sttp', seconds)
      },
    },
    { who: 'net', round: () => bare as Promise<Sample> },
  ]
}

/** Median and 99th percentile, us. */
export function* latencies(quick: boolean): Generator<Case> {
  const seconds = quick ? 3 : 5
  const source = 'quoted from a study on a Zen 5 machine of 2 cores'
  const base = { unit: 'us', lowerIsBetter: true }
  yield {
    ...base,
    case: 'latency 30 Hz median',
    value: ({ seconds }) => seconds * 1e6,
    contenders: [
      ...pair(seconds),
      { who: 'cppapi 0c30753', quoted: 106, source },
      { who: 'sttpapi 0.7.6', quoted: 543, source },
    ],
  }
  yield {
    ...base,
    case: 'latency 30 Hz p99',
    value: (sample) => (sample as Sample & { readonly p99: number }).p99 * 1e6,
    contenders: [
      ...pair(seconds),
      { who: 'cppapi 0c30753', quoted: 199, source },
      { who: 'sttpapi 0.7.6', quoted: 25_366, source },
    ],
  }
}
