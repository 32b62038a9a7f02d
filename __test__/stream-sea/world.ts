// A server on a port of its own, and what tests need around it.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { type ClientOptions, WebSocket } from 'ws'
import {
  defineStream,
  type Remote,
  StreamSeaClient,
  type StreamSeaClientOptions,
  StreamSeaServer,
  type StreamSeaServerOptions,
} from '../../ts/stream-sea/index.js'

export const FIELDS = [
  { name: 'n', type: 'integer' },
  { name: 't', type: 'float' },
] as const

export class World {
  readonly server: StreamSeaServer
  readonly remote: Remote & { remotePort: number }
  readonly #t: ExecutionContext

  private constructor(t: ExecutionContext, server: StreamSeaServer, remote: Remote & { remotePort: number }) {
    this.#t = t
    this.server = server
    this.remote = remote
  }

  static async open(t: ExecutionContext, options: Partial<StreamSeaServerOptions> = {}): Promise<World> {
    const data = options.data ?? (await mkdtemp(join(tmpdir(), 'stream-sea-')))
    const server = await StreamSeaServer.open({ ...options, data })
    t.teardown(async () => {
      await server.close()
      if (options.data === undefined) await rm(data, { recursive: true })
    })
    const clientSecret = await server.addClient('main', 'app123')
    const [, remotePort] = await server.listen(0)
    return new World(t, server, { remoteHost: '127.0.0.1', remotePort, clientId: 'app123', clientSecret })
  }

  define(stream: string): Promise<unknown> {
    return defineStream({ ...this.remote, stream, schema: { name: stream, version: 1, fields: FIELDS } })
  }

  async client(options: Partial<StreamSeaClientOptions> = {}): Promise<StreamSeaClient> {
    const client = new StreamSeaClient({ ...this.remote, ...options } as StreamSeaClientOptions)
    this.#t.teardown(() => client.close())
    await client.connect()
    return client
  }

  /** A WebSocket without our client: texts out, parsed messages in. */
  async raw(options: ClientOptions = {}): Promise<Raw> {
    const socket = new WebSocket(`ws://127.0.0.1:${this.remote.remotePort}/api/v1/streams`, options)
    this.#t.teardown(() => socket.terminate())
    const raw = new Raw(socket)
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    return raw
  }

  /** {@link raw}, authenticated. */
  async authenticated(): Promise<Raw> {
    const raw = await this.raw()
    const { clientId, clientSecret } = this.remote
    await raw.ask({ id: 1, action: 'authenticate', payload: { type: 'basic', clientId, clientSecret } })
    return raw
  }
}

export class Raw {
  readonly socket: WebSocket
  readonly messages: Record<string, unknown>[] = []
  readonly closed: Promise<number>
  #wake: () => void = () => {}

  constructor(socket: WebSocket) {
    this.socket = socket
    socket.on('message', (data) => {
      this.messages.push(JSON.parse(String(data)))
      this.#wake()
    })
    this.closed = new Promise((resolve) => socket.once('close', resolve))
  }

  send(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message))
  }

  async count(count: number): Promise<Record<string, unknown>[]> {
    while (this.messages.length < count) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.messages
  }

  /** Sends, and gives the next message. */
  async ask(message: unknown): Promise<Record<string, unknown>> {
    const before = this.messages.length
    this.send(message)
    return (await this.count(before + 1))[before] as Record<string, unknown>
  }
}

/** So many messages of a subscription. */
export async function take<T>(source: AsyncIterable<T>, count: number): Promise<T[]> {
  const taken: T[] = []
  if (count === 0) return taken
  for await (const one of source) if (taken.push(one) === count) break
  return taken
}
