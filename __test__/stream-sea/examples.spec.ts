import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { describeStream } from '../../ts/stream-sea/index.js'
import { Example } from '../example.js'
import { World } from './world.js'

test('publish, subscribe and consumer group work together', async (t) => {
  const world = await World.open(t)
  const place = ['127.0.0.1', String(world.remote.remotePort), 'app123']
  const env = { MEASURAND_SECRET: world.remote.clientSecret }
  const subscriber = new Example(t, 'stream-sea-subscribe', [...place, 'boiler_data', '4'], { env })
  await subscriber.printed(/connected/)
  const stream = () => world.server.stream('main', 'boiler_data')
  while ((stream()?.groups.size ?? 0) === 0) await new Promise((resolve) => setTimeout(resolve, 10))
  const publisher = new Example(t, 'stream-sea-publish', place, { env })
  t.is(await publisher.ended, 0, publisher.output)
  t.regex(publisher.output, /published 4 messages/)
  t.is(await subscriber.ended, 0, subscriber.output)
  t.regex(subscriber.output, /temperature: 91.5, side: 'port'/)
  const worker = new Example(t, 'stream-sea-consumer-group', [...place, 'boiler_data', 'workers', '4'], { env })
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
  const server = new Example(t, 'stream-sea-server-tls', [join(folder, 'sea'), cert, key, '0'])
  const clientSecret = await server.printed(/secret of app123: (\S+)/)
  const port = await server.printed(/listening on wss:\/\/127\.0\.0\.1:(\d+)/)
  const remote = { remoteHost: '127.0.0.1', remotePort: port, secure: true, clientId: 'app123', clientSecret }
  t.is(await describeStream({ ...remote, tls: { ca: readFileSync(cert) }, stream: 'none' }), null)
  t.is(await server.interrupt(), 0, server.output)
})
