import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Course,
  courseOf,
  courseOptions,
  OptionValues,
  Pacer,
  type SessionOptions,
  SyntheticTimes,
  syntheticValue,
  systemClock,
} from '../session/index.js'
import { streamSeaError } from './error-codes.js'
import { readSecret } from './secret.js'
import { StreamSeaServer, type StreamSeaServerOptions } from './server.js'
import type { Stream } from './stream.js'

/** The options of `measurand serve stream-sea`. */
export const serveOptions = {
  host: { value: 'HOST', line: 'the address; 127.0.0.1 unless told' },
  port: { value: 'PORT', line: 'the port; 3104 unless told, 0 for a free one' },
  data: { value: 'DIR', line: 'the log; without it, a synthetic stream that is gone with the server' },
  log: {
    value: 'nats://HOST:PORT[/PREFIX][?replicas=N]',
    line: 'instead, a log on NATS JetStream that several servers share',
  },
  jail: { value: 'NAME', line: 'the jail of --client; main unless told' },
  client: { value: 'ID', line: 'makes this client if it is not there, with the secret of --secret-file' },
  'secret-file': { value: 'FILE', line: 'its secret; MEASURAND_SECRET unless told' },
  'retain-bytes': { value: 'N', line: 'bytes that a stream keeps; all unless told' },
  'retain-days': { value: 'N', line: 'days that a message is kept; for ever unless told' },
  'accept-undefined': { line: 'takes messages of streams without a schema' },
  signals: { value: 'N', line: 'synthetic: values of a message; 3 unless told' },
  ...courseOptions('synthetic messages', 30),
  'wait-subscriber': { line: 'synthetic: begins with the first subscription' },
  tls: { line: 'secures the connections' },
  cert: { value: 'FILE', line: 'the certificate, PEM' },
  key: { value: 'FILE', line: 'its private key, PEM' },
} as const

type Option = keyof typeof serveOptions

const SYNTHETIC = 'synthetic'
/** Messages that are published together under `--rate max`. */
const BURST = 1000
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
  const values = new OptionValues<Option>(options, (text) => streamSeaError('ERR_STREAMSEA_OPTION_INVALID', text))
  const [asked, log] = [values.text('data'), values.text('log')]
  if (asked !== undefined && log !== undefined) {
    throw streamSeaError('ERR_STREAMSEA_OPTION_INVALID', '--data and --log are two places for one log')
  }
  const isTemporary = asked === undefined && log === undefined
  const data = isTemporary ? await mkdtemp(join(tmpdir(), 'measurand-')) : asked
  const place = log === undefined ? { data: data as string } : { log }
  const jail = values.text('jail', 'main')
  const course = courseOf(values, 30)
  const server = await StreamSeaServer.open({ ...place, ...serverOptions(values) })
  if (session.onStatus !== undefined) server.status.on(session.onStatus)
  const end = async (): Promise<void> => {
    await server.close()
    if (isTemporary) await rm(data as string, { recursive: true, force: true })
  }
  let port: number
  try {
    await makeClient(server, values)
    ;[, port] = await server.listen(values.whole('port', 0, 3104), values.text('host'))
  } catch (error) {
    await end()
    throw error
  }
  let resolveClosed: (error: Error | undefined) => void = () => {}
  const closed = new Promise<Error | undefined>((resolve) => {
    resolveClosed = resolve
  })
  let synthetic: Synthetic | undefined
  const drain = async (): Promise<void> => {
    synthetic?.stop()
    await end()
    resolveClosed(undefined)
  }
  if (isTemporary || (['frames', 'rate', 'period', 'signals'] as const).some((name) => values.has(name))) {
    await server.define(jail, { name: SYNTHETIC, version: 1, fields: FIELDS })
    synthetic = new Synthetic(server, server.publishable(jail, SYNTHETIC) as Stream, {
      ...course,
      signals: values.whole('signals', 0, 3),
      waits: values.has('wait-subscriber'),
    })
    void synthetic.run().then(drain, (error: Error) => {
      void end().finally(() => resolveClosed(error))
    })
  }
  return { port, closed, drain }
}

