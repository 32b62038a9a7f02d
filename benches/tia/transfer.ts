// From a server to a client, each a process of its own.
import { join } from 'node:path'
import type { Case, Sample } from '../harness/bench.js'
import { compiled } from '../harness/compiled.js'
import { BenchProcess } from '../harness/process.js'
import { nameOf, type Shape } from './packets.js'
import { LSL, PYTIA, python } from './peers.js'

const here = import.meta.dirname

/** Packets a second that a client takes from a server. */
export function serverToClient(shape: Shape, quick: boolean): Case {
  const { channels, blocksize } = shape
  const size = 37 + 4 * channels * blocksize
  // Long enough that compiling the programs does not count; a quarter for those that take much longer.
  const packets = Math.floor((quick ? 2e9 : 4e9) / size)
  const some = Math.ceil(packets / 4)
  const sender = (count: number) => node('sender.ts', [channels, blocksize, count])
  const ours = (form: string, count: number) => async () =>
    between(await sender(count), (port) => node('receiver.ts', [port, count, form, channels * blocksize]))
  return {
    case: `server to client ${nameOf(shape)}, TCP, two processes`,
    unit: 'k packets/s',
    per: 1000,
    contenders: [
      { who: 'measurand', round: ours('packets', packets) },
      { who: 'measurand, measurements', round: ours('measurements', some) },
      { who: 'measurand server, plain JavaScript', round: ours('plain', some) },
      {
        who: `measurand server, client of ${PYTIA}`,
        round: async () =>
          between(await sender(some), (port) => run('pytia', 'pytia_client.py', [port, Math.ceil(some / 100)])),
      },
      {
        who: PYTIA,
        round: () =>
          between(run('pytia', 'pytia_server.py', [channels, blocksize]), (port) =>
            run('pytia', 'pytia_client.py', [port, quick ? 5000 : 20_000]),
          ),
      },
      { who: LSL, round: () => streamingLayer(shape, quick ? 1 : 3) },
      {
        who: 'the same bytes by node:net alone',
        async round() {
          const bytes = packets * size
          const sample = await between(await node('bytes.ts', ['send', bytes]), (port) =>
            node('bytes.ts', ['receive', port, bytes]),
          )
          return { ...sample, items: sample.items / size }
        },
      },
    ],
  }
}

/** 128 clients of 64x8 at 1,000 packets/s each, from one server process; one process receives for all. */
export function manyClients(quick: boolean): Case {
  return {
    case: '128 clients of 64x8 at 1,000 packets/s each, no loss',
    unit: 'packets/s of each client',
    value: ({ items, seconds }) => items / seconds / 128,
    contenders: [
      {
        who: 'measurand',
        round: async () =>
          between(await node('sender.ts', [64, 8, 0, 128, 1000]), (port) =>
            node('many.ts', [port, 128, quick ? 3 : 10]),
          ),
      },
    ],
  }
}

/** Starts a server, takes its port, and lets a client measure. */
async function between(
  server: BenchProcess,
  clientOf: (port: string) => BenchProcess | Promise<BenchProcess>,
): Promise<Sample> {
  try {
    const port = (await server.line(/^PORT \d+$/)).slice(5)
    return await (await clientOf(port)).sample()
  } finally {
    await server.kill()
  }
}

async function streamingLayer({ channels, blocksize }: Shape, seconds: number): Promise<Sample> {
  const name = `bench-${process.pid}-${Math.random().toString(36).slice(2)}`
  const outlet = run('pylsl', 'lsl_outlet.py', [name, channels, blocksize])
  try {
    await outlet.line(/^READY$/)
    return await run('pylsl', 'lsl_inlet.py', [name, channels, blocksize, seconds]).sample()
  } finally {
    await outlet.kill()
  }
}

function run(peer: 'pytia' | 'pylsl', program: string, args: readonly (string | number)[]): BenchProcess {
  return new BenchProcess(python(peer), [join(here, program), ...args.map(String)], {
    LSLAPICFG: join(here, 'lsl.cfg'),
  })
}

/** A program of ours, compiled as users run it. */
async function node(program: string, args: readonly (string | number)[]): Promise<BenchProcess> {
  return new BenchProcess(process.execPath, [await compiled(join(here, program)), ...args.map(String)])
}
