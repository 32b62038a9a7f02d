import type { BridgeBackend } from './backend.js'

/** What simpod JSON asks for where it wants annotations: no node has such a target. */
export const ANNOTATIONS = 'annotations'

/** The node and the field of a target, `node::field`. */
export function splitTarget(target: string): readonly [node: string, field: string] | undefined {
  const at = target.indexOf('::')
  return at <= 0 || at + 2 >= target.length ? undefined : [target.slice(0, at), target.slice(at + 2)]
}

/** Every target that there is. A node that does not answer is left out. */
export async function allTargets(backend: BridgeBackend): Promise<string[]> {
  const nodes = await backend.nodes()
  const fields = await Promise.all(
    nodes.map(async ({ name }) => {
      try {
        const [known] = await backend.fields(name)
        return Object.keys(known).map((field) => `${name}::${field}`)
      } catch {
        return []
      }
    }),
  )
  return fields.flat()
}

/** The targets with a text in them. */
export async function matchingTargets(backend: BridgeBackend, text: unknown): Promise<string[]> {
  const all = await allTargets(backend)
  if (typeof text !== 'string' || text === '') return all
  const wanted = text.toLowerCase()
  return all.filter((target) => target.toLowerCase().includes(wanted))
}

/** The targets of each text. What belongs to a list may be a name's own: the whole text is looked for first. */
export async function readTargets(
  backend: BridgeBackend,
  texts: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const read = new Map(texts.map((text) => [text, listOf(text)]))
  if ([...read].every(([text, [first]]) => text === first)) return read
  const all = new Set(await allTargets(backend))
  return new Map(Array.from(read, ([text, list]) => [text, all.has(text) ? [text] : list]))
}

/**
 * The values of a variable as Grafana writes them in a text: `a,b`, `{a,b}` (glob), or as a pattern, `(a|b)` with `\`
 * in front of every sign that means something there, as SimpleJson and simpod JSON ask for it.
 */
function listOf(text: string): readonly string[] {
  const [, glob] = /^\{(.*)\}$/.exec(text) ?? []
  if (glob !== undefined) return glob.split(',')
  const [, pattern] = /^\((.*)\)$/.exec(text) ?? []
  if (pattern !== undefined) return pattern.split(/(?<!\\)\|/).map(withoutEscapes)
  return text.includes('\\') ? [withoutEscapes(text)] : text.split(',')
}

function withoutEscapes(text: string): string {
  return text.replace(/\\([^A-Za-z0-9\s])/g, '$1')
}
