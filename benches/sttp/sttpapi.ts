// sttpapi's publisher and subscriber with each other: what a user of today has.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Contender } from '../harness/bench.js'
import { BenchProcess } from '../harness/process.js'

const ROOT = join(import.meta.dirname, '..', '..')
const PYTHON = join(ROOT, '.peers', 'sttpapi', 'bin', 'python')
const PROGRAMS = join(ROOT, '__test__', 'interop', 'sttp')

/** The interpreter that has sttpapi. */
export function sttpapiPython(): string {
  if (!existsSync(PYTHON)) throw new Error('sttpapi is not installed: run scripts/peers sttpapi')
  return PYTHON
}

/** TSSC from sttpapi to sttpapi. Its subscriber checks every value, as its users' callbacks would look at them. */
export function peerPublisher(quick: boolean, signals = 1000): Contender {
  const samples = ((quick ? 100 : 300) * 1000) / signals
  let port = 17_300
  return {
    who: 'sttpapi 0.7.6',
    async round() {
      port++
      const counts = ['--port', String(port), '--signals', String(signals), '--samples', String(samples)]
      const publisher = new BenchProcess(sttpapiPython(), ['-u', join(PROGRAMS, 'pub.py'), ...counts, '--rate', '0'])
      await publisher.line(/^pub listening/)
      const expect = ['--port', String(port), '--expect', String(signals * samples)]
      const subscriber = new BenchProcess(sttpapiPython(), ['-u', join(PROGRAMS, 'sub.py'), ...expect])
      const line = await subscriber.line(/^received=/)
      await publisher.kill()
      await subscriber.kill()
      const [, received, rate] = /received=(\d+) lost=0 wrong=0.*rate=(\d+)/.exec(line) ?? []
      if (Number(received) !== signals * samples) throw new Error(`sttpapi to sttpapi: ${line}`)
      return { items: Number(received), seconds: Number(received) / Number(rate) }
    },
  }
}
