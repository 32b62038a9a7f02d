// Clients of the benches, each round in a process of its own: `KIND PORT COUNT [WIDTH]` prints what it measured.
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket } from 'ws'
import { publish, StreamSeaClient } from '../../ts/stream-sea/index.js'
import type { Sample } from '../harness/bench.js'
import { FIRST, message, SECRET, STREAM } from './messages.js'

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

async function deliveredToMany(port: number, count: number, subscribers: number): Promise<Sample> {
  const clients = await Promise.all(
    Array.from({ length: subscribers }, async () => {
      const client = new StreamSeaClient(remote(port))
      await client.connect()
      return client
    }),
  )
  const subscriptions = await Promise.all(clients.map((client) => client.subscribe({ stream: STREAM, fanout: true })))
  const start = performance.now()
  // Whoever reads it has the server publish.
  process.stdout.write('ready\n')
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

async function published(port: number, count: number, width: number): Promise<Sample> {
  const start = performance.now()
  const to = { ...remote(port), stream: STREAM }
  await parallel(count, width, (n) => publish({ ...to, payloadText: message(n) }))
  return timed(count, start)
}

async function posted(port: number, count: number, width: number): Promise<Sample> {
  const start = performance.now()
  await parallel(count, width, (n) => plainPost(port, `{"payload":${message(n)}}`))
  return timed(count, start)
}

async function publishedInBatches(port: number, count: number, width: number): Promise<Sample> {
  const text = `[${Array.from({ length: 1000 }, (_, n) => message(n)).join(',')}]`
  const to = { ...remote(port), stream: STREAM, payloadText: text }
  const start = performance.now()
  await parallel(count / 1000, width, () => publish(to))
  return timed(count, start)
}

async function publishedByWebSocket(port: number, count: number, width: number): Promise<Sample> {
  const client = new StreamSeaClient(remote(port))
  await client.connect()
  const start = performance.now()
  await parallel(count, width, (n) => client.publish({ stream: STREAM, payloadText: message(n) }))
  const sample = timed(count, start)
  await client.close()
  return sample
}

const KINDS: Readonly<Record<string, (port: number, count: number, width: number) => Promise<Sample>>> = {
  parsed: (port, count) => received(port, count, 'parsed'),
  text: (port, count) => received(port, count, 'text'),
  ws: receivedByWs,
  many: deliveredToMany,
  publish: published,
  post: posted,
  batches: publishedInBatches,
  'publish-ws': publishedByWebSocket,
  echo: echoedByWs,
  latency: latencies,
  'echo-latency': echoLatencies,
  flush: (_, count) => flushes(count),
}

const [kind = '', port, count, width] = process.argv.slice(2)
const sample = await KINDS[kind]?.(Number(port), Number(count), Number(width))
process.stdout.write(`${JSON.stringify(sample)}\n`, () => process.exit(sample === undefined ? 1 : 0))
