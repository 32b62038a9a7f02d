// Question: how fast are messages published and delivered, beside plain `ws` and plain node:http in the same run?
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Bench, Case, Contender } from '../harness/bench.js'
import { compiled } from '../harness/compiled.js'
import { BenchProcess, timedProcess } from '../harness/process.js'

const program = (name: string): Promise<string> => compiled(join(import.meta.dirname, `${name}.ts`))

/** A server in a process of its own. */
class Server {
  readonly process: BenchProcess
  readonly port: number
  readonly #data: string

  private constructor(process: BenchProcess, port: number, data: string) {
    this.process = process
    this.port = port
    this.#data = data
  }

  static async start(kind: string, preloaded = 0): Promise<Server> {
    const data = mkdtempSync(join(tmpdir(), 'stream-sea-bench-'))
    const child = new BenchProcess(process.execPath, [await program('server'), kind, data, String(preloaded)])
    const line = await child.line(/^port \d+$/)
    return new Server(child, Number(line.slice(5)), data)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process.kill()
    rmSync(this.#data, { recursive: true, force: true })
  }
}

/** A contender whose rounds are a client in a process of its own. */
function client(who: string, kind: string, { port }: { port: number }, count: number, width = 1): Contender {
  const args = [kind, port, count, width].map(String)
  return { who, round: async () => timedProcess(process.execPath, [await program('client'), ...args]) }
}

async function* cases({ quick }: { readonly quick: boolean }): AsyncGenerator<Case> {
  const scale = quick ? 0.25 : 1
  const many = 1000 * Math.round(1000 * scale)
  {
    await using server = await Server.start('measurand', many)
    await using plain = await Server.start('ws')
    yield {
      case: 'deliveries of 34 B payloads to one subscriber',
      unit: 'M messages/s',
      per: 1e6,
      contenders: [
        client('measurand', 'parsed', server, many),
        client('measurand (raw text)', 'text', server, many),
        client('ws + JSON.parse, ready frames', 'ws', plain, many),
      ],
    }
  }
  {
    await using server = await Server.start('measurand')
    const count = 1000 * Math.round(40 * scale)
    yield {
      case: 'deliveries to 100 subscribers of one stream, in all',
      unit: 'M messages/s',
      per: 1e6,
      contenders: [
        {
          who: 'measurand',
          round: async () => {
            const args = ['many', server.port, count, 100].map(String)
            const subscribers = new BenchProcess(process.execPath, [await program('client'), ...args])
            await subscribers.line(/^ready$/)
            server.process.write(`${count}\n`)
            return subscribers.sample()
          },
        },
      ],
    }
  }
  {
    await using server = await Server.start('measurand')
    await using plain = await Server.start('http')
    await using flushed = await Server.start('http-flushed')
    await using echoing = await Server.start('ws-echo')
    await using flushing = await Server.start('ws-echo-flushed')
    const count = Math.round(20_000 * scale)
    yield {
      case: 'single publishes over HTTP, 32 connections, durable',
      unit: 'k messages/s',
      per: 1e3,
      contenders: [
        client('measurand', 'publish', server, count, 32),
        client('node:http, nothing stored', 'post', plain, count, 32),
        // What the disk of this run allows: a server that does nothing but append and flush.
        client('node:http, appended to a file and flushed', 'post', flushed, count, 32),
      ],
    }
    yield {
      case: 'batch publishes of 1,000 over HTTP, 4 connections, durable',
      unit: 'k messages/s',
      per: 1e3,
      contenders: [client('measurand', 'batches', server, 1000 * Math.round(1000 * scale), 4)],
    }
    yield {
      case: 'single publishes over WebSocket, 1,000 under way, durable',
      unit: 'k messages/s',
      per: 1e3,
      contenders: [
        client('measurand', 'publish-ws', server, 5 * count, 1000),
        // Nothing stored, nothing parsed: what the package reaches there and back.
        client('ws, 100 B echoed', 'echo', echoing, 5 * count, 1000),
      ],
    }
    const single = Math.round(1000 * scale)
    yield {
      case: 'publish over WebSocket to delivery, median, durable',
      unit: 'ms',
      value: ({ seconds }) => seconds * 1000,
      lowerIsBetter: true,
      contenders: [
        client('measurand', 'latency', server, single),
        client('ws, 100 B appended, flushed and echoed', 'echo-latency', flushing, single),
        client('ws, 100 B echoed', 'echo-latency', echoing, single),
        client('fdatasync of 100 B appended', 'flush', echoing, single),
      ],
    }
  }
}

/** stream-sea. */
export const bench: Bench = { name: 'stream-sea', cases }
