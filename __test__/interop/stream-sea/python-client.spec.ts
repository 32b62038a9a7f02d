import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { StreamSeaClient, StreamSeaServer } from '../../../ts/stream-sea/index.js'
import { Python } from './python.js'

interface World {
  readonly server: StreamSeaServer
  readonly port: number
  readonly secret: string
}

async function world(t: ExecutionContext): Promise<World> {
  const data = await mkdtemp(join(tmpdir(), 'stream-sea-'))
  const server = await StreamSeaServer.open({ data })
  t.teardown(async () => {
    await server.close()
    await rm(data, { recursive: true })
  })
  const secret = await server.addClient('main', 'app123')
  const [, port] = await server.listen(0)
  return { server, port, secret }
}

test('Python 3.9, HTTP and WebSocket: define, describe, versions, publish 200, subscribe, wrong secret', async (t) => {
  const { server, port, secret } = await world(t)
  const python = new Python('39', 'py_interop.py', ['127.0.0.1', String(port), 'app123', secret, '200'])
  t.teardown(() => python.kill())
  t.is(await python.ended, 0, python.output)
  t.regex(python.output, /PASS py/)
  t.is(server.stats.received, 200)
  t.log(python.output.trim().split('\n').length, 'steps,', server.stats.received, 'messages')
})

test('Python 3.11 publishes by HTTP, our client receives: each message once', async (t) => {
  const { port, secret } = await world(t)
  const count = 300
  await using client = new StreamSeaClient({
    remoteHost: '127.0.0.1',
    remotePort: port,
    clientId: 'app123',
    clientSecret: secret,
  })
  await client.connect()
  const subscription = await client.subscribe({ stream: 'from_python', fanout: true, offsets: true })
  const python = new Python('311', 'py_http.py', [
    '127.0.0.1',
    String(port),
    'app123',
    secret,
    'from_python',
    String(count),
  ])
  t.teardown(() => python.kill())
  const told = JSON.parse(await python.line(/^\{/))
  const fields = [
    { name: 'seq', type: 'integer' },
    { name: 'note', type: 'string' },
  ]
  t.deepEqual(told, {
    define: 200,
    downgrade: {
      message:
        'The version pushed for the schema [from_python] is [2] but there is already an older version defined [3]',
    },
    'other fields': 400,
    describe: ['from_python', 3, fields],
    nothing: null,
    versions: [null, 3],
  })
  const seen = new Set<number>()
  let offset = 0
  for await (const message of subscription.messages()) {
    const { seq, note } = message.payload as { seq: number; note: string }
    t.false(seen.has(seq))
    t.is(note, `n-${seq} é☃`)
    t.is(message.offset, offset++)
    seen.add(seq)
    if (seen.size === count) break
  }
  t.is(await python.finish(), 0)
  t.is(subscription.ledger.totals.records, 0)
  t.log(`${seen.size} messages, ledger empty`)
})
