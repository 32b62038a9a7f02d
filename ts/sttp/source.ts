import { type SourceOptions, type TlsOptions, tlsFiles } from '../session/index.js'
import { sttpError } from './error-codes.js'
import { Subscriber } from './subscriber.js'
import type { ProtocolVersion, SubscriptionSettings } from './subscription.js'

/** What is read of a URL. */
interface Place {
  readonly host: string
  readonly port: number | undefined
  option(name: string): string | undefined
  flag(name: string): boolean
  choice<const T extends string>(name: string, choices: readonly T[]): T | undefined
}

export { redactor } from './redactor.js'

const PORT = 7165
const EVERYTHING = 'FILTER ActiveMeasurements WHERE True'

/** The options of `sttp://` URLs. */
export const sourceOptions = {
  filter: { value: 'EXPR', line: 'which signals, as FILTER ActiveMeasurements WHERE ...; all unless told' },
  encoding: { value: 'tssc|compact', line: 'how measurements are packed; tssc unless told' },
  udp: { value: 'PORT', line: 'data come by UDP to this port, 0 for a free one; by the connection unless told' },
  'udp-interface': { value: 'ADDRESS', line: 'where datagrams are received; on all addresses unless told' },
  'udp-group': { value: 'ADDRESS', line: 'the multicast group to which data are sent' },
  protocol: { value: '1|2|3', line: 'the version of the protocol; 2 unless told' },
  metadata: { value: '0|1', line: 'whether names and types of signals are asked for; 1 unless told' },
  'metadata-filter': { value: 'EXPR', line: 'which of them, as FILTER MeasurementDetail WHERE ...; FILTER ...' },
  'swap-guids': { line: "the publisher's GUIDs are in the order of Microsoft's systems" },
  throttled: { line: 'only the latest value of each signal, every publish interval' },
  'publish-interval': { value: 'SECONDS', line: 'how often the latest values come; 1 unless told' },
  'check-time': { line: 'latest values with a time beyond lag and lead time become NaN' },
  'lag-time': { value: 'SECONDS', line: 'how much earlier than now a time may be; 10 unless told' },
  'lead-time': { value: 'SECONDS', line: 'how much later than now a time may be; 5 unless told' },
  'local-clock': { line: "now is the publisher's clock, not the latest time that it publishes" },
  'nan-filter': { line: 'values that are NaN are not sent' },
  milliseconds: { line: 'compact measurements have times of whole milliseconds' },
  'no-time': { line: 'compact measurements have no time' },
  start: {
    value: 'TIME',
    line: 'what was since then, as 2024-01-02T03:04:05Z, or *-1h; what is published now unless told',
  },
  stop: { value: 'TIME', line: 'what was up to then; * is now' },
  interval: { value: 'MS', line: 'ms between the frames of what was; 0, as fast as possible, unless told' },
  constraints: { value: 'TEXT', line: 'what a publisher wants to know of it beside' },
  'no-recovery': { line: 'does not fetch back what was missed while the connection was broken' },
  extra: { value: 'SETTINGS', line: 'more settings of the subscription, as name=value;name=value' },
  'max-retries': { value: 'N', line: 'retries of a connection that broke; no limit unless told' },
  listen: { line: 'the publisher connects: this is where to listen for it' },
  tls: { line: 'a secured connection' },
  ca: { value: 'FILE', line: 'authorities to trust, PEM' },
  fingerprint: { value: 'SHA256', line: "trusts the publisher's certificate by its fingerprint, whoever signed it" },
  'server-name': { value: 'NAME', line: "the name that the publisher's certificate has; the host unless told" },
  cert: { value: 'FILE', line: 'the own certificate, PEM' },
  key: { value: 'FILE', line: 'the own key, PEM' },
} as const

