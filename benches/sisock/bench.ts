import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serializer } from '../../ts/sisock/index.js'
import type { Bench, Case, Contender } from '../harness/bench.js'
import { BenchProcess, timedProcess } from '../harness/process.js'

const HERE = import.meta.dirname
const PEER = join(HERE, '../../.peers/crossbar/bin')
const require = createRequire(join(HERE, '../../package.json'))
const AUTOBAHN = `npm autobahn ${(require('autobahn/package.json') as { version: string }).version}`
const hasPython = existsSync(join(PEER, 'python'))

const ours = (...args: string[]): [string, string[]] => [process.execPath, [join(HERE, 'own.mjs'), ...args]]
const npm = (...args: string[]): [string, string[]] => [process.execPath, [join(HERE, 'npm-autobahn.mjs'), ...args]]
const python = (...args: string[]): [string, string[]] => [
  join(PEER, 'python'),
  [join(HERE, 'python_autobahn.py'), ...args],
]

interface Router {
  readonly url: string
  end(): Promise<void>
}

async function embedded(): Promise<Router> {
  const child = new BenchProcess(process.execPath, [join(HERE, 'router.mjs')])
  const [, port] = (await child.line(/^port \d+$/)).split(' ')
  return { url: `ws://127.0.0.1:${port}/ws`, end: () => child.kill() }
}

async function crossbar(): Promise<Router> {
  const folder = mkdtempSync(join(tmpdir(), 'measurand-bench-'))
  mkdirSync(join(folder, '.crossbar'))
  const port = await new Promise<number>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
  const config = JSON.parse(readFileSync(join(HERE, '../../__test__/interop/sisock/peer/crossbar.json'), 'utf8'))
  config.workers[0].transports = [config.workers[0].transports[0]]
  config.workers[0].transports[0].endpoint.port = port
  writeFileSync(join(folder, '.crossbar/config.json'), JSON.stringify(config))
  const child = new BenchProcess(join(PEER, 'crossbar'), ['start', '--cbdir', join(folder, '.crossbar')])
  await child.line(/NODE_BOOT_COMPLETE/)
  return {
    url: `ws://127.0.0.1:${port}/ws`,
    async end() {
      // Its worker is a process of its own, and ends with it only when it is asked.
      execFileSync(join(PEER, 'crossbar'), ['stop', '--cbdir', join(folder, '.crossbar')], { stdio: 'ignore' })
      await child.kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Calls between two processes through a router in a third. */
async function* calls(
  title: string,
  make: () => Promise<Router>,
  samples: number,
  count: number,
  inFlight: number,
  more: Pick<Case, 'unit' | 'value' | 'lowerIsBetter'>,
): AsyncGenerator<Case> {
  const router = await make()
  const running: BenchProcess[] = []
  const start = async (command: [string, string[]]): Promise<void> => {
    const child = new BenchProcess(...command)
    running.push(child)
    await child.line(/^ready$/)
  }
  try {
    await start(ours('hub', router.url))
    const contenders: Contender[] = []
    const kinds: [who: string, command: typeof ours, form?: string][] = [
      ['measurand', ours],
      ['measurand by get_data', ours, 'plain'],
      [`${AUTOBAHN} msgpack`, npm, 'msgpack'],
      [`${AUTOBAHN} json`, npm, 'json'],
    ]
    if (hasPython) kinds.push(['autobahn-python 26.10 msgpack', python])
    for (const [index, [who, command, form]] of kinds.entries()) {
      const name = `bench${index}`
      const last = form === undefined ? [] : [form]
      await start(command('node', router.url, name, String(samples), '0', '1', ...last))
      const args = ['consumer', router.url, name, String(samples), String(count), String(inFlight), ...last]
      contenders.push({ who, round: () => timedProcess(...command(...args)) })
    }
    yield { case: title, contenders, ...more }
  } finally {
    for (const child of running) await child.kill()
    await router.end()
  }
}

interface Theirs {
  serialize(value: unknown): Uint8Array | Promise<Uint8Array>
  unserialize(bytes: Uint8Array): unknown
}

/** A million doubles in one message of a format. */
function codecs(format: 'msgpack' | 'cbor'): Case[] {
  const column = Float64Array.from({ length: 1_000_000 }, (_, k) => 1.7e9 + k / 10)
  const message = [50, 1, {}, [{ x: column }]]
  const plain = [50, 1, {}, [{ x: Array.from(column) }]]
  const own = serializer(format)
  const { serializer: theirs } = require('autobahn') as { serializer: Readonly<Record<string, new () => Theirs>> }
  const other = new (theirs[format === 'cbor' ? 'CBORSerializer' : 'MsgpackSerializer'] as new () => Theirs)()
  const bytes = own.serialize(message)
  const timed = (who: string, work: () => unknown, isRight: (result: never) => boolean, turns: number): Contender => ({
    who,
    round: async () => {
      const start = performance.now()
      let result: unknown
      for (let turn = 0; turn < turns; turn++) result = await work()
      const seconds = (performance.now() - start) / 1000
      if (!isRight(result as never)) throw new Error(`${who} gave something else`)
      return { items: turns, seconds }
    },
  })
  // npm autobahn writes a whole number as an integer, in five bytes instead of nine.
  const isWhole = (result: { length: number }): boolean =>
    result.length <= bytes.length && result.length > 8 * column.length
  const isColumn = (result: [number, number, object, [{ x: ArrayLike<number> }]]): boolean =>
    result[3][0].x.length === column.length && result[3][0].x[777_777] === column[777_777]
  const milliseconds = {
    unit: 'ms',
    lowerIsBetter: true,
    value: ({ items, seconds }: { items: number; seconds: number }) => (seconds / items) * 1000,
  }
  return [
    {
      case: `1,000,000 doubles to ${NAMES[format]}`,
      ...milliseconds,
      contenders: [
        timed('measurand', () => own.serialize(message), isWhole, 20),
        timed(AUTOBAHN, () => other.serialize(plain), isWhole, 2),
      ],
    },
    {
      case: `1,000,000 doubles from ${NAMES[format]}`,
      ...milliseconds,
      contenders: [
        timed('measurand', () => own.unserialize(bytes), isColumn, 20),
        timed(AUTOBAHN, () => other.unserialize(bytes), isColumn, 2),
      ],
    },
  ]
}

const NAMES = { msgpack: 'MessagePack', cbor: 'CBOR' } as const

export const bench: Bench = {
  name: 'sisock',
  async *cases({ quick }) {
    yield* codecs('msgpack')
    yield* codecs('cbor')
    const perReply = {
      unit: 's a reply',
      lowerIsBetter: true,
      value: ({ items, seconds }: { items: number; seconds: number }) => seconds / items,
    }
    const replies = quick ? 2 : 5
    yield* calls('a reply of 1,000,000 samples through the embedded router', embedded, 1_000_000, replies, 1, perReply)
    if (hasPython)
      yield* calls('a reply of 1,000,000 samples through Crossbar.io', crossbar, 1_000_000, replies, 1, perReply)
    yield* calls('calls of 100 samples, 16 in flight, embedded router', embedded, 100, quick ? 5000 : 20_000, 16, {
      unit: 'calls/s',
    })
  },
}
