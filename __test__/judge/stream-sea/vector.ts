import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface HttpEvent {
  readonly kind: 'http'
  readonly request: {
    readonly method: string
    readonly path: string
    readonly rawHeaders: readonly (readonly [string, string])[]
    readonly bodyBase64: string
    readonly bodyJson?: Record<string, unknown>
  }
  readonly response: { readonly status: number; readonly json: Record<string, unknown> }
}

export interface TextEvent {
  readonly kind: 'ws-recv' | 'ws-send'
  readonly conn: number | 'all'
  readonly text: string
}

export interface OtherEvent {
  readonly kind: 'ws-open' | 'ws-close' | 'ws-ping' | 'ws-pong' | 'ws-client-ping'
  readonly conn: number
  readonly code?: number
}

export type VectorEvent = HttpEvent | TextEvent | OtherEvent

/** An exchange recorded with a real client. */
export interface Vector {
  readonly client: string
  readonly scenario: string
  readonly events: readonly VectorEvent[]
  /** What the recorded client's caller got. */
  readonly clientSaw?: readonly { readonly raised?: string }[]
}

export function vectors(folder: string): Vector[] {
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'))
  return files.sort().map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Vector)
}

/** The client that every recording used. */
export const CLIENT = { clientId: 'app123', clientSecret: '01234567890123456789', jail: 'main' }

/** Fields that are made anew each time. */
const DRAWN = new Set(['newClientSecret', 'secret', 'groupId'])

/** Two values as JSON with sorted keys; drawn fields are only there. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (key, inner) => {
    if (DRAWN.has(key)) return typeof inner
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}

export function expectEqual(what: string, actual: unknown, expected: unknown): void {
  const [left, right] = [canonical(actual), canonical(expected)]
  if (left !== right) throw new Error(`${what}: ${left} instead of ${right}`)
}

/** What is to come in time; a promise that does not settle is a failure, not a hang. */
export async function within<T>(what: string, promise: Promise<T>, ms = 20_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
