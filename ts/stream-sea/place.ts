import { tlsFiles } from '../session/index.js'
import { streamSeaError } from './error-codes.js'
import type { Remote } from './remote.js'
import { readSecret } from './secret.js'

/** What is asked of a source; `SourceUrl` of `measurand/ingest` is one. */
export interface StreamSeaPlace {
  readonly user: string
  readonly host: string
  readonly port: number | undefined
  readonly path: string
  option(name: string): string | undefined
  flag(name: string): boolean
}

/** The options that every use of a `streamsea://` URL has. */
export const placeOptions = {
  'secret-file': { value: 'FILE', line: "the client's secret; MEASURAND_SECRET unless told" },
  tls: { line: 'secures the connection' },
  ca: { value: 'FILE', line: 'the authority to trust, PEM' },
  cert: { value: 'FILE', line: "the client's certificate, PEM" },
  key: { value: 'FILE', line: 'its private key, PEM' },
} as const

/** Who and where a `streamsea://ID@host:port/STREAM` is. */
export async function remoteOf(place: StreamSeaPlace): Promise<Remote> {
  if (place.user === '') {
    throw streamSeaError('ERR_STREAMSEA_OPTION_INVALID', 'the URL names no client: streamsea://ID@host:port/STREAM')
  }
  const secure = place.flag('tls')
  const remote: Remote = {
    remoteHost: place.host,
    remotePort: place.port ?? (secure ? 443 : 3104),
    secure,
    clientId: place.user,
    clientSecret: await readSecret(place.option('secret-file')),
  }
  if (!secure) return remote
  const refusal = (text: string): Error => streamSeaError('ERR_STREAMSEA_OPTION_INVALID', text)
  return { ...remote, tls: tlsFiles((name) => place.option(name), refusal) }
}
