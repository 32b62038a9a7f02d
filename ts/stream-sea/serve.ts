import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Pacer, type SessionOptions, systemClock } from '../session/index.js'
import { streamSeaError } from './error-codes.js'
import { tlsFiles } from './place.js'
import { readSecret } from './secret.js'
import { StreamSeaServer, type StreamSeaServerOptions } from './server.js'
import type { Stream } from './stream.js'

/** The options of `measurand serve stream-sea`. */
export const serveOptions = {
  host: { value: 'HOST', line: 'the address; 127.0.0.1 unless told' },
  port: { value: 'PORT', line: 'the port; 3104 unless told, 0 for a free one' },
  data: { value: 'DIR', line: 'the log; without it, a synthetic stream that is gone with the server' },
  log: { value: 'nats://HOST:PORT[/PREFIX]', line: 'instead, a log on NATS JetStream that several servers share' },
  jail: { value: 'NAME', line: 'the jail of --client; main unless told' },
  client: { value: 'ID', line: 'makes this client if it is not there, with the secret of --secret-file' },
  'secret-file': { value: 'FILE', line: 'its secret; MEASURAND_SECRET unless told' },
  'retain-bytes': { value: 'N', line: 'bytes that a stream keeps; all unless told' },
  'retain-days': { value: 'N', line: 'days that a message is kept; for ever unless told' },
  'accept-undefined': { line: 'takes messages of streams without a schema' },
  signals: { value: 'N', line: 'synthetic: values of a message; 3 unless told' },
  rate: { value: 'HZ', line: 'synthetic: messages per second; 30 unless told' },
  t0: { value: 'NS', line: 'synthetic: time of the first message; 2024-01-01 unless told' },
  frames: { value: 'N', line: 'synthetic: ends after N messages' },
  'wait-subscriber': { line: 'synthetic: begins with the first subscription' },
  tls: { line: 'secures the connections' },
  cert: { value: 'FILE', line: 'the certificate, PEM' },
  key: { value: 'FILE', line: 'its private key, PEM' },
} as const

type Option = keyof typeof serveOptions

const SYNTHETIC = 'synthetic'
const T0 = 1_704_067_200_000_000_000n
const FIELDS = [
  { name: 'n', type: 'integer' },
  { name: 'time', type: 'string' },
  { name: 'values', type: 'array<float>' },
] as const

/** Serves a log, or a synthetic stream, until it is drained or `--frames` are out. */
export async function serve(
  options: ReadonlyMap<string, string | true>,
  session: SessionOptions = {},
): Promise<{ readonly port: number; readonly closed: Promise<Error | undefined>; drain(): Promise<void> }> {
  const text = (name: Option): string | undefined => options.get(name) as string | undefined
  const number = (name: Option, otherwise: number, least: number): number => {
    const value = Number(text(name) ?? otherwise)
    if (Number.isFinite(value) && value >= least) return value
    throw streamSeaError('ERR_STREAMSEA_OPTION_INVALID', `--${name} takes a number from ${least}, not ${text(name)}`)
  }
  const [asked, log] = [text('data'), text('log')]
  if (asked !== undefined && log !== undefined) {
    throw streamSeaError('ERR_STREAMSEA_OPTION_INVALID', '--data and --log are two places for one log')
  }
  const isTemporary = asked === undefined && log === undefined
  const data = isTemporary ? await mkdtemp(join(tmpdir(), 'measurand-')) : asked
  const place = log === undefined ? { data: data as string } : { log }
  const jail = text('jail') ?? 'main'
  const server = await StreamSeaServer.open({ ...place, ...(await serverOptions(options, number)) })
  if (session.onStatus !== undefined) server.status.on(session.onStatus)
  const client = text('client')
  if (client !== undefined && server.directory.client(client) === undefined) {
    await server.addClient(jail, client, { secret: await readSecret(text('secret-file')) })
  } else if (server.directory.isEmpty) {
    const secret = await server.addClient(jail, 'admin')
    process.stderr.write(`made the client admin of the jail ${jail}; its secret is told this once: ${secret}\n`)
  }
  const [, port] = await server.listen(number('port', 3104, 0), text('host'))
  let resolveClosed: (error: Error | undefined) => void = () => {}
  const closed = new Promise<Error | undefined>((resolve) => {
    resolveClosed = resolve
  })
  let synthetic: Synthetic | undefined
  const drain = async (): Promise<void> => {
    synthetic?.stop()
    await server.close()
    if (isTemporary) await rm(data as string, { recursive: true, force: true })
    resolveClosed(undefined)
  }
  if (isTemporary || options.has('frames') || options.has('rate') || options.has('signals')) {
    await server.define(jail, { name: SYNTHETIC, version: 1, fields: FIELDS })
    synthetic = new Synthetic(server, server.publishable(jail, SYNTHETIC) as Stream, {
      signals: number('signals', 3, 0),
      rate: number('rate', 30, 0.001),
      t0: BigInt(text('t0') ?? T0),
      frames: options.has('frames') ? number('frames', 0, 1) : Number.POSITIVE_INFINITY,
      waits: options.has('wait-subscriber'),
    })
    void synthetic.run().then(drain, (error: Error) => {
      void server.close().finally(() => resolveClosed(error))
    })
  }
  return { port, closed, drain }
}

