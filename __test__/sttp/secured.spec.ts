import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { MeasurandError, TlsOptions } from '../../ts/session/index.js'
import { Measurement } from '../../ts/sttp/measurement.js'
import { Publisher } from '../../ts/sttp/publisher.js'
import { Subscriber } from '../../ts/sttp/subscriber.js'
import type { SubscriptionSettings } from '../../ts/sttp/subscription.js'
import { Synthetic, syntheticId } from '../../ts/sttp/synthetic.js'
import { Ticks } from '../../ts/sttp/ticks.js'

const quiet = { statusMessage: false, errorMessage: false, autoReconnect: false } as const
const folder = mkdtempSync(join(tmpdir(), 'measurand-tls-'))
test.after.always(() => rmSync(folder, { recursive: true }))

/** Makes a certificate, signed by another or by itself. */
function certificate(name: string, signer?: string): void {
  const file = (suffix: string, of = name): string => join(folder, `${of}.${suffix}`)
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'ignore' })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', file('key')]
  if (signer === undefined) {
    openssl('req', '-x509', ...key, '-out', file('pem'), '-days', '2', '-subj', `/CN=${name}`)
    return
  }
  openssl('req', ...key, '-out', file('csr'), '-subj', `/CN=${name}`)
  writeFileSync(file('ext'), 'subjectAltName=IP:127.0.0.1')
  const by = ['-CA', file('pem', signer), '-CAkey', file('key', signer), '-CAcreateserial']
  openssl('x509', '-req', '-in', file('csr'), ...by, '-days', '2', '-extfile', file('ext'), '-out', file('pem'))
}

certificate('authority')
certificate('publisher', 'authority')
certificate('subscriber', 'authority')
certificate('stranger')

const pem = (name: string): string => readFileSync(join(folder, `${name}.pem`), 'utf8')
const own = (name: string): TlsOptions => ({ cert: pem(name), key: readFileSync(join(folder, `${name}.key`), 'utf8') })
const ca = pem('authority')
const fingerprint = (name: string): string => new X509Certificate(pem(name)).fingerprint256

async function publishing(t: ExecutionContext, tls: TlsOptions): Promise<[Publisher, string]> {
  const publisher = new Publisher()
  publisher.defineMetadata(new Synthetic({ signals: 2 }).metadata())
  const [, port] = await publisher.start({ host: '127.0.0.1', port: 0, tls })
  t.teardown(() => publisher.close())
  return [publisher, `127.0.0.1:${port}`]
}

/** The first value that comes when one is published. */
async function firstValue(publisher: Publisher, subscriber: Subscriber): Promise<number | undefined> {
  publisher.publishMeasurements([new Measurement(syntheticId(1), 59.5, Ticks.utcNow())])
  for await (const batch of subscriber) return batch.value[0]
  return undefined
}

async function connected(
  t: ExecutionContext,
  address: string,
  tls: TlsOptions,
  settings: SubscriptionSettings = {},
): Promise<Subscriber> {
  const subscriber = new Subscriber({ ...quiet, tls })
  t.teardown(() => subscriber.close())
  void subscriber.subscribe('FILTER ActiveMeasurements WHERE True', settings)
  await subscriber.connect(address)
  return subscriber
}

test('both sides show certificates of an authority', async (t) => {
  const [publisher, address] = await publishing(t, { ...own('publisher'), ca, verify: true })
  const subscriber = await connected(t, address, { ...own('subscriber'), ca })
  t.is(await firstValue(publisher, subscriber), 59.5)
})

test('a certificate is trusted by its fingerprint, on both sides', async (t) => {
  const pins = { fingerprint: [fingerprint('stranger'), fingerprint('subscriber').replaceAll(':', '').toLowerCase()] }
  const [publisher, address] = await publishing(t, { ...own('publisher'), ...pins })
  const subscriber = await connected(t, address, { ...own('subscriber'), fingerprint: fingerprint('publisher') })
  t.is(await firstValue(publisher, subscriber), 59.5)
  const unknown = connected(t, address, { ...own('publisher'), fingerprint: fingerprint('publisher') })
  await t.throwsAsync(unknown, { code: 'ERR_SESSION_TLS' })
})

test('who is not trusted is refused by a typed error', async (t) => {
  const [publisher, address] = await publishing(t, { ...own('publisher'), ca, verify: true })
  const refused: string[] = []
  publisher.status.on(({ state, detail }) => state === 'peer-refused' && refused.push(String(detail?.['reason'])))
  for (const tls of [
    // The publisher's authority is not the machine's.
    own('subscriber'),
    // A certificate of its own making.
    { ...own('stranger'), ca },
    // None at all.
    { ca },
    // Another fingerprint than the publisher's.
    { ...own('subscriber'), fingerprint: fingerprint('stranger') },
    { ...own('subscriber'), ca, serverName: 'elsewhere.example' },
  ]) {
    await t.throwsAsync(connected(t, address, tls), { code: 'ERR_SESSION_TLS' })
  }
  // The subscriber hangs up on the others.
  t.is(refused.filter((reason) => /^its certificate is not trusted: \w/.test(reason)).length, 2, refused.join('; '))
  const wrong = connected(t, address, { fingerprint: 'AB:CD' })
  await t.throwsAsync(wrong, { code: 'ERR_SESSION_OPTION_INVALID' })
})

test('a plain subscriber gets nothing from a secured publisher, and the other way round', async (t) => {
  const [, address] = await publishing(t, own('publisher'))
  const plain = new Subscriber(quiet)
  // The publisher hangs up on what is no handshake; the system says so by an end, or by a reset where bytes are unread.
  const { code } = (await t.throwsAsync(plain.connect(address))) as MeasurandError
  t.true(code === 'ERR_STTP_CONNECTION_CLOSED' || code === 'ERR_SESSION_CONNECTION_LOST', code)
  const open = new Publisher()
  t.teardown(() => open.close())
  const [, port] = await open.start({ host: '127.0.0.1', port: 0 })
  const secured = new Subscriber({ ...quiet, tls: { ca }, socketTimeout: 1 })
  await t.throwsAsync(secured.connect(`127.0.0.1:${port}`), { code: 'ERR_SESSION_TLS' })
})

test('data of a secured connection are encrypted by UDP too, with keys that nobody else has', async (t) => {
  const [publisher, address] = await publishing(t, own('publisher'))
  const subscriber = await connected(t, address, { ca }, { udpPort: 0 })
  t.is(await firstValue(publisher, subscriber), 59.5)
  t.deepEqual(subscriber.describe().quirks, [])
  await subscriber.rotateCipherKeys()
})

test('a reverse connection is secured by the subscriber that listens', async (t) => {
  const subscriber = new Subscriber({ ...quiet, tls: { ...own('subscriber'), ca, verify: true } })
  t.teardown(() => subscriber.close())
  void subscriber.subscribe('FILTER ActiveMeasurements WHERE True')
  const listening = new Promise<number>((resolve) => {
    subscriber.status.on(({ state, detail }) => state === 'listening' && resolve(detail?.['port'] as number))
  })
  const there = subscriber.listen({ host: '127.0.0.1', port: 0 })
  const port = await listening
  const publisher = new Publisher()
  t.teardown(() => publisher.close())
  publisher.defineMetadata(new Synthetic({ signals: 2 }).metadata())
  t.true(await publisher.connect(`127.0.0.1:${port}`, { tls: { ...own('publisher'), ca } }))
  t.deepEqual(await there, [true, port])
  t.is(await firstValue(publisher, subscriber), 59.5)
})
