import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../free-port.js'

const BIN = join(import.meta.dirname, '../../../.peers/crossbar/bin')
const PEER = join(import.meta.dirname, 'peer')

export const SECRETS = { server: 'loopback-test-secret', simonsobs: 'loopback-consumer-secret' } as const

/** A running peer. */
export interface Peer {
  /** Resolves with its exit code. */
  readonly ended: Promise<number>
  /** Everything that it has printed. */
  output(): string
  /** Resolves when it has printed this. */
  printed(text: string): Promise<void>
  kill(signal?: NodeJS.Signals): Promise<void>
}

export function start(command: string, args: readonly string[], options: { cwd?: string; env?: object } = {}): Peer {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, PYTHONUNBUFFERED: '1', ...options.env },
  })
  let output = ''
  const waiting: { text: string; resolve(): void; reject(error: Error): void }[] = []
  const add = (part: Buffer) => {
    output += part.toString()
    for (const one of waiting) if (output.includes(one.text)) one.resolve()
  }
  child.stdout.on('data', add)
  child.stderr.on('data', add)
  const ended = new Promise<number>((resolve) => {
    child.on('close', (code) => {
      for (const one of waiting) one.reject(new Error(`ended before it printed ${one.text}: ${output.slice(-2000)}`))
      resolve(code ?? 1)
    })
  })
  return {
    ended,
    output: () => output,
    printed: (text) =>
      new Promise((resolve, reject) => {
        if (output.includes(text)) resolve()
        else waiting.push({ text, resolve, reject })
      }),
    kill: async (signal = 'SIGTERM') => {
      child.kill(signal)
      const timer = setTimeout(() => child.kill('SIGKILL'), 5000)
      await ended
      clearTimeout(timer)
    },
  }
}

/** One of the Python programs. */
export function python(
  program: 'hub' | 'node' | 'consumer',
  url: string,
  serializer: string,
  user: keyof typeof SECRETS,
  ...args: string[]
): Peer {
  return start(join(BIN, 'python'), [join(PEER, `${program}.py`), url, ...args], {
    env: { WAMP_USER: user, WAMP_SECRET: SECRETS[user], WAMP_SERIALIZERS: serializer },
  })
}

/** A real Crossbar.io with the configuration of the project. */
export interface Crossbar extends Peer {
  readonly url: string
  readonly tlsUrl: string
  readonly certificate: string
}

export async function crossbar(): Promise<Crossbar> {
  const folder = mkdtempSync(join(tmpdir(), 'measurand-crossbar-'))
  const bar = join(folder, '.crossbar')
  mkdirSync(bar)
  const [plain, open, tls, raw] = await Promise.all([freePort(), freePort(), freePort(), freePort()])
  const config = readFileSync(join(PEER, 'crossbar.json'), 'utf8')
    .replace('18080', String(plain))
    .replace('18001', String(open))
    .replace('18443', String(tls))
    .replace('18090', String(raw))
  writeFileSync(join(bar, 'config.json'), config)
  const certificate = join(bar, 'server_cert.pem')
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  const files = ['-keyout', join(bar, 'server_key.pem'), '-out', certificate]
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject, ...files], {
    stdio: 'ignore',
  })
  const peer = start(join(BIN, 'crossbar'), ['start', '--cbdir', bar], { cwd: folder })
  const [url, tlsUrl] = [`ws://127.0.0.1:${plain}/ws`, `wss://127.0.0.1:${tls}/ws`]
  await peer.printed('NODE_BOOT_COMPLETE')
  return {
    ...peer,
    url,
    tlsUrl,
    certificate: readFileSync(certificate, 'utf8'),
    kill: async (signal) => {
      await peer.kill(signal)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
