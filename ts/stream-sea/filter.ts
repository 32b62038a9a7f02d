/** An expression of the filter language of tokens (FDSL). */
export type Filter =
  | { readonly t: 'string'; readonly e: string }
  | { readonly t: 'number'; readonly e: number }
  | { readonly t: 'bool'; readonly e: boolean }
  | { readonly t: 'null' }
  /** A path into the message: `$.a.b`, `a.b`, `a[0].b`. */
  | { readonly t: 'path'; readonly e: string }
  /** What is known of the message beside its payload. */
  | { readonly t: 'meta'; readonly e: 'streamName' }
  | { readonly t: 'eq'; readonly e: readonly [Filter, Filter] }
  | { readonly t: 'and'; readonly e: readonly Filter[] }
  | { readonly t: 'or'; readonly e: readonly Filter[] }
  | { readonly t: 'not'; readonly e: Filter | readonly [Filter] }

const MAX_DEPTH = 32
const MAX_NODES = 1000

/** Whether a value is an expression that can be evaluated. */
export function isFilter(value: unknown): value is Filter {
  let nodes = 0
  const known = (node: unknown, depth: number): boolean => {
    if (typeof node !== 'object' || node === null || depth > MAX_DEPTH || ++nodes > MAX_NODES) return false
    const { t, e } = node as { t?: unknown; e?: unknown }
    const list = (items: unknown): boolean => Array.isArray(items) && items.every((item) => known(item, depth + 1))
    switch (t) {
      case 'string':
        return typeof e === 'string'
      case 'number':
        return typeof e === 'number'
      case 'bool':
        return typeof e === 'boolean'
      case 'null':
        return true
      case 'path':
        return typeof e === 'string' && pathSteps(e) !== undefined
      case 'meta':
        return e === 'streamName'
      case 'eq':
        return list(e) && (e as unknown[]).length === 2
      case 'and':
      case 'or':
        return list(e)
      case 'not':
        return Array.isArray(e) ? e.length === 1 && list(e) : known(e, depth + 1)
      default:
        return false
    }
  }
  return known(value, 0)
}

/** Whether a message passes; one that cannot be evaluated does not. */
export function passes(filter: Filter, message: unknown, streamName: string): boolean {
  return Boolean(evaluate(filter, message, streamName))
}

function evaluate(node: Filter, message: unknown, streamName: string): unknown {
  switch (node.t) {
    case 'string':
    case 'number':
    case 'bool':
      return node.e
    case 'null':
      return null
    case 'path':
      return follow(message, pathSteps(node.e) ?? [])
    case 'meta':
      return streamName
    case 'eq':
      return evaluate(node.e[0], message, streamName) === evaluate(node.e[1], message, streamName)
    case 'and':
      return node.e.every((part) => evaluate(part, message, streamName))
    case 'or':
      return node.e.some((part) => evaluate(part, message, streamName))
    case 'not': {
      const inner = Array.isArray(node.e) ? node.e[0] : node.e
      return !evaluate(inner as Filter, message, streamName)
    }
  }
}

/** The steps of a path, or undefined where it is none. */
function pathSteps(path: string): (string | number)[] | undefined {
  const text = path.startsWith('$') ? path.slice(1) : `.${path}`
  if (!/^(\.[^.[\]]+|\[\d{1,9}\]|\['[^']*'\])*$/.test(text)) return undefined
  const steps: (string | number)[] = []
  for (const [, name, index, quoted] of text.matchAll(/\.([^.[\]]+)|\[(\d+)\]|\['([^']*)'\]/g)) {
    steps.push(index === undefined ? (name ?? quoted ?? '') : Number(index))
  }
  return steps
}

function follow(value: unknown, steps: readonly (string | number)[]): unknown {
  let place = value
  for (const step of steps) {
    if (typeof place !== 'object' || place === null || !Object.hasOwn(place, step)) return undefined
    place = (place as Record<string | number, unknown>)[step]
  }
  return place
}
