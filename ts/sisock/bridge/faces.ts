import type { Annotation, BridgeBackend } from './backend.js'
import { DASHBOARDS, dashboard } from './dashboards.js'
import { type Query, runQuery, type Series } from './query.js'
import { ANNOTATIONS, allTargets, matchingTargets, readTargets } from './targets.js'

/** What came by HTTP. */
export interface BridgeRequest {
  readonly query: URLSearchParams
  /** The parsed body, or an empty object. */
  readonly body: Readonly<Record<string, unknown>>
  /** Under which host and port the bridge was reached. */
  readonly host: string
}

/** A route: gives what is to be sent as JSON. */
export type Route = (backend: BridgeBackend, request: BridgeRequest) => Promise<unknown>

/** A request that cannot be answered, with its HTTP status. */
export class BridgeError extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** What a panel wants of a target. */
interface Wanted {
  readonly refId: string
  /** Whether it is simpod JSON that asks: Grafana takes `datapoints` for numbers there, whatever they are. */
  readonly isTyped: boolean
}

/** Grafana's range and what it asks for in it, of SimpleJson and of the simpod plugin. */
function panelQuery(body: BridgeRequest['body']): {
  window: Omit<Query, 'targets'>
  refs: ReadonlyMap<string, Wanted>
} {
  const { range, targets: wanted, intervalMs, interval, maxDataPoints } = body
  const { from, to } = (range ?? {}) as { from?: unknown; to?: unknown }
  const refs = new Map<string, Wanted>()
  for (const one of Array.isArray(wanted) ? wanted : []) {
    const { target, refId = '', hide, payload } = (one ?? {}) as Readonly<Record<string, unknown>>
    if (typeof target !== 'string' || target === '' || hide === true) continue
    refs.set(target, { refId: String(refId), isTyped: payload !== undefined })
  }
  const ms = typeof intervalMs === 'number' ? intervalMs : intervalOf(interval)
  return {
    refs,
    window: {
      from: timeOf(from, 'range.from'),
      to: timeOf(to, 'range.to'),
      ...(ms === undefined ? {} : { intervalMs: ms }),
      ...(typeof maxDataPoints === 'number' ? { maxDataPoints } : {}),
    },
  }
}

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  M: 2_592_000_000,
  y: 31_536_000_000,
}

/** ms of `30s`, `500ms`, `1w`. */
export function intervalOf(interval: unknown): number | undefined {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)(ms|[smhdwMy])$/.exec(String(interval ?? '')) ?? []
  return number === undefined ? undefined : Number(number) * (UNITS[unit] as number)
}

/** ms since 1970 of an ISO time, or of a number of ms. */
function timeOf(value: unknown, name: string): number {
  const text = String(value ?? '')
  const time = /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : Date.parse(text)
  if (Number.isFinite(time)) return time
  throw new BridgeError(400, `${name} is no time: ${text}`)
}

function datapoints({ times, values }: Series): [unknown, number][] {
  const points: [unknown, number][] = new Array(times.length)
  for (let row = 0; row < times.length; row++) {
    const value = values[row]
    points[row] = [typeof value === 'number' && !Number.isFinite(value) ? null : value, times[row] as number]
  }
  return points
}

const panel: Route = async (backend, { body }) => {
  const { window, refs } = panelQuery(body)
  const asked = await readTargets(
    backend,
    [...refs.keys()].filter((text) => text !== ANNOTATIONS),
  )
  const targets = [...new Set([...asked.values()].flat())]
  const found = new Map((await runQuery(backend, { ...window, targets })).map((one) => [one.target, one]))
  const series = Array.from(asked, ([text, list]) =>
    list.map((target) => entryOf(found.get(target) as Series, refs.get(text) as Wanted)),
  )
  const marks = refs.get(ANNOTATIONS)
  return marks === undefined ? series.flat() : [...series.flat(), await annotationTable(backend, window, marks.refId)]
}

function entryOf(one: Series, { refId, isTyped }: Wanted): object {
  const { target, values, error } = one
  const first = values instanceof Float64Array ? 0 : (values as readonly unknown[]).find((value) => value !== null)
  const type = typeof first
  if (isTyped && (type === 'string' || type === 'boolean')) {
    const rows = datapoints(one).map(([value, time]) => [time, value])
    return {
      type: 'table',
      refId,
      columns: [
        { text: 'Time', type: 'time' },
        { text: target, type },
      ],
      rows,
    }
  }
  return { target, refId, datapoints: datapoints(one), ...(error === undefined ? {} : { error }) }
}

/** Annotations as a table, which Grafana reads by the names of its columns. */
async function annotationTable(backend: BridgeBackend, { from, to }: { from: number; to: number }, refId: string) {
  const found = await backend.annotations(from, to)
  return {
    type: 'table',
    refId,
    columns: [
      { text: 'time', type: 'time' },
      { text: 'timeEnd', type: 'time' },
      ...['title', 'text', 'tags'].map((text) => ({ text, type: 'string' })),
    ],
    rows: found.map(({ time, timeEnd, title, text, tags }) => [time, timeEnd ?? time, title, text, tags.join(',')]),
  }
}

