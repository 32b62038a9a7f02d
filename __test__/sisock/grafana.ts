/** What Grafana and its plugins make of a dashboard before they ask: variables filled in, requests of their shape. */

export interface Dashboard {
  readonly panels: readonly { readonly targets: readonly Target[] }[]
  readonly annotations: { readonly list: readonly { readonly target: Target }[] }
  readonly templating: { readonly list: readonly Variable[] }
}

export interface Target {
  readonly refId: string
  /** Of Infinity. */
  readonly url?: string
  readonly columns?: readonly { readonly selector: string; readonly type: string }[]
  /** Of simpod JSON. */
  readonly target?: string
  readonly payload?: object
}

interface Variable {
  readonly name: string
  readonly query: string | { readonly infinityQuery?: Target; readonly query?: string; readonly format?: string }
}

type Values = Readonly<Record<string, string | readonly string[]>>
type Format = 'glob' | 'regex' | 'percentencode'

const escaped = (text: string): string => text.replace(/[\\^$*+?.()|[\]{}/]/g, '\\$&')

function formatted(value: string | readonly string[], format: Format): string {
  const list = typeof value === 'string' ? [value] : value
  if (format === 'regex') return list.length === 1 ? escaped(list[0] as string) : `(${list.map(escaped).join('|')})`
  const glob = list.length === 1 ? (list[0] as string) : `{${list.join(',')}}`
  return format === 'glob' ? glob : encodeURIComponent(glob)
}

/** A text with its variables filled in: `$name`, `${name}`, `${name:format}`. A variable that nobody knows stays. */
export function filledIn(text: string, values: Values, otherwise: Format): string {
  return text.replace(/\$(\w+)|\$\{(\w+)(?::(\w+))?\}/g, (match, plain, braced, format) => {
    const value = values[plain ?? braced]
    return value === undefined ? match : formatted(value, (format as Format | undefined) ?? otherwise)
  })
}

/** What every query is told of its window. */
export interface Window {
  /** ms since 1970. */
  readonly from: number
  readonly to: number
  readonly intervalMs: number
  readonly maxDataPoints: number
}

/** Infinity asks by a URL, into which variables go as globs. */
export function infinityUrl({ url = '' }: Target, window: Window, values: Values): string {
  const own = {
    __from: String(window.from),
    __to: String(window.to),
    __interval_ms: String(window.intervalMs),
    __maxDataPoints: String(window.maxDataPoints),
  }
  return filledIn(url, { ...own, ...values }, 'glob')
}

/** The body that simpod JSON posts to `/query`, with variables as patterns. Targets without a `target` are left out. */
export function simpodQuery(
  targets: readonly Target[],
  { from, to, intervalMs, maxDataPoints }: Window,
  values: Values,
) {
  const range = { from: new Date(from).toISOString(), to: new Date(to).toISOString() }
  const rangeRaw = { from: 'now-1h', to: 'now' }
  return {
    app: 'dashboard',
    requestId: 'SQR101',
    timezone: 'utc',
    panelId: 1,
    range: { ...range, raw: rangeRaw },
    rangeRaw,
    interval: `${intervalMs / 1000}s`,
    intervalMs,
    maxDataPoints,
    targets: targets
      .filter(({ target }) => target !== undefined)
      .map(({ target = '', ...rest }) => ({ ...rest, target: filledIn(target, values, 'regex') })),
    scopedVars: { __interval_ms: { text: intervalMs, value: intervalMs } },
    filters: [],
    startTime: to,
  }
}
