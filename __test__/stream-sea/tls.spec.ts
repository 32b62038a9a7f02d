import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { describeStream, publish, StreamSeaClient } from '../../ts/stream-sea/index.js'
import { take, World } from './world.js'

test('TLS: requests and subscriptions, and a certificate that nobody vouches for is refused', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'stream-sea-tls-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  args.push(
    '-keyout',
    key,
    '-out',
    cert,
    '-subj',
    '/CN=localhost',
    '-addext',
    'subjectAltName=DNS:localhost,IP:127.0.0.1',
  )
  t.is(spawnSync('openssl', args).status, 0)
  const ca = readFileSync(cert)
  const world = await World.open(t, { tls: { cert: ca, key: readFileSync(key) } })
  const remote = { ...world.remote, secure: true, tls: { ca } }
  await world.server.define('main', { name: 's', version: 1, fields: [{ name: 'n', type: 'integer' }] })
  t.is((await describeStream({ ...remote, stream: 's' }))?.name, 's')
  const client = new StreamSeaClient(remote)
  t.teardown(() => client.close())
  await client.connect()
  const subscription = await client.subscribe({ stream: 's', fanout: true })
  await publish({ ...remote, stream: 's', payload: { n: 5 } })
  t.deepEqual((await take(subscription.messages(), 1))[0]?.payload, { n: 5 })
  const strangers = { ...world.remote, secure: true }
  await t.throwsAsync(describeStream({ ...strangers, stream: 's' }), { code: 'ERR_SESSION_TLS' })
  await t.throwsAsync(new StreamSeaClient(strangers).connect(), { code: 'ERR_SESSION_TLS' })
})
