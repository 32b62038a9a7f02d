import { readFileSync } from 'node:fs'
import type { SttpSubscription } from './codec.js'
import { sttpError } from './error-codes.js'

/** How measurements are packed on the wire. */
export type PayloadEncoding = 'tssc' | 'compact'

/** How a subscription is to be served, beside its filter; what is left out has the protocol's default. */
export interface SubscriptionSettings {
  /** `tssc`, compressed and the default, or `compact`. */
  readonly encoding?: PayloadEncoding
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

/** Bits of the operational modes that a subscriber sends (protocol 2, UTF-8, caches and metadata as gzip). */
const MODES = { compact: 0xc000_0222, tssc: 0xe000_0262 } as const

/** The operational modes of an encoding. */
export function operationalModes(encoding: PayloadEncoding = 'tssc'): number {
  return MODES[encoding]
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
  if (typeof filterExpression !== 'string') wrong('filterExpression', filterExpression)
  return { filterExpression, settings }
}

/** What is sent for it. */
export function wireSubscription(wanted: WantedSubscription, filterExpression: string): SttpSubscription {
  const { settings } = wanted
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
