// Idle connections: how many a server holds, and at what cost. `node --import tsx __test__/stream-sea/idle.ts [COUNT]`
// 10,000 unless told; the server is a process of its own. Needs as many file descriptors: `ulimit -n 20000`.
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StreamSeaClient, StreamSeaServer } from '../../ts/stream-sea/index.js'

const SECRET = '01234567890123456789'

if (process.send !== undefined) {
  const server = await StreamSeaServer.open({ data: process.argv[2] as string })
  await server.addClient('main', 'app123', { secret: SECRET })
  await server.define('main', { name: 's', version: 1, fields: [{ name: 'n', type: 'integer' }] })
  const [, port] = await server.listen(0)
  process.send({ port })
  process.on('message', () => process.send?.({ rss: process.memoryUsage.rss(), connections: server.connections }))
} else {
  const count = Number(process.argv[2] ?? 10_000)
  const data = mkdtempSync(join(tmpdir(), 'stream-sea-'))
  const child = fork(import.meta.filename, [data])
  const told = () => new Promise<Record<string, number>>((resolve) => child.once('message', resolve as never))
  const { port = 0 } = await told()
  const ask = () => {
    const answer = told()
    child.send('how')
    return answer
  }
  const remote = { remoteHost: '127.0.0.1', remotePort: port, clientId: 'app123', clientSecret: SECRET }
  const before = await ask()
  const clients: StreamSeaClient[] = []
  while (clients.length < count) {
    const some = Array.from({ length: Math.min(200, count - clients.length) }, () => new StreamSeaClient(remote))
    await Promise.all(some.map((client) => client.connect()))
    clients.push(...some)
  }
  const subscription = await (clients.at(-1) as StreamSeaClient).subscribe({ stream: 's', fanout: true })
  await (clients[0] as StreamSeaClient).publish({ stream: 's', payload: { n: 1 } })
  const first = await subscription.messages().next()
  const { rss = 0, connections } = await ask()
  const each = (rss - (before['rss'] ?? 0)) / count / 1024
  const delivered = first.value?.text
  process.stdout.write(
    `${JSON.stringify({ connections, serverMiB: Math.round(rss / 2 ** 20), KiBEach: Math.round(each), delivered })}\n`,
  )
  child.kill('SIGKILL')
  rmSync(data, { recursive: true, force: true })
  process.exit(connections === count && delivered === '{"n":1}' ? 0 : 1)
}
