// Constellation: records a second at the receiver (two processes), the index alone, and memory behind a slow receiver.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Indexer } from '../../ts/cdtp/codec.js'
import { NewDataRecord } from '../../ts/cdtp/data-record.js'
import { MessageIndex } from '../../ts/cdtp/message-index.js'
import { MessageWriter } from '../../ts/cdtp/message-writer.js'
import type { Bench, Case, Contender, Sample } from '../harness/bench.js'
import { compiled } from '../harness/compiled.js'
import { BenchProcess } from '../harness/process.js'

const HERE = import.meta.dirname
const PYTHON = join(HERE, '..', '..', '.peers', 'constellationdaq', 'bin', 'python')
const require = createRequire(import.meta.url)
const ZEROMQ = `zeromq.js ${versionOf('zeromq')}`
const DAQ = 'constellationdaq 1.0.2'
const FRAMEWORK = 'measured elsewhere on such a machine, both ends C++'

function versionOf(name: string): string {
  const file = require.resolve(name).replace(new RegExp(`(.*node_modules/${name}/).*`), '$1package.json')
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

const node = async (program: string, args: (string | number)[]): Promise<BenchProcess> =>
  new BenchProcess(process.execPath, [await compiled(join(HERE, program)), ...args.map(String)])
const python = async (program: string, args: (string | number)[]): Promise<BenchProcess> =>
  new BenchProcess(PYTHON, [join(HERE, program), ...args.map(String)])

/** One run from a sender to a receiver. The peak is that of the larger end. */
async function transfer(
  send: Promise<BenchProcess>,
  receive: (port: string) => Promise<BenchProcess>,
): Promise<Sample> {
  const sender = await send
  const receiver = await receive((await sender.line(/^port \d+$/)).slice(5))
  // A receiver would wait for ever for a sender that has failed.
  const [sample, { cpuSeconds, peakMiB }] = await Promise.all([receiver.sample(), sender.ended()]).catch(
    async (error) => {
      await Promise.all([sender.kill(), receiver.kill()])
      throw error
    },
  )
  const cpu = (sample.cpuSeconds ?? 0) + cpuSeconds
  return { ...sample, cpuSeconds: cpu, peakMiB: Math.max(sample.peakMiB ?? 0, peakMiB) }
}

const ours = (records: number, bytes: number, how = 'measurand'): Contender => ({
  who: how === 'reserve' ? 'measurand, reserve' : 'measurand',
  round: () =>
    transfer(node('sender.ts', [how, records, bytes]), (port) =>
      node('receiver.ts', ['measurand', port, records, bytes]),
    ),
})

const raw = (records: number, bytes: number, how: 'raw' | 'raw-copy'): Contender => ({
  who: how === 'raw' ? `${ZEROMQ}, one buffer reused` : `${ZEROMQ}, a fresh buffer and a copy`,
  round: () =>
    transfer(node('sender.ts', [how, records, bytes]), (port) => node('receiver.ts', ['raw', port, records, bytes])),
})

const daq = (records: number, bytes: number): Contender => ({
  who: DAQ,
  round: () => transfer(python('peer_tx.py', [records, bytes]), (port) => python('peer_rx.py', [port, records, bytes])),
})

export const bench: Bench = {
  name: 'cdtp',
  async *cases({ quick }) {
    const scale = quick ? 0.3 : 1
    const count = (records: number): number => Math.round(records * scale)
    const sizes = [
      { name: '64 B', bytes: 64, own: 15_000_000, peer: 100_000, plain: 600_000, cpp: 2.2e6 },
      { name: '1 KiB', bytes: 1024, own: 5_000_000, peer: 100_000, plain: 600_000, cpp: 1.2e6 },
      { name: '64 KiB', bytes: 65_536, own: 60_000, peer: 20_000, plain: 60_000, cpp: 29_500 },
      { name: '1 MiB', bytes: 1 << 20, own: 6000, peer: 2000, plain: 6000, cpp: 840 },
    ]
    for (const { name, bytes, own, peer, plain, cpp } of sizes) {
      const contenders = [
        ours(count(own), bytes),
        ...(bytes >= 65_536 ? [ours(count(own), bytes, 'reserve'), raw(count(plain), bytes, 'raw-copy')] : []),
        raw(count(plain), bytes, 'raw'),
        daq(count(peer), bytes),
        { who: 'C++ framework', quoted: cpp / 1000, source: FRAMEWORK },
      ]
      yield { case: `records of ${name}, two processes`, unit: 'k records/s', per: 1000, contenders }
    }
    yield indexCase(quick)
    yield memoryCase(quick)
  },
}

/** A message of 128 KiB in records of 64 B, read again and again. */
function indexCase(quick: boolean): Case {
  const writer = new MessageWriter('Bench.tx', 128 * 1024)
  const block = Buffer.alloc(64, 7)
  for (let n = 1; writer.payloadBytes < 128 * 1024; n++) {
    const record = new NewDataRecord(n, undefined)
    record.addBlock(block)
    writer.append(record)
  }
  const message = writer.finish()
  if (message === undefined) throw new Error('no message')
  const { bytes, records } = message
  const times = quick ? 5000 : 30_000
  const indexer = new Indexer(1 << 30)
  const index = new MessageIndex(16_384, 65_536)
  const timed = (work: () => number, rounds: number) => async (): Promise<Sample> => {
    const start = performance.now()
    let items = 0
    for (let n = 0; n < rounds; n++) items += work()
    const seconds = (performance.now() - start) / 1000
    if (items !== rounds * records) throw new Error(`${items} records`)
    return { items, seconds }
  }
  return {
    case: 'index of a message of 64 B records, one process',
    unit: 'M records/s',
    per: 1e6,
    contenders: [
      {
        who: 'measurand',
        round: timed(() => {
          if (indexer.index(bytes, index.bytes) !== 0) throw new Error('not a message')
          return index.records
        }, times),
      },
      { who: `msgpackr ${versionOf('msgpackr')}, whole values`, round: timed(msgpackr(bytes), Math.ceil(times / 50)) },
    ],
  }
}

function msgpackr(bytes: Uint8Array): () => number {
  const { Unpackr } = require('msgpackr') as typeof import('msgpackr')
  const unpackr = new Unpackr({ useRecords: false })
  return () => (unpackr.unpackMultiple(bytes) as unknown[][])[3]?.length ?? 0
}

/** Default settings, a receiver that takes 40 MB/s: what the larger end holds at most. */
function memoryCase(quick: boolean): Case {
  const [records, bytes] = [quick ? 100 : 300, 1 << 20]
  return {
    case: 'memory of the larger end, 1 MiB records, a receiver ten times too slow',
    unit: 'MiB',
    lowerIsBetter: true,
    value: ({ peakMiB }) => peakMiB ?? Number.NaN,
    contenders: [
      {
        who: 'measurand',
        round: () =>
          transfer(node('sender.ts', ['measurand', records, bytes]), (port) =>
            node('receiver.ts', ['measurand', port, records, bytes, 80]),
          ),
      },
    ],
  }
}
