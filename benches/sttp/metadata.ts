// 100,000 signals: from connect to the first data with metadata, and the subscriber's memory in a process of its own.
import { join } from 'node:path'
import type { Case, Sample } from '../harness/bench.js'
import { BenchProcess } from '../harness/process.js'

const program = (name: string): string[] => ['--import', 'tsx', join(import.meta.dirname, `${name}.ts`)]
const SIGNALS = 100_000
const source = 'quoted from a study on a Zen 5 machine of 2 cores'

async function round(): Promise<Sample> {
  const publisher = new BenchProcess(process.execPath, [...program('publish-metadata'), String(SIGNALS)])
  const port = /\d+/.exec(await publisher.line(/^port \d+$/))?.[0] as string
  const connect = (): Promise<Sample> =>
    new BenchProcess(process.execPath, [...program('connect'), port, String(SIGNALS)]).sample()
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
