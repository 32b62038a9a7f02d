// Servers of the benches, each in a process of its own: `measurand DIR [PRELOADED]`, `http`, `http-flushed DIR`,
// `ws`, `ws-echo`, `ws-echo-flushed DIR`.
import { open } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { WebSocketServer } from 'ws'
import { serverFrame } from '../../ts/stream-sea/frame.js'
import { StreamSeaServer } from '../../ts/stream-sea/index.js'
import { message, SECRET, STREAM } from './messages.js'

process.on('SIGINT', () => process.exit(0))
const [kind, directory = '', preloaded = '0'] = process.argv.slice(2)

function success(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': 16 })
  response.end('{"success":true}')
}

/** Appends to a file and flushes it: those that come meanwhile share the next flush. */
async function appender(): Promise<(bytes: Buffer, done: () => void) => void> {
  const file = await open(join(directory, 'file'), 'a')
  let waiting: [bytes: Buffer, done: () => void][] = []
  let isFlushing = false
  const flush = async (): Promise<void> => {
    isFlushing = true
    while (waiting.length > 0) {
      const mine = waiting
      waiting = []
      await file.appendFile(Buffer.concat(mine.map(([bytes]) => bytes)))
      await file.datasync()
      for (const [, done] of mine) done()
    }
    isFlushing = false
  }
  return (bytes, done) => {
    waiting.push([bytes, done])
    if (!isFlushing) void flush()
  }
}

if (kind === 'measurand') {
  const server = await StreamSeaServer.open({ data: directory })
  await server.addClient('main', 'bench', { secret: SECRET })
  const fields = [
    { name: 'temperature', type: 'float' },
    { name: 'n', type: 'integer' },
  ] as const
  await server.define('main', { name: STREAM, version: 1, fields })
  const stream = await server.publishable('main', STREAM)
  if (stream === undefined) throw new Error('no stream')
  for (let from = 0; from < Number(preloaded); from += 1000) {
    const texts = Array.from({ length: 1000 }, (_, index) => message(from + index))
    await new Promise<void>((resolve, reject) => {
      const body = Buffer.from(`{"payload":[${texts.join(',')}]}`)
      const told = server.publish(stream, body, undefined, (error) => (error ? reject(error) : resolve()))
      if (told !== undefined) reject(told)
    })
  }
  const [, port] = await server.listen(0)
  process.stdout.write(`port ${port}\n`)
  // A line is a number of messages to publish in batches of 1,000, as fast as they become durable.
  process.stdin.on('data', async (line) => {
    for (let from = 0; from < Number(line); from += 1000) {
      const texts = Array.from({ length: 1000 }, (_, index) => message(from + index))
      const body = Buffer.from(`{"payload":[${texts.join(',')}]}`)
      await new Promise<void>((resolve) => server.publish(stream, body, undefined, () => resolve()))
    }
  })
} else if (kind === 'http') {
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      Buffer.concat(parts)
      success(response)
    })
  })
  server.listen(0, '127.0.0.1', () => process.stdout.write(`port ${(server.address() as AddressInfo).port}\n`))
} else if (kind === 'http-flushed') {
  // The least that durable publishes cost: bodies are appended to a file, and those that come meanwhile share a flush.
  const append = await appender()
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => append(Buffer.concat(parts), () => success(response)))
  })
  server.listen(0, '127.0.0.1', () => process.stdout.write(`port ${(server.address() as AddressInfo).port}\n`))
} else if (kind === 'ws-echo' || kind === 'ws-echo-flushed') {
  const append = kind === 'ws-echo' ? undefined : await appender()
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
  server.on('connection', (socket) => {
    socket.on('message', (data: Buffer) => {
      const back = (): void => socket.send(data, { binary: false })
      if (append === undefined) back()
      else append(data, back)
    })
  })
  server.on('listening', () => process.stdout.write(`port ${(server.address() as AddressInfo).port}\n`))
} else {
  // Ready frames, many a write: the fastest that a server for the package `ws` can be.
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
  server.on('connection', (_, request) => {
    const socket = request.socket as Socket
    const count = Number(new URL(request.url ?? '', 'ws://x').searchParams.get('count'))
    let sent = 0
    const more = (): void => {
      while (sent < count) {
        const frames = Array.from({ length: 1000 }, (_, index) =>
          serverFrame(`{"id":2,"action":"subscription","streamName":"${STREAM}","payload":${message(sent + index)}}`),
        )
        sent += 1000
        if (!socket.write(Buffer.from(frames.join(''), 'latin1'))) {
          socket.once('drain', more)
          return
        }
      }
    }
    more()
  })
  server.on('listening', () => process.stdout.write(`port ${(server.address() as AddressInfo).port}\n`))
}
