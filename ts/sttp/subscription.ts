import { readFileSync } from 'node:fs'
import { isIP, isIPv4, isIPv6 } from 'node:net'
import type { SttpSubscription } from './codec.js'
import { MODE } from './codes.js'
import type { DatagramPlace } from './datagram-intake.js'
import { sttpError } from './error-codes.js'

/** Versions of the protocol: 1 has one signal index cache, 2 and 3 have two that are confirmed. */
export type ProtocolVersion = 1 | 2 | 3

/** How measurements are packed on the wire. */
export type PayloadEncoding = 'tssc' | 'compact'

/** How a subscription is to be served, beside its filter; what is left out has the protocol's default. */
export interface SubscriptionSettings {
  /** `tssc`, compressed and the default, or `compact`, which is the only one by UDP. */
  readonly encoding?: PayloadEncoding
  /** The port on which data are received as datagrams; 0: one of the system's choice. By the connection unless told. */
  readonly udpPort?: number
  /** The address on which datagrams are received; all of the machine's unless told. */
  readonly udpInterface?: string
  /**
   * The multicast group to which data are sent. Publishers other than this one send to the group only where they are
   * configured so, and to the subscriber otherwise; both are received.
   */
  readonly udpGroup?: string
  /** Only the latest value of each signal every `publishInterval`. */
  readonly throttled?: boolean
  /** Seconds; 1 unless told. */
  readonly publishInterval?: number
  /** Whether compact measurements have a time; they have unless told. */
  readonly includeTime?: boolean
  /** Whether throttled values with a time beyond `lagTime` and `leadTime` become NaN. */
  readonly enableTimeReasonabilityCheck?: boolean
  /** Seconds; 10 unless told. */
  readonly lagTime?: number
  /** Seconds; 5 unless told. */
  readonly leadTime?: number
  readonly useLocalClockAsRealTime?: boolean
  /** Whether compact times are whole milliseconds. */
  readonly useMillisecondResolution?: boolean
  readonly requestNaNValueFilter?: boolean
  /** Speed of a historical subscription: ms between frames, -1 default, 0 as fast as possible. */
  readonly processingInterval?: number
  /**
   * Begin of a historical subscription: a time as `2024-01-02T03:04:05Z`, or relative to the publisher's now as `*-30s`,
   * `*-5m`, `*-1h`, `*-2d`.
   */
  readonly startTime?: string
  /** End of a historical subscription, inclusive, in the same forms; `*` is now. */
  readonly stopTime?: string
  readonly constraintParameters?: string
  /** More settings for publishers that know them, as `name=value; other=value`. */
  readonly extraConnectionStringParameters?: string
}

/** What is subscribed to. */
export interface WantedSubscription {
  readonly filterExpression: string
  readonly settings: SubscriptionSettings
}

/** Bits of the operational modes that a subscriber sends (UTF-8, caches and metadata as gzip), and version 2. */
const MODES = { compact: 0xc000_0222, tssc: 0xe000_0262 } as const

/** Where the datagrams of a subscription are received; nowhere if it has no data channel. */
export function datagramPlace({
  udpPort,
  udpInterface,
  udpGroup,
}: SubscriptionSettings): Omit<DatagramPlace, 'from'> | undefined {
  if (udpPort === undefined) return undefined
  const host = udpInterface === undefined ? {} : { host: udpInterface }
  return { port: udpPort, ...host, ...(udpGroup === undefined ? {} : { group: udpGroup }) }
}

/** What has to be known of data that come by UDP. */
export function channelMeta(
  { udpPort, udpGroup }: SubscriptionSettings = {},
  datagrams: { readonly datagramsDropped: number; readonly datagramsLate: number },
): Record<string, unknown> {
  if (udpPort === undefined) return {}
  const channel = udpGroup === undefined ? 'udp' : `udp, group ${udpGroup}`
  return { channel, wireLoss: 'not detectable: compact packets have no sequence numbers', ...datagrams }
}

/** How a subscription's measurements are packed: as it says, by UDP as compact, or else as TSSC unless told. */
export function payloadEncoding(settings: SubscriptionSettings = {}, isCompressed = true): PayloadEncoding {
  if (settings.udpPort !== undefined) return 'compact'
  return settings.encoding ?? (isCompressed ? 'tssc' : 'compact')
}

/** What a subscriber asks for at its connection, as gzip unless told, in version 2 unless told. */
export interface ModeOptions {
  readonly version?: ProtocolVersion
  readonly compressMetadata?: boolean
  readonly compressSignalIndexCache?: boolean
}

/** Checks what a caller gives. */
export function checkVersion(version: number = 2): void {
  if (version === 1 || version === 2 || version === 3) return
  throw sttpError('ERR_STTP_OPTION_INVALID', `version is 1, 2 or 3, not ${version}`)
}

/** The operational modes of an encoding. */
export function operationalModes(
  encoding: PayloadEncoding,
  { version = 2, compressMetadata = true, compressSignalIndexCache = true }: ModeOptions = {},
): number {
  const plain = (compressMetadata ? 0 : MODE.compressMetadata) | (compressSignalIndexCache ? 0 : MODE.compressCache)
  return ((MODES[encoding] & ~MODE.version & ~plain) | version) >>> 0
}