/** The client that is asked for, or on the first start one that may do everything. */
async function makeClient(server: StreamSeaServer, values: OptionValues<Option>): Promise<void> {
  const [jail, client] = [values.text('jail', 'main'), values.text('client')]
  if (client !== undefined && server.directory.client(client) === undefined) {
    await server.addClient(jail, client, { secret: await readSecret(values.text('secret-file')) })
  } else if (server.directory.isEmpty) {
    const secret = await server.addClient(jail, 'admin')
    process.stderr.write(`made the client admin of the jail ${jail}; its secret is told this once: ${secret}\n`)
  }
}

function serverOptions(values: OptionValues<Option>): StreamSeaServerOptions {
  const [maxBytes, days] = [values.number('retain-bytes', 1), values.number('retain-days', 0)]
  const retention = {
    ...(maxBytes === undefined ? {} : { maxBytes }),
    ...(days === undefined ? {} : { maxAge: days * 86_400_000 }),
  }
  const acceptUndefined = values.has('accept-undefined')
  return { retention, acceptUndefined, ...(values.has('tls') ? { tls: values.tlsFiles() } : {}) }
}

interface SyntheticOptions extends Course {
  readonly signals: number
  readonly waits: boolean
}

/** Publishes messages of which any receiver can check every value. */
class Synthetic {
  readonly #server: StreamSeaServer
  readonly #stream: Stream
  readonly #options: SyntheticOptions
  readonly #times: SyntheticTimes
  #pacer: Pacer | undefined
  #isStopped = false
  #stopped: () => void = () => {}

  constructor(server: StreamSeaServer, stream: Stream, options: SyntheticOptions) {
    this.#server = server
    this.#stream = stream
    this.#options = options
    this.#times = new SyntheticTimes(options.times)
  }

  /** Resolves when all are published and everyone who subscribed has had them. */
  async run(): Promise<void> {
    const { frames, isMax, waits } = this.#options
    const ended = new Promise<void>((resolve) => {
      this.#stopped = resolve
    })
    if (waits) await Promise.race([ended, this.#until(() => this.#stream.groups.size > 0)])
    const all = isMax ? this.#hurry(frames) : this.#pace(frames)
    await Promise.race([all, ended])
    const behind = () => [...this.#stream.groups.values()].some(({ lag }) => lag > 0)
    await Promise.race([ended, this.#until(() => !behind())])
  }

  stop(): void {
    this.#isStopped = true
    this.#pacer?.stop()
    this.#stopped()
  }

  #pace(frames: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pacer = new Pacer(systemClock, this.#times.rate, (first, count) => {
        this.#publish(first, count).then(() => {
          if (first + count >= frames) resolve()
        }, reject)
      })
      this.#pacer.start(frames)
    })
  }

  /** As fast as the log takes them. */
  async #hurry(frames: number): Promise<void> {
    for (let first = 0; first < frames && !this.#isStopped; first += BURST) {
      await this.#publish(first, Math.min(BURST, frames - first))
    }
  }

  /** Resolves when the messages are durable. */
  #publish(first: number, count: number): Promise<void> {
    const texts = Array.from({ length: count }, (_, index) => this.#message(first + index))
    const body = Buffer.from(`{"payload":[${texts.join(',')}]}`)
    return new Promise((resolve, reject) => {
      const told = this.#server.publish(this.#stream, body, undefined, (error) =>
        error === undefined ? resolve() : reject(error),
      )
      if (told instanceof Error) reject(told)
    })
  }

  #message(n: number): string {
    const values = Array.from({ length: this.#options.signals }, (_, k) => syntheticValue(k, n))
    return JSON.stringify({ n, time: String(this.#times.timeOf(n)), values })
  }

  async #until(met: () => boolean): Promise<void> {
    while (!met()) await new Promise<void>((resolve) => setTimeout(resolve, 10))
  }
}
