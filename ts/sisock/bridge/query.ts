import type { FieldsReply } from '../data.js'
import type { Values } from '../data-reader.js'
import { extremeRows, pick, strideRows } from '../min-stride.js'
import type { BridgeBackend } from './backend.js'
import { splitTarget } from './targets.js'

/** What is asked for in a window. */
export interface Query {
  /** `node::field`. */
  readonly targets: readonly string[]
  /** ms since 1970. */
  readonly from: number
  readonly to: number
  /** The least distance of points, ms. */
  readonly intervalMs?: number
  readonly maxDataPoints?: number
}

/** The points of a target; none where it cannot be had. */
export interface Series {
  readonly target: string
  readonly unit: string | null
  /** ms since 1970. */
  readonly times: Float64Array
  readonly values: Values
  /** Why there are none. */
  readonly error?: string
}

const NOTHING = new Float64Array(0)

/** The least distance of points, s: what is asked, or what the number of points demands. */
export function strideOf({ from, to, intervalMs, maxDataPoints }: Query): number | null {
  const byInterval = intervalMs !== undefined && intervalMs > 0 ? intervalMs / 1000 : 0
  const byPoints = maxDataPoints !== undefined && maxDataPoints > 0 ? (to - from) / 1000 / maxDataPoints : 0
  const stride = Math.max(byInterval, byPoints)
  return stride > 0 ? stride : null
}

/**
 * Asks every node once, all at the same time. A target that cannot be had is empty and says why; the others of the panel
 * are not touched by it.
 */
export async function runQuery(backend: BridgeBackend, query: Query): Promise<Series[]> {
  const byNode = new Map<string, Set<string>>()
  for (const target of query.targets) {
    const parts = splitTarget(target)
    if (parts === undefined) continue
    const [node, field] = parts
    const fields = byNode.get(node) ?? new Set()
    byNode.set(node, fields.add(field))
  }
  const minStride = strideOf(query)
  const answers = new Map<string, { series(field: string): Omit<Series, 'target'> } | Error>()
  await Promise.all(
    Array.from(byNode, async ([node, fields]) => {
      try {
        const [known] = await backend.fields(node)
        const result = await backend.data(node, [...fields], query.from / 1000, query.to / 1000, minStride)
        answers.set(node, { series: (field) => seriesOf(field, known, result, query) })
      } catch (error) {
        answers.set(node, error as Error)
      }
    }),
  )
  return query.targets.map((target) => {
    const empty = { target, unit: null, times: NOTHING, values: [] }
    const parts = splitTarget(target)
    if (parts === undefined) return { ...empty, error: 'a target is node::field' }
    const answer = answers.get(parts[0])
    if (answer === undefined || answer instanceof Error) return { ...empty, error: answer?.message ?? 'no answer' }
    return { target, ...answer.series(parts[1]) }
  })
}

function seriesOf(
  field: string,
  known: FieldsReply[0],
  { data, timeline }: Awaited<ReturnType<BridgeBackend['data']>>,
  query: Query,
): Omit<Series, 'target'> {
  const info = known[field]
  const values = data[field]
  if (info === undefined) return { unit: null, times: NOTHING, values: [], error: `the node has no field ${field}` }
  const t = timeline[info.timeline]?.t
  if (t === undefined || values === undefined || values.length !== t.length)
    return { unit: info.units, times: NOTHING, values: [] }
  // A node that takes no notice of the stride (many do not) is thinned here.
  const limit = query.maxDataPoints ?? Number.POSITIVE_INFINITY
  let rows = strideRows(t, null)
  if (t.length > limit) {
    const span = (query.to - query.from) / 1000
    rows =
      values instanceof Float64Array && limit >= 4
        ? extremeRows(t, values, (2 * span) / limit)
        : strideRows(t, span / limit)
  }
  const times = pick(t, rows)
  return {
    unit: info.units,
    times: times.map((time) => time * 1000),
    values: pick(values as readonly unknown[], rows) as Values,
  }
}
