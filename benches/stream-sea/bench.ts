// Question: how fast are messages published and delivered, beside plain `ws` and plain node:http in the same run?
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket } from 'ws'
import { publish, StreamSeaClient } from '../../ts/stream-sea/index.js'
import type { Bench, Case, Sample } from '../harness/bench.js'
import { BenchProcess } from '../harness/process.js'
import { FIRST, message, SECRET, STREAM } from './messages.js'

const SERVER = join(import.meta.dirname, 'server.ts')

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
    const child = new BenchProcess(process.execPath, ['--import', 'tsx', SERVER, kind, data, String(preloaded)])
    const line = await child.line(/^port \d+$/)
    return new Server(child, Number(line.slice(5)), data)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process.kill()
    rmSync(this.#data, { recursive: true, force: true })
  }
}

const remote = (port: number) => ({
  remoteHost: '127.0.0.1',
  remotePort: port,
  clientId: 'bench',
  clientSecret: SECRET,
})

/** Runs so many at a time. */
async function parallel(count: number, width: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (next < count) await work(next++)
    }),
  )
}

function timed(items: number, start: number): Sample {
  return { items, seconds: (performance.now() - start) / 1000 }
}

async function received(port: number, count: number, read: 'text' | 'parsed'): Promise<Sample> {
  const client = new StreamSeaClient(remote(port))
  await client.connect()
  const start = performance.now()
  const subscription = await client.subscribe({ stream: STREAM, fanout: true, from: 'start' })
  let got = 0
  let bytes = 0
  let sum = 0
  for await (const batch of subscription) {
    if (read === 'text') for (let row = 0; row < batch.length; row++) bytes += batch.text(row).length
    else for (let row = 0; row < batch.length; row++) sum += (batch.payload(row) as { n: number }).n - FIRST
    got += batch.length
    if (got >= count) break
  }
  const sample = timed(count, start)
  await client.close()
  if (got !== count || (read === 'text' ? bytes !== 34 * count : sum !== (count * (count - 1)) / 2)) {
    throw new Error(`received ${got} messages, ${bytes} bytes, sum ${sum}`)
  }
  return sample
}

function receivedByWs(port: number, count: number): Promise<Sample> {
  return new Promise((resolve, reject) => {
    const start = performance.now()
    const socket = new WebSocket(`ws://127.0.0.1:${port}/?count=${count}`, { perMessageDeflate: false })
    let got = 0
    let sum = 0
    socket.on('error', reject)
    socket.on('message', (data) => {
      sum += JSON.parse(String(data)).payload.n - FIRST
      if (++got < count) return
      socket.terminate()
      if (sum !== (count * (count - 1)) / 2) reject(new Error(`the sum is ${sum}`))
      else resolve(timed(count, start))
    })
  })
}

async function deliveredToMany(server: Server, subscribers: number, count: number): Promise<Sample> {
  const clients = await Promise.all(
    Array.from({ length: subscribers }, async () => {
      const client = new StreamSeaClient(remote(server.port))
      await client.connect()
      return client
    }),
  )
  const subscriptions = await Promise.all(clients.map((client) => client.subscribe({ stream: STREAM, fanout: true })))
  const start = performance.now()
  server.process.write(`${count}\n`)
  await Promise.all(
    subscriptions.map(async (subscription) => {
      let got = 0
      for await (const batch of subscription) {
        got += batch.length
        if (got >= count) break
      }
      if (got !== count) throw new Error(`${got} messages of ${count}`)
    }),
  )
  const sample = timed(subscribers * count, start)
  await Promise.all(clients.map((client) => client.close()))
  return sample
}

const agent = new Agent({ keepAlive: true, maxSockets: 32 })

function plainPost(port: number, body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const options = { host: '127.0.0.1', port, method: 'POST', path: '/publish', agent, headers }
    const sent = request(options, (response) => {
      response.setEncoding('utf8')
      let text = ''
      response.on('data', (part) => {
        text += part
      })
      response.on('end', () => {
        JSON.parse(text)
        resolve()
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** Messages of 100 bytes that a server of `ws` sends back, so many under way. */
function echoedByWs(port: number, count: number, width: number): Promise<Sample> {
  return new Promise((resolve, reject) => {
    const start = performance.now()
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: false })
    let [sent, got] = [0, 0]
    socket.on('error', reject)
    socket.on('open', () => {
      while (sent < Math.min(width, count)) socket.send(echo(sent++))
    })
    socket.on('message', (data) => {
      if (String(data) !== echo(got++)) reject(new Error(`echo ${got} is another`))
      if (got === count) {
        socket.terminate()
        resolve(timed(count, start))
      } else if (sent < count) socket.send(echo(sent++))
    })
  })
}

function echo(n: number): string {
  return message(n).padEnd(100)
}

function median(times: number[]): Sample {
  times.sort((a, b) => a - b)
  return { items: 1, seconds: (times[times.length >> 1] as number) / 1000 }
}

/** One message at a time to a server of `ws` and back. */
async function echoLatencies(port: number, count: number): Promise<Sample> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: false })
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  const times: number[] = []
  for (let n = 0; n < count; n++) {
    const start = performance.now()
    const back = new Promise((resolve) => socket.once('message', resolve))
    socket.send(echo(n))
    await back
    times.push(performance.now() - start)
  }
  socket.terminate()
  return median(times)
}

