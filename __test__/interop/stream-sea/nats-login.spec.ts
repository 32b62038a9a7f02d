import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nkeys } from '@nats-io/transport-node'
import test, { type ExecutionContext } from 'ava'
import { defineStream, describeStream } from '../../../ts/stream-sea/index.js'
import { connectNats } from '../../../ts/stream-sea/nats-connection.js'
import { NatsServer } from './nats-server.js'
import { FIELDS, serve } from './nats-world.js'

async function folder(t: ExecutionContext): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'nats-login-'))
  t.teardown(() => rm(made, { recursive: true, force: true }))
  return made
}

/** Our server works on the log, and keeps something there. */
async function works(t: ExecutionContext, log: string): Promise<void> {
  const { remote } = await serve(t, log)
  await defineStream({ ...remote, stream: 's', schema: { name: 's', version: 1, fields: FIELDS } })
  t.is((await describeStream({ ...remote, stream: 's' }))?.version, 1)
}

const refused = (t: ExecutionContext, log: string) =>
  t.throwsAsync(connectNats(log), { code: 'ERR_SESSION_CONNECT_FAILED' }, log)

test('a user with a password', async (t) => {
  const nats = await NatsServer.start(t, 'authorization { users: [{ user: "sea", password: "s:p/@%" }] }')
  const at = (login: string) => nats.url().replace('//', `//${login}`)
  await works(t, at('sea:s%3Ap%2F%40%25@'))
  await refused(t, at('sea:wrong@'))
  const error = await refused(t, at(''))
  t.notRegex(String(error), /s:p/)
})

test('a token', async (t) => {
  const nats = await NatsServer.start(t, 'authorization { token: "t0k/en" }')
  await works(t, nats.url().replace('//', '//t0k%2Fen@'))
  await refused(t, nats.url().replace('//', '//other@'))
})

test('the credentials of a user of an account, as nsc writes them', async (t) => {
  const directory = await folder(t)
  const [operator, system, account, user, stranger] = [
    nkeys.createOperator(),
    nkeys.createAccount(),
    nkeys.createAccount(),
    nkeys.createUser(),
    nkeys.createUser(),
  ]
  type Pair = typeof operator
  const token = (issuer: Pair, subject: Pair, name: string, claims: object): string => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const ids = { jti: randomBytes(16).toString('hex'), iat: Math.floor(Date.now() / 1000) }
    const body = { ...ids, iss: issuer.getPublicKey(), sub: subject.getPublicKey(), name, nats: claims }
    const input = `${part({ typ: 'JWT', alg: 'ed25519-nkey' })}.${part(body)}`
    return `${input}.${Buffer.from(issuer.sign(Buffer.from(input))).toString('base64url')}`
  }
  const unlimited = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 }
  const store = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 }
  const accountToken = token(operator, account, 'A', {
    type: 'account',
    version: 2,
    limits: { ...unlimited, ...store },
  })
  const systemToken = token(operator, system, 'SYS', { type: 'account', version: 2, limits: unlimited })
  const operatorToken = token(operator, operator, 'O', {
    type: 'operator',
    version: 2,
    system_account: system.getPublicKey(),
  })
  await writeFile(join(directory, 'operator.jwt'), operatorToken)
  const nats = await NatsServer.start(
    t,
    `operator: ${JSON.stringify(join(directory, 'operator.jwt'))}`,
    'resolver: MEMORY',
    `resolver_preload: { ${account.getPublicKey()}: "${accountToken}", ${system.getPublicKey()}: "${systemToken}" }`,
  )
  const creds = async (of: Pair, signedBy: Pair): Promise<string> => {
    const jwt = token(signedBy, of, 'U', { type: 'user', version: 2, subs: -1, data: -1, payload: -1 })
    const seed = Buffer.from(of.getSeed()).toString()
    const file = join(directory, `${of.getPublicKey()}.creds`)
    const block = (what: string, text: string) => `-----BEGIN ${what}-----\n${text}\n------END ${what}------\n\n`
    await writeFile(file, block('NATS USER JWT', jwt) + block('USER NKEY SEED', seed))
    return `${nats.url()}?creds=${encodeURIComponent(file)}`
  }
  await works(t, await creds(user, account))
  await refused(t, await creds(stranger, stranger))
  await refused(t, nats.url())
  await t.throwsAsync(connectNats(`${nats.url()}?creds=${directory}/none`), { code: 'ERR_STREAMSEA_OPTION_INVALID' })
})

test('tls://, with an authority, and with a certificate of ours where nats-server asks for one', async (t) => {
  const directory = await folder(t)
  const file = (name: string) => join(directory, name)
  const pair = (name: string): void => {
    const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
    const names = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
    const made = spawnSync('openssl', [...args, ...names, '-keyout', file(`${name}.key`), '-out', file(`${name}.pem`)])
    t.is(made.status, 0, String(made.stderr))
  }
  pair('server')
  pair('client')
  const nats = await NatsServer.start(
    t,
    `tls { cert_file: "${file('server.pem')}", key_file: "${file('server.key')}", ca_file: "${file('client.pem')}", verify: true }`,
  )
  const url = nats.url().replace('nats:', 'tls:')
  const own = `cert=${file('client.pem')}&key=${file('client.key')}`
  await works(t, `${url}?ca=${file('server.pem')}&${own}`)
  await refused(t, `${url}?${own}`)
  await refused(t, `${url}?ca=${file('server.pem')}`)
})
