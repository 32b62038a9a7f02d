import { readFile } from 'node:fs/promises'
import type { SourceOptions, TlsOptions } from '../session/index.js'
import { Subscriber } from './subscriber.js'

/** What is read of a URL. */
interface Place {
  readonly host: string
  readonly port: number | undefined
  option(name: string): string | undefined
  flag(name: string): boolean
  choice<const T extends string>(name: string, choices: readonly T[]): T | undefined
}

const PORT = 7165
const EVERYTHING = 'FILTER ActiveMeasurements WHERE True'

/** The options of `sttp://` URLs. */
export const sourceOptions = {
  filter: { value: 'EXPR', line: 'which signals, as FILTER ActiveMeasurements WHERE ...; all unless told' },
  encoding: { value: 'tssc|compact', line: 'how measurements are packed; tssc unless told' },
  metadata: { value: '0|1', line: 'whether names and types of signals are asked for; 1 unless told' },
  tls: { line: 'a secured connection' },
  ca: { value: 'FILE', line: 'authorities to trust, PEM' },
  cert: { value: 'FILE', line: 'the own certificate, PEM' },
  key: { value: 'FILE', line: 'the own key, PEM' },
} as const

/** Connects a subscriber; what it says to people goes to stderr. */
export async function openSource(url: Place, options: SourceOptions): Promise<Subscriber> {
  const tls = await tlsOptions(url)
  const stderr = (text: string): void => void process.stderr.write(`${text}\n`)
  const subscriber = new Subscriber({
    ...options,
    ...(tls === undefined ? {} : { tls }),
    autoRequestMetadata: url.option('metadata') === undefined || url.flag('metadata'),
    statusMessage: stderr,
    errorMessage: stderr,
  })
  const encoding = url.choice('encoding', ['tssc', 'compact'])
  subscriber.subscribe(url.option('filter') ?? EVERYTHING, encoding === undefined ? {} : { encoding })
  const host = url.host.includes(':') ? `[${url.host}]` : url.host
  await subscriber.connect(`${host}:${url.port ?? PORT}`)
  return subscriber
}

async function tlsOptions(url: Place): Promise<TlsOptions | undefined> {
  if (!url.flag('tls')) return undefined
  const files = ['ca', 'cert', 'key'].flatMap((name) => {
    const path = url.option(name)
    return path === undefined ? [] : [[name, path] as const]
  })
  return Object.fromEntries(await Promise.all(files.map(async ([name, path]) => [name, await readFile(path, 'utf8')])))
}
