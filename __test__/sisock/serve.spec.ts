import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import test, { type ExecutionContext } from 'ava'
import { run } from '../../ts/cli/run.js'
import { DataNodeHub } from '../../ts/sisock/data-node-hub.js'
import { measurand } from '../cli/streams.js'

const EPOCH = 1_700_000_000

async function folders(t: ExecutionContext) {
  const folder = await mkdtemp(join(tmpdir(), 'measurand-serve-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await mkdir(join(folder, 'weather'))
  const lines = Array.from({ length: 50 }, (_, k) => `${EPOCH + k},${k / 2}\n`)
  await writeFile(join(folder, 'weather/roof.csv'), `time,wind [m/s]\n${lines.join('')}`)
  const users = { server: { secret: 's', role: 'server' }, reader: { secret: 'r', role: 'consumer' } }
  await writeFile(join(folder, 'users.json'), JSON.stringify(users))
  await writeFile(join(folder, 'secret'), 'r\n')
  return folder
}

/** Runs a server in this process; gives what it said of itself when it serves. */
async function serving(
  t: ExecutionContext,
  ...args: string[]
): Promise<{ port: number; events: Record<string, unknown>[] }> {
  const ending = new AbortController()
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const events: Record<string, unknown>[] = []
  let told: (port: number) => void = () => {}
  const port = new Promise<number>((resolve) => {
    told = resolve
  })
  let rest = ''
  stdout.on('data', (chunk) => {
    const lines = (rest + String(chunk)).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const event = JSON.parse(line) as Record<string, unknown>
      events.push(event)
      if (event['event'] === 'serving') told(event['port'] as number)
    }
  })
  let errors = ''
  stderr.on('data', (chunk) => {
    errors += String(chunk)
  })
  const ended = run(['serve', ...args, '--json'], { stdin: Readable.from([]), stdout, stderr }, ending.signal)
  t.teardown(async () => {
    ending.abort()
    await ended
  })
  return {
    port: await Promise.race([port, ended.then((code) => Promise.reject(new Error(`exit ${code}: ${errors}`)))]),
    events,
  }
}

const at = async (port: number, path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).json()

test('serve sisock: a folder behind router, hub and bridge; nodes, fields, get, record, tail by the command line', async (t) => {
  const folder = await folders(t)
  const { port } = await serving(
    t,
    'sisock',
    join(folder, 'weather'),
    '--port',
    '0',
    '--http-port',
    '0',
    '--users',
    join(folder, 'users.json'),
  )
  const url = `sisock://reader@127.0.0.1:${port}`
  const secret = ['--secret-file', join(folder, 'secret')]
  const nodes = await measurand(['sisock', 'nodes', url, ...secret, '--json'])
  t.deepEqual(nodes.lines, [{ event: 'node', name: 'weather', description: 'tables in weather' }])
  const fields = await measurand(['sisock', 'fields', `${url}/weather`, ...secret])
  t.is(fields.stdout, 'roof.wind\tnumber\tm/s\troof\t1\t\n')
  const window = [`--since=${EPOCH}`, `--until=${EPOCH + 1000}`]
  const got = await measurand(['sisock', 'get', `${url}/weather/roof.wind`, ...secret, ...window, '--stride=10'])
  t.is(got.stdout, [0, 10, 20, 30, 40].map((k) => `roof.wind\t${EPOCH + k}\t${k / 2}\n`).join(''))
  const out = join(folder, 'recording')
  const recorded = await measurand(['record', `${url}/weather`, ...secret, ...window, '--out', out, '--json'])
  t.is(recorded.code, 0, recorded.stderr)
  t.like(recorded.lines.at(-1), { event: 'summary', received: 50, stored: 50 })
  const { port: http, events } = await serving(t, 'grafana', out, 'sensors', '--port', '0')
  t.is(events.find(({ event }) => event === 'serving')?.['page'], `http://127.0.0.1:${http}/`)
  const names = ((await at(http, '/api/nodes')) as { name: string }[]).map(({ name }) => name)
  t.regex(names[0] as string, /^sisock-127-0-0-1-\d+-weather$/)
  t.is(names[1], 'sensors')
  const target = encodeURIComponent(`${names[0]}::roof.wind`)
  const rows = (await at(
    http,
    `/api/data?target=${target}&from=${EPOCH * 1000}&to=${(EPOCH + 100) * 1000}`,
  )) as object[]
  t.is(rows.length, 50)
  t.is(((await at(http, '/api/span')) as { from: number }).from, EPOCH * 1000)
  const wrong = await measurand(['sisock', 'nodes', `sisock://nobody@127.0.0.1:${port}`, ...secret])
  t.is(wrong.code, 2)
  t.regex(wrong.stderr, /ERR_SISOCK_AUTH_DENIED/)
})

test('serve grafana: a live source of another system, and places that are none', async (t) => {
  const { port: tia } = await serving(t, 'tia', '--port', '0', '--signals', '2', '--rate', '100')
  const { port } = await serving(t, 'grafana', `tia://127.0.0.1:${tia}`, '--port', '0')
  const fields = async () => (await at(port, `/api/fields?node=tia-127-0-0-1-${tia}`)) as { name: string }[]
  while ((await fields()).length < 2) await new Promise((resolve) => setImmediate(resolve))
  t.is((await fields()).length, 2)
  t.is((await measurand(['serve', 'grafana'])).code, 1)
  const nothing = await measurand(['serve', 'grafana', '/nowhere'])
  t.is(nothing.code, 1)
  t.regex(nothing.stderr, /is no folder/)
  t.is((await measurand(['serve', 'grafana', 'tia://127.0.0.1:1'])).code, 2)
  t.is((await measurand(['serve', 'tia', 'place'])).code, 1)
})

test('serve --to a secured router elsewhere: a folder and the feed of an OCS agent, which joins without a user', async (t) => {
  const folder = await folders(t)
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2']
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject, '-keyout', key, '-out', cert], {
    stdio: 'ignore',
  })
  await writeFile(join(folder, 'server-secret'), 's')
  const users = ['--users', join(folder, 'users.json'), '--signals', '1', '--frames', '10']
  const { port } = await serving(
    t,
    ...['sisock', '--port', '0', '--http-port', '0', '--anonymous', 'server', ...users],
    ...['--tls', '--cert', cert, '--key', key],
  )
  const trusted = ['--secret-file', join(folder, 'server-secret'), '--ca', cert]
  await serving(t, 'sisock', join(folder, 'weather'), '--to', `wss://server@127.0.0.1:${port}/ws`, ...trusted)
  const feed = `sisock://127.0.0.1:${port}?tls=1&anonymous=1&ca=${encodeURIComponent(cert)}`
  await serving(t, 'sisock', 'ocs:LSA22/temperatures', '--to', feed)

  await using agent = new DataNodeHub({ url: `wss://127.0.0.1:${port}/ws`, anonymous: true, tls: { verify: false } })
  agent.onJoin = async () => {}
  await agent.connect()
  const block = { timestamps: [EPOCH, EPOCH + 1], data: { 'Channel 01': [4.25, 4.5] } }
  const message = [[{ temps: block }, { feed_name: 'temperatures' }]]
  await agent.publish('observatory.LSA22.feeds.temperatures', message, {}, { acknowledge: true })

  const url = `sisock://reader@127.0.0.1:${port}`
  const secret = ['--secret-file', join(folder, 'secret'), '--tls', '--ca', cert]
  const nodes = await measurand(['sisock', 'nodes', url, ...secret, '--json'])
  t.deepEqual(nodes.lines.map(({ name }) => name).sort(), ['LSA22', 'synthetic', 'weather'])
  const got = await measurand(['sisock', 'get', `${url}/LSA22/channel_01`, ...secret, '--since=1', '--until=0'])
  t.is(got.stdout, `channel_01\t${EPOCH}\t4.25\nchannel_01\t${EPOCH + 1}\t4.5\n`)
  const untrusted = await measurand(['sisock', 'nodes', url, '--secret-file', join(folder, 'secret'), '--tls'])
  t.is(untrusted.code, 2)
  t.regex(untrusted.stderr, /ERR_SESSION_TLS/)
  t.is((await measurand(['serve', 'sisock-hub', '--to', 'http://127.0.0.1/'])).code, 1)
})