/** What the disk takes to make 100 appended bytes durable, by itself. */
async function flushes(count: number): Promise<Sample> {
  const folder = mkdtempSync(join(tmpdir(), 'stream-sea-bench-'))
  const file = openSync(join(folder, 'file'), 'a')
  const times: number[] = []
  for (let n = 0; n < count; n++) {
    const start = performance.now()
    writeSync(file, echo(n))
    fdatasyncSync(file)
    times.push(performance.now() - start)
  }
  closeSync(file)
  rmSync(folder, { recursive: true })
  return median(times)
}

async function latencies(port: number, count: number): Promise<Sample> {
  const client = new StreamSeaClient(remote(port))
  await client.connect()
  const subscription = await client.subscribe({ stream: STREAM, fanout: true })
  const messages = subscription.messages()
  const times: number[] = []
  for (let n = 0; n < count; n++) {
    const start = performance.now()
    const published = client.publish({ stream: STREAM, payloadText: message(n) })
    await messages.next()
    times.push(performance.now() - start)
    await published
  }
  await client.close()
  return median(times)
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
        { who: 'measurand', round: () => received(server.port, many, 'parsed') },
        { who: 'measurand (raw text)', round: () => received(server.port, many, 'text') },
        { who: 'ws + JSON.parse, ready frames', round: () => receivedByWs(plain.port, many) },
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
      contenders: [{ who: 'measurand', round: () => deliveredToMany(server, 100, count) }],
    }
  }
  {
    await using server = await Server.start('measurand')
    await using plain = await Server.start('http')
    await using flushed = await Server.start('http-flushed')
    await using echoing = await Server.start('ws-echo')
    await using flushing = await Server.start('ws-echo-flushed')
    const count = Math.round(20_000 * scale)
    const body = (n: number) => `{"payload":${message(n)}}`
    yield {
      case: 'single publishes over HTTP, 32 connections, durable',
      unit: 'k messages/s',
      per: 1e3,
      contenders: [
        {
          who: 'measurand',
          round: async () => {
            const start = performance.now()
            const to = { ...remote(server.port), stream: STREAM }
            await parallel(count, 32, (n) => publish({ ...to, payloadText: message(n) }))
            return timed(count, start)
          },
        },
        {
          who: 'node:http, nothing stored',
          round: async () => {
            const start = performance.now()
            await parallel(count, 32, (n) => plainPost(plain.port, body(n)))
            return timed(count, start)
          },
        },
        {
          // What the disk of this run allows: a server that does nothing but append and flush.
          who: 'node:http, appended to a file and flushed',
          round: async () => {
            const start = performance.now()
            await parallel(count, 32, (n) => plainPost(flushed.port, body(n)))
            return timed(count, start)
          },
        },
      ],
    }
    const batches = Math.round(1000 * scale)
    yield {
      case: 'batch publishes of 1,000 over HTTP, 4 connections, durable',
      unit: 'k messages/s',
      per: 1e3,
      contenders: [
        {
          who: 'measurand',
          round: async () => {
            const text = `[${Array.from({ length: 1000 }, (_, n) => message(n)).join(',')}]`
            const to = { ...remote(server.port), stream: STREAM, payloadText: text }
            const start = performance.now()
            await parallel(batches, 4, () => publish(to))
            return timed(batches * 1000, start)
          },
        },
      ],
    }
    yield {
      case: 'single publishes over WebSocket, 1,000 under way, durable',
      unit: 'k messages/s',
      per: 1e3,
      contenders: [
        {
          who: 'measurand',
          round: async () => {
            const client = new StreamSeaClient(remote(server.port))
            await client.connect()
            const publishes = 5 * count
            const start = performance.now()
            await parallel(publishes, 1000, (n) => client.publish({ stream: STREAM, payloadText: message(n) }))
            const sample = timed(publishes, start)
            await client.close()
            return sample
          },
        },
        // Nothing stored, nothing parsed: what the package reaches there and back.
        { who: 'ws, 100 B echoed', round: () => echoedByWs(echoing.port, 5 * count, 1000) },
      ],
    }
    yield {
      case: 'publish over WebSocket to delivery, median, durable',
      unit: 'ms',
      value: ({ seconds }) => seconds * 1000,
      lowerIsBetter: true,
      contenders: [
        { who: 'measurand', round: () => latencies(server.port, Math.round(1000 * scale)) },
        {
          who: 'ws, 100 B appended, flushed and echoed',
          round: () => echoLatencies(flushing.port, Math.round(1000 * scale)),
        },
        { who: 'ws, 100 B echoed', round: () => echoLatencies(echoing.port, Math.round(1000 * scale)) },
        { who: 'fdatasync of 100 B appended', round: () => flushes(Math.round(1000 * scale)) },
      ],
    }
  }
}

/** stream-sea. */
export const bench: Bench = { name: 'stream-sea', cases }