async function annotationsOf(backend: BridgeBackend, from: unknown, to: unknown): Promise<readonly Annotation[]> {
  return backend.annotations(timeOf(from ?? 0, 'from'), timeOf(to ?? Number.MAX_SAFE_INTEGER, 'to'))
}

const annotations: Route = async (backend, { body }) => {
  const { range, annotation } = body as { range?: { from?: unknown; to?: unknown }; annotation?: unknown }
  const found = await annotationsOf(backend, range?.from, range?.to)
  return found.map((one) => ({ ...one, ...(annotation === undefined ? {} : { annotation }) }))
}

/** The legacy face: SimpleJson, sisock-json-datasource. */
const SIMPLE_JSON: Readonly<Record<string, Route>> = {
  '/search': (backend, { body }) => matchingTargets(backend, body['target']),
  '/query': panel,
  '/annotations': annotations,
  '/tag-keys': async () => [{ type: 'string', text: 'node' }],
  '/tag-values': async (backend) => (await backend.nodes()).map(({ name }) => ({ text: name })),
}

/** The face of simpod-json-datasource; its `/query` is that above. */
const SIMPOD: Readonly<Record<string, Route>> = {
  '/metrics': async (backend, { body }) =>
    (await matchingTargets(backend, body['metric'])).map((target) => ({ label: target, value: target, payloads: [] })),
  '/metric-payload-options': async () => [],
  '/variable': async (backend, { body }) => {
    const { payload } = body as { payload?: { target?: unknown } }
    return (await matchingTargets(backend, payload?.target)).map((target) => ({ __text: target, __value: target }))
  },
}

/** The face for Infinity, and for everybody who can GET. */
const API: Readonly<Record<string, Route>> = {
  '/api/nodes': (backend) => backend.nodes() as Promise<unknown>,
  '/api/fields': async (backend, { query }) => {
    const node = query.get('node')
    if (node === null) throw new BridgeError(400, 'which node? /api/fields?node=NAME')
    const [fields] = await backend.fields(node)
    return Object.entries(fields).map(([name, info]) => ({ target: `${node}::${name}`, name, ...info }))
  },
  '/api/data': async (backend, { query }) => {
    const wanted = [...new Set([...(await readTargets(backend, query.getAll('target'))).values()].flat())]
    if (wanted.length === 0) throw new BridgeError(400, 'which target? /api/data?target=NODE::FIELD&from=MS&to=MS')
    const number = (name: string): number | undefined => {
      const text = query.get(name)
      return text === null || text === '' || !Number.isFinite(Number(text)) ? undefined : Number(text)
    }
    const [intervalMs, maxDataPoints] = [number('intervalMs'), number('maxDataPoints')]
    const series = await runQuery(backend, {
      targets: wanted,
      from: timeOf(query.get('from'), 'from'),
      to: timeOf(query.get('to'), 'to'),
      ...(intervalMs === undefined ? {} : { intervalMs }),
      ...(maxDataPoints === undefined ? {} : { maxDataPoints }),
    })
    if (wanted.length === 1 && series[0]?.error !== undefined) throw new BridgeError(404, series[0].error)
    return query.get('shape') === 'long' ? longRows(series) : rows(series)
  },
  '/api/targets': async (backend) => (await allTargets(backend)).map((target) => ({ text: target, value: target })),
  '/api/span': async (backend) => (await backend.span?.()) ?? null,
  '/api/annotations': async (backend, { query }) => annotationsOf(backend, query.get('from'), query.get('to')),
}

/** One row a time, with the targets as columns. */
function rows(series: readonly Series[]): Record<string, unknown>[] {
  const table = new Map<number, Record<string, unknown>>()
  for (const one of series) {
    for (const [value, time] of datapoints(one)) {
      const row = table.get(time) ?? { time }
      row[one.target] = value
      table.set(time, row)
    }
  }
  return [...table.values()].sort((left, right) => (left['time'] as number) - (right['time'] as number))
}

/** One row a sample: for whoever cannot know the names of columns beforehand. */
function longRows(series: readonly Series[]): Record<string, unknown>[] {
  return series.flatMap((one) => datapoints(one).map(([value, time]) => ({ time, target: one.target, value })))
}

/** Ready dashboards; the data source Infinity asks where the request went to. */
const READY: Readonly<Record<string, Route>> = Object.fromEntries(
  DASHBOARDS.map((name) => [
    `/dashboards/${name}.json`,
    async (_: BridgeBackend, { host }: BridgeRequest) => dashboard(name, `http://${host}`),
  ]),
)

/** Routes by path. */
export const ROUTES: Readonly<Record<string, Route>> = { ...SIMPLE_JSON, ...SIMPOD, ...API, ...READY }
