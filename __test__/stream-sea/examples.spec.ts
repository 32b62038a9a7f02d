import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { describeStream } from '../../ts/stream-sea/index.js'
import { World } from './world.js'

const ROOT = join(import.meta.dirname, '..', '..')

class Example {
  readonly child: ChildProcess
  readonly ended: Promise<number | null>
  output = ''
  #wake: () => void = () => {}

  constructor(t: ExecutionContext, name: string, args: readonly string[], secret = '') {
    const program = join(ROOT, 'examples', `stream-sea-${name}.ts`)
    this.child = spawn(process.execPath, ['--import', 'tsx', program, ...args], {
      cwd: ROOT,
      env: { ...process.env, MEASURAND_SECRET: secret },
    })
    t.teardown(() => this.child.kill('SIGKILL'))
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text
        this.#wake()
      })
    }
    this.ended = new Promise((resolve) => this.child.once('close', resolve))
    void this.ended.then(() => this.#wake())
  }

  async said(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.output)
      if (found !== null) return found
      if (this.child.exitCode !== null) throw new Error(`ended before ${pattern}:\n${this.output}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

test('publish, subscribe and consumer group work together', async (t) => {
  const world = await World.open(t)
  const place = ['127.0.0.1', String(world.remote.remotePort), 'app123']
  const secret = world.remote.clientSecret
  const subscriber = new Example(t, 'subscribe', [...place, 'boiler_data', '4'], secret)
  await subscriber.said(/connected/)
  const stream = () => world.server.stream('main', 'boiler_data')
  while ((stream()?.groups.size ?? 0) === 0) await new Promise((resolve) => setTimeout(resolve, 10))
  const publisher = new Example(t, 'publish', place, secret)
  t.is(await publisher.ended, 0, publisher.output)
  t.regex(publisher.output, /published 4 messages/)
  t.is(await subscriber.ended, 0, subscriber.output)
  t.regex(subscriber.output, /temperature: 91.5, side: 'port'/)
  const worker = new Example(t, 'consumer-group', [...place, 'boiler_data', 'workers', '4'], secret)
  t.is(await worker.ended, 0, worker.output)
  t.regex(worker.output, /^0 \{ temperature: 91.5, side: 'port' \}/m)
  t.regex(worker.output, /^3 \{ temperature: 94 \}/m)
})

test('server with TLS', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'stream-sea-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
  t.is(spawnSync('openssl', [...args, ...names, '-keyout', key, '-out', cert]).status, 0)
  const server = new Example(t, 'server-tls', [join(folder, 'sea'), cert, key, '0'])
  const [, clientSecret = ''] = await server.said(/secret of app123: (\S+)/)
  const [, port = ''] = await server.said(/listening on wss:\/\/127\.0\.0\.1:(\d+)/)
  const remote = { remoteHost: '127.0.0.1', remotePort: port, secure: true, clientId: 'app123', clientSecret }
  t.is(await describeStream({ ...remote, tls: { ca: readFileSync(cert) }, stream: 'none' }), null)
  server.child.kill('SIGINT')
  t.is(await server.ended, 0, server.output)
})
