import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, open, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { StreamSeaClient, StreamSeaServer } from '../../ts/stream-sea/index.js'
import { take } from './world.js'

const SECRET = '01234567890123456789'
/** How often the server is killed. */
const LIVES = Number(process.env['LIVES'] ?? 3)

async function victim(t: ExecutionContext, data: string): Promise<{ child: ChildProcess; port: number }> {
  const program = join(import.meta.dirname, 'victim.ts')
  const child = spawn(process.execPath, ['--import', 'tsx', program, data, SECRET], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const closed = new Promise((resolve) => child.once('close', resolve))
  t.teardown(async () => {
    child.kill('SIGKILL')
    await closed
  })
  const port = await new Promise<number>((resolve) => child.stdout?.once('data', (line) => resolve(Number(line))))
  return { child, port }
}

async function client(t: ExecutionContext, remotePort: number): Promise<StreamSeaClient> {
  const options = { remoteHost: '127.0.0.1', remotePort, clientId: 'app123', clientSecret: SECRET, reconnect: false }
  const made = new StreamSeaClient(options as ConstructorParameters<typeof StreamSeaClient>[0])
  t.teardown(() => made.close())
  await made.connect()
  return made
}

async function folder(t: ExecutionContext): Promise<string> {
  const data = await mkdtemp(join(tmpdir(), 'stream-sea-'))
  t.teardown(() => rm(data, { recursive: true, force: true }))
  return data
}

test('kill -9 under load: what was acknowledged is there, and nothing twice for one key', async (t) => {
  const data = await folder(t)
  const acknowledged = new Set<number>()
  let sent = 0
  for (let life = 0; life < LIVES; life++) {
    const { child, port } = await victim(t, data)
    const publisher = await client(t, port)
    const first = life === 0 ? 0 : Math.max(0, sent - 500)
    let next = first
    // From the second life on the last ones are published again: nobody knows which of them had been stored.
    const work = Array.from({ length: 64 }, async () => {
      for (;;) {
        const n = next++
        sent = Math.max(sent, n + 1)
        try {
          await publisher.publish({ stream: 's', payload: { n }, key: `k${n}` })
        } catch {
          return
        }
        acknowledged.add(n)
        if (acknowledged.size >= 1500 * (life + 1)) child.kill('SIGKILL')
      }
    })
    await Promise.all(work)
  }
  const { port } = await victim(t, data)
  const reader = await client(t, port)
  const subscription = await reader.subscribe({ stream: 's', fanout: true, from: 'start', offsets: true })
  const { offset: last } = await reader.publish({ stream: 's', payload: { n: -1 } })
  const stored = await take(subscription.messages(), last + 1)
  const numbers = stored.map(({ payload }) => (payload as { n: number }).n)
  const unique = new Set(numbers)
  t.true(acknowledged.size >= 1500 * LIVES)
  t.is(unique.size, numbers.length, 'a message is there twice')
  t.deepEqual(
    [...acknowledged].filter((n) => !unique.has(n)),
    [],
  )
  t.log(`${acknowledged.size} acknowledged, ${numbers.length - 1} stored after ${LIVES} kills`)
})

test('a torn last write costs no message before it', async (t) => {
  const data = await folder(t)
  const { child, port } = await victim(t, data)
  const publisher = await client(t, port)
  for (let n = 0; n < 50; n++) await publisher.publish({ stream: 's', payload: { n } })
  child.kill('SIGKILL')
  await new Promise((resolve) => child.once('close', resolve))
  const journal = (await readdir(data))
    .filter((name) => name.endsWith('.log'))
    .sort()
    .at(-1) as string
  const file = await open(join(data, journal), 'r+')
  await file.truncate((await stat(join(data, journal))).size - 7)
  await file.close()
  const server = await StreamSeaServer.open({ data })
  t.teardown(() => server.close())
  const stream = server.stream('main', 's')
  t.is(stream?.next, 49)
  const messages = await server.lastMessages(stream as NonNullable<typeof stream>, 49)
  t.deepEqual(
    messages.map(({ text }) => text),
    Array.from({ length: 49 }, (_, n) => `{"n":${n}}`),
  )
})

test('a directory belongs to one server', async (t) => {
  const data = await folder(t)
  const server = await StreamSeaServer.open({ data })
  t.teardown(() => server.close())
  await t.throwsAsync(StreamSeaServer.open({ data }), { code: 'ERR_STREAMSEA_LOG_BUSY' })
})
