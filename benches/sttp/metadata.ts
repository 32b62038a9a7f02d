// 100,000 signals: from connect to the first data with metadata, and the subscriber's memory in a process of its own.
import type { Case, Sample } from '../harness/bench.js'
import { portOf, start } from './program.js'

const SIGNALS = 100_000
const source = 'quoted from a study on a Zen 5 machine of 2 cores'

async function round(): Promise<Sample> {
  const publisher = await start('publish-metadata', SIGNALS)
  const port = await portOf(publisher)
  const connect = async (): Promise<Sample> => (await start('connect', port, SIGNALS)).sample()
  try {
    // The publisher makes its XML for the first that asks; all others get the same bytes.
    await connect()
    return await connect()
  } finally {
    await publisher.kill()
  }
}

/** How long it takes, and how much memory. */
export function* connections(): Generator<Case> {
  yield {
    case: 'connect to first data 100000 with metadata',
    unit: 's',
    lowerIsBetter: true,
    value: ({ seconds }) => seconds,
    contenders: [
      { who: 'measurand', round },
      { who: 'cppapi 0c30753', quoted: 2.7, source },
      { who: 'goapi', quoted: 3.8, source },
      { who: 'sttpapi 0.7.6', quoted: 25, source },
    ],
  }
  yield {
    case: 'subscriber peak memory 100000 with metadata',
    unit: 'MiB',
    lowerIsBetter: true,
    value: ({ peakMiB = Number.NaN }) => peakMiB,
    contenders: [
      { who: 'measurand', round },
      { who: 'cppapi 0c30753', quoted: 321, source },
      { who: 'goapi', quoted: 1206, source },
      { who: 'sttpapi 0.7.6', quoted: 859, source },
    ],
  }
}