/** Connects a subscriber; what it says to people goes to stderr. */
export async function openSource(url: Place, options: SourceOptions): Promise<Subscriber> {
  const tls = tlsOptions(url)
  // A line of progress, where there is one, makes way.
  const clear = process.stderr.isTTY ? '\r\x1b[K' : ''
  const stderr = (text: string): void => void process.stderr.write(`${clear}${text}\n`)
  const subscriber = new Subscriber({
    ...options,
    ...(tls === undefined ? {} : { tls }),
    ...retries(url),
    ...versionOf(url),
    ...metadataFilters(url),
    ...(url.flag('no-recovery') ? { gapRecovery: false as const } : {}),
    recordBufferBlocks: true,
    swapGuidEndianness: url.flag('swap-guids'),
    autoRequestMetadata: url.option('metadata') === undefined || url.flag('metadata'),
    statusMessage: stderr,
    errorMessage: stderr,
  })
  void subscriber.subscribe(url.option('filter') ?? EVERYTHING, settingsOf(url))
  if (url.flag('listen')) {
    await subscriber.listen({ host: url.host, port: url.port ?? PORT })
    return subscriber
  }
  const host = url.host.includes(':') ? `[${url.host}]` : url.host
  await subscriber.connect(`${host}:${url.port ?? PORT}`)
  return subscriber
}

function settingsOf(url: Place): SubscriptionSettings {
  const given: { [Name in keyof SubscriptionSettings]?: SubscriptionSettings[Name] | undefined } = {
    startTime: url.option('start'),
    stopTime: url.option('stop'),
    processingInterval: intervalOf(url),
    constraintParameters: url.option('constraints'),
    encoding: url.choice('encoding', ['tssc', 'compact']),
    throttled: url.flag('throttled') || undefined,
    publishInterval: secondsOf(url, 'publish-interval'),
    enableTimeReasonabilityCheck: url.flag('check-time') || undefined,
    lagTime: secondsOf(url, 'lag-time'),
    leadTime: secondsOf(url, 'lead-time'),
    useLocalClockAsRealTime: url.flag('local-clock') || undefined,
    requestNaNValueFilter: url.flag('nan-filter') || undefined,
    useMillisecondResolution: url.flag('milliseconds') || undefined,
    includeTime: url.flag('no-time') ? false : undefined,
    extraConnectionStringParameters: url.option('extra'),
    udpPort: portOf(url),
    udpInterface: url.option('udp-interface'),
    udpGroup: url.option('udp-group'),
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as SubscriptionSettings
}

function metadataFilters(url: Place): { readonly metadataFilters?: string } {
  const filters = url.option('metadata-filter')
  return filters === undefined ? {} : { metadataFilters: filters }
}

function retries(url: Place): { readonly maxRetries?: number } {
  const text = url.option('max-retries')
  if (text === undefined) return {}
  if (!/^\d{1,9}$/.test(text)) throw sttpError('ERR_STTP_OPTION_INVALID', `max-retries takes a number, not ${text}`)
  return { maxRetries: Number(text) }
}

function portOf(url: Place): number | undefined {
  const text = url.option('udp')
  if (text === undefined) return undefined
  if (/^\d{1,5}$/.test(text)) return Number(text)
  throw sttpError('ERR_STTP_OPTION_INVALID', `udp takes a port, not ${text}`)
}

function versionOf(url: Place): { readonly version?: ProtocolVersion } {
  const version = url.choice('protocol', ['1', '2', '3'])
  return version === undefined ? {} : { version: Number(version) as ProtocolVersion }
}

function intervalOf(url: Place): number | undefined {
  const text = url.option('interval')
  if (text === undefined) return url.option('start') || url.option('stop') ? 0 : undefined
  if (/^-?\d{1,9}$/.test(text)) return Number(text)
  throw sttpError('ERR_STTP_OPTION_INVALID', `interval takes ms, not ${text}`)
}

function secondsOf(url: Place, name: string): number | undefined {
  const text = url.option(name)
  if (text === undefined) return undefined
  const seconds = Number(text)
  if (text.trim() !== '' && Number.isFinite(seconds)) return seconds
  throw sttpError('ERR_STTP_OPTION_INVALID', `${name} takes seconds, not ${text}`)
}

function tlsOptions(url: Place): TlsOptions | undefined {
  if (!url.flag('tls')) return undefined
  const refusal = (text: string): Error => sttpError('ERR_STTP_OPTION_INVALID', text)
  const [fingerprint, serverName] = [url.option('fingerprint'), url.option('server-name')]
  return {
    ...tlsFiles((name) => url.option(name), refusal),
    ...(fingerprint === undefined ? {} : { fingerprint }),
    ...(serverName === undefined ? {} : { serverName }),
    // Who listens demands a certificate where there is an authority to know it by.
    ...(url.flag('listen') ? { verify: url.option('ca') !== undefined } : {}),
  }
}