async function serverOptions(
  options: ReadonlyMap<string, string | true>,
  number: (name: Option, otherwise: number, least: number) => number,
): Promise<StreamSeaServerOptions> {
  const retention = {
    ...(options.has('retain-bytes') && { maxBytes: number('retain-bytes', 0, 1) }),
    ...(options.has('retain-days') && { maxAge: number('retain-days', 0, 0) * 86_400_000 }),
  }
  const acceptUndefined = options.has('accept-undefined')
  if (!options.has('tls')) return { retention, acceptUndefined }
  return { retention, acceptUndefined, tls: await tlsFiles((name) => options.get(name) as string | undefined) }
}

interface SyntheticOptions {
  readonly signals: number
  readonly rate: number
  readonly t0: bigint
  readonly frames: number
  readonly waits: boolean
}

/** Publishes messages of which any receiver can check every value. */
class Synthetic {
  readonly #server: StreamSeaServer
  readonly #stream: Stream
  readonly #options: SyntheticOptions
  #pacer: Pacer | undefined
  #stopped: () => void = () => {}

  constructor(server: StreamSeaServer, stream: Stream, options: SyntheticOptions) {
    this.#server = server
    this.#stream = stream
    this.#options = options
  }

  /** Resolves when all are published and everyone who subscribed has had them. */
  async run(): Promise<void> {
    const { rate, frames, waits } = this.#options
    const ended = new Promise<void>((resolve) => {
      this.#stopped = resolve
    })
    if (waits) await Promise.race([ended, this.#until(() => this.#stream.groups.size > 0)])
    const all = new Promise<void>((resolve, reject) => {
      this.#pacer = new Pacer(systemClock, rate, (first, count) => {
        const texts = Array.from({ length: count }, (_, index) => this.#message(first + index))
        const body = Buffer.from(`{"payload":[${texts.join(',')}]}`)
        const told = this.#server.publish(this.#stream, body, undefined, (error) => {
          if (error !== undefined) reject(error)
          else if (first + count >= frames) resolve()
        })
        if (told instanceof Error) reject(told)
      })
      this.#pacer.start(frames)
    })
    await Promise.race([all, ended])
    const behind = () => [...this.#stream.groups.values()].some(({ lag }) => lag > 0)
    await Promise.race([ended, this.#until(() => !behind())])
  }

  stop(): void {
    this.#pacer?.stop()
    this.#stopped()
  }

  #message(n: number): string {
    const { signals, rate, t0 } = this.#options
    const time = t0 + BigInt(Math.floor((n * 1e9) / rate))
    const values = Array.from({ length: signals }, (_, k) => 1000 * (k % 4000) + 0.25 * (n % 4000))
    return JSON.stringify({ n, time: String(time), values })
  }

  async #until(met: () => boolean): Promise<void> {
    while (!met()) await new Promise<void>((resolve) => setTimeout(resolve, 10))
  }
}
