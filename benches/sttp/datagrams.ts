// The data channel by UDP: what arrives of what is sent, and whether what does not is told.
import type { Case, Contender, Sample } from '../harness/bench.js'
import { portOf, start } from './program.js'

const SIGNALS = 1000

/** @param rate M measurements/s that are sent; 0: as fast as it goes */
function datagrams(who: string, count: number, rate: number): Contender {
  let isVerified = false
  return {
    who,
    async round() {
      const publisher = await start('publish-datagrams', SIGNALS, count, rate)
      // The first pass checks every value and is not timed.
      const args = [await portOf(publisher), SIGNALS, count, ...(isVerified ? [] : ['verify'])]
      isVerified = true
      const subscriber = await start('receive-datagrams', ...args)
      const came = (await subscriber.sample()) as Sample & { readonly told: number; readonly missing: number }
      const sent = await publisher.sample()
      const lost = ((100 * came.missing) / sent.items).toFixed(2)
      const rates = `sent ${(sent.items / sent.seconds / 1e6).toFixed(1)} M/s`
      process.stderr.write(`  ${who}: ${rates}, ${lost} % lost, in ${came.told} datagrams that were told\n`)
      return came
    },
  }
}

/** The case, at full speed and at a pace that the receiver keeps. */
export function* dataChannels(quick: boolean): Generator<Case> {
  const frames = (rows: number): number => Math.ceil((quick ? rows / 4 : rows) / SIGNALS)
  yield {
    case: 'e2e compact 1000, UDP',
    unit: 'M measurements/s',
    per: 1e6,
    contenders: [
      datagrams('measurand', frames(100e6), 0),
      datagrams('measurand, 10 M/s sent', frames(40e6), 10),
      { who: 'cppapi 0c30753', quoted: 6.6, source: 'quoted from a study on a Zen 5 machine of 2 cores, 0.46 % lost' },
    ],
  }
}
