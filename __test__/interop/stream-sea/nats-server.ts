// A real nats-server with JetStream, each acknowledgement behind its fsync, in a process of its own.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { freePort } from '../../free-port.js'

const PROGRAM = join(import.meta.dirname, '..', '..', '..', '.peers', 'nats-server', 'bin', 'nats-server')

export class NatsServer {
  readonly port: number
  readonly #folder: string
  #child: ChildProcess | undefined

  private constructor(port: number, folder: string) {
    this.port = port
    this.#folder = folder
  }

  /** @param more lines of its configuration beside those that each has */
  static async start(t: ExecutionContext, ...more: string[]): Promise<NatsServer> {
    if (!existsSync(PROGRAM)) throw new Error('nats-server is missing: scripts/peers nats-server')
    const server = new NatsServer(await freePort(), await mkdtemp(join(tmpdir(), 'nats-')))
    t.teardown(async () => {
      await server.kill()
      await rm(server.#folder, { recursive: true, force: true })
    })
    const store = JSON.stringify(join(server.#folder, 'store'))
    const lines = [
      'host: 127.0.0.1',
      `port: ${server.port}`,
      `jetstream { store_dir: ${store}, sync_interval: always }`,
      ...more,
    ]
    await writeFile(join(server.#folder, 'nats.conf'), lines.join('\n'))
    await server.begin()
    return server
  }

  /** Three that keep everything together, by the names n0, n1 and n2. */
  static async cluster(t: ExecutionContext): Promise<NatsServer[]> {
    const ports = [await freePort(), await freePort(), await freePort()]
    const routes = ports.map((port) => `nats://127.0.0.1:${port}`).join(', ')
    const lines = (port: number, index: number): string[] => [
      `server_name: n${index}`,
      `cluster { name: sea, listen: "127.0.0.1:${port}", routes: [${routes}] }`,
    ]
    return Promise.all(ports.map((port, index) => NatsServer.start(t, ...lines(port, index))))
  }

  url(prefix = 'sea'): string {
    return `nats://127.0.0.1:${this.port}/${prefix}`
  }

  /** Starts it, also after it was killed; resolves when it takes connections. */
  async begin(): Promise<void> {
    const child = spawn(PROGRAM, ['-c', join(this.#folder, 'nats.conf')], { stdio: ['ignore', 'ignore', 'pipe'] })
    this.#child = child
    await new Promise<void>((resolve, reject) => {
      let log = ''
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        log += text
        if (log.includes('Server is ready')) resolve()
      })
      child.once('close', () => reject(new Error(`nats-server ended:\n${log}`)))
    })
    await new Promise<void>((resolve, reject) => {
      const socket = connect(this.port, '127.0.0.1', () => {
        socket.destroy()
        resolve()
      })
      socket.once('error', reject)
    })
  }

  /** Kills it as a loss of power does. */
  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const closed = new Promise((resolve) => child.once('close', resolve))
    child.kill('SIGKILL')
    await closed
  }
}