/** Checks what a caller gives; TypeScript's types do not hold at run time. */
export function checkedSubscription(filterExpression: string, settings: SubscriptionSettings): WantedSubscription {
  const numbers = ['publishInterval', 'lagTime', 'leadTime'] as const
  for (const name of numbers) {
    const value = settings[name]
    if (value !== undefined && !Number.isFinite(value)) wrong(name, value)
  }
  const { encoding, processingInterval } = settings
  if (encoding !== undefined && !Object.hasOwn(MODES, encoding)) wrong('encoding', encoding)
  if (processingInterval !== undefined && processingInterval !== (processingInterval | 0)) {
    wrong('processingInterval', processingInterval)
  }
  extraSettings(settings.extraConnectionStringParameters)
  const { udpPort, udpInterface, udpGroup } = settings
  if (udpPort !== undefined && !(Number.isInteger(udpPort) && udpPort >= 0 && udpPort <= 65_535))
    wrong('udpPort', udpPort)
  if (udpInterface !== undefined && isIP(udpInterface) === 0) wrong('udpInterface', udpInterface)
  if (udpGroup !== undefined && !isMulticast(udpGroup)) wrong('udpGroup', udpGroup)
  if (udpGroup !== undefined && !udpPort) {
    throw sttpError('ERR_STTP_SUBSCRIPTION_OPTION', 'a group needs the udpPort on which all of its receivers listen')
  }
  if (udpPort !== undefined && encoding === 'tssc') {
    throw sttpError('ERR_STTP_SUBSCRIPTION_OPTION', 'tssc cannot go by UDP, where datagrams are lost: use compact')
  }
  if (typeof filterExpression !== 'string') wrong('filterExpression', filterExpression)
  return { filterExpression, settings }
}

/** What is sent for it; `udpPort` is the one that is listened on. */
export function wireSubscription(
  { settings }: WantedSubscription,
  filterExpression: string,
  udpPort?: number,
): SttpSubscription {
  const named = {
    throttled: settings.throttled,
    publishInterval: settings.publishInterval,
    includeTime: settings.includeTime,
    enableTimeReasonabilityCheck: settings.enableTimeReasonabilityCheck ?? false,
    lagTime: settings.lagTime,
    leadTime: settings.leadTime,
    useLocalClockAsRealTime: settings.useLocalClockAsRealTime,
    useMillisecondResolution: settings.useMillisecondResolution,
    requestNanValueFilter: settings.requestNaNValueFilter,
    processingInterval: settings.processingInterval,
    startTimeConstraint: settings.startTime,
    stopTimeConstraint: settings.stopTime,
    timeConstraintParameters: settings.constraintParameters,
    other: extraSettings(settings.extraConnectionStringParameters),
    dataChannel: udpPort,
    dataChannelGroup: settings.udpGroup,
  }
  const given = Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined))
  return { ...given, ...assembly(), filterExpression }
}

/** Names and values in turn of `name=value; other=value`. */
function extraSettings(text: string | undefined): string[] | undefined {
  if (text === undefined || text.trim() === '') return undefined
  return text
    .split(';')
    .filter((setting) => setting.trim() !== '')
    .flatMap((setting) => {
      const [, name, value] = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/.exec(setting) ?? []
      return name === undefined ? wrong('extraConnectionStringParameters', text) : [name, value as string]
    })
}

/** Whether what was is asked for, and not what is published now. */
export function isHistorical(wanted: WantedSubscription | undefined): boolean {
  return Boolean(wanted?.settings.startTime) || Boolean(wanted?.settings.stopTime)
}

/** A limit of a historical subscription as every implementation reads it, in UTC; the time is ns since 1970-01-01 UTC. */
export function constraintText(time: bigint): string {
  const ms = new Date(Number(time / 1_000_000n - (time % 1_000_000n < 0n ? 1n : 0n))).toISOString()
  const ticks = ((((time % 1_000_000n) + 1_000_000n) % 1_000_000n) / 100n).toString().padStart(4, '0')
  return `${ms.slice(0, 10)} ${ms.slice(11, 23)}${ticks}`
}

/** Whether an address is that of a group: 224.0.0.0/4, or ff00::/8. */
function isMulticast(address: string): boolean {
  if (isIPv4(address)) return Number(address.split('.')[0]) >> 4 === 14
  return isIPv6(address) && /^ff/i.test(address)
}

/** How this program names itself to publishers. */
function assembly(): { readonly source: string; readonly version: string } {
  packageVersion ??= (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as Package)
    .version
  return { source: 'measurand', version: packageVersion }
}

interface Package {
  readonly version: string
}

let packageVersion: string | undefined

const STATEMENT = {
  guid: /^[{']?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})[}']?$/i,
  key: /^([^\s:'";]+:\d+)$/,
  tag: /^"([^"]+)"$/,
} as const

/**
 * A filter of several statements as one: sttpapi's publisher cuts the connection string at every semicolon. Signals by
 * GUID, measurement key or point tag can be joined; what cannot is left as it is.
 */
export function joinedStatements(filterExpression: string): string {
  const statements = filterExpression
    .split(';')
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '')
  if (statements.length === 1) return statements[0] as string
  const found: Record<keyof typeof STATEMENT, string[]> = { guid: [], key: [], tag: [] }
  for (const statement of statements) {
    const kind = (Object.keys(STATEMENT) as (keyof typeof STATEMENT)[]).find((kind) => STATEMENT[kind].test(statement))
    if (kind === undefined) return filterExpression
    found[kind].push((STATEMENT[kind].exec(statement) as RegExpExecArray)[1] as string)
  }
  const list = (column: string, texts: string[]): string[] =>
    texts.length === 0 ? [] : [`${column} IN (${texts.map((text) => `'${text.replaceAll("'", "''")}'`).join(', ')})`]
  const parts = [...list('SignalID', found.guid), ...list('ID', found.key), ...list('PointTag', found.tag)]
  return parts.length === 0 ? filterExpression : `FILTER ActiveMeasurements WHERE ${parts.join(' OR ')}`
}

function wrong(name: string, value: unknown): never {
  throw sttpError('ERR_STTP_SUBSCRIPTION_OPTION', `${name} cannot be ${String(value)}`)
}
