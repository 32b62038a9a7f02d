import type { SubscribeOptions } from './groups.js'

/** A message of a client on its WebSocket. */
export interface Request {
  readonly id: number
  readonly action: string
  readonly [key: string]: unknown
}

/** Reads a message of a client; undefined where it is none. */
export function parseRequest(data: Buffer): Request | undefined {
  try {
    const { id, action, ...rest } = JSON.parse(data.toString('utf8'))
    return typeof id === 'number' && typeof action === 'string' ? { ...rest, id, action } : undefined
  } catch {
    return undefined
  }
}

/** What a request to subscribe asks for beyond the closed system, or what is wrong with it. */
export function subscribeOptions(request: Request): SubscribeOptions | string {
  const { offsets = false, ack = false, credit, from, ackWithin, maxDeliveries } = request as Record<string, unknown>
  const positive = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0
  const start = (typeof from === 'object' && from !== null ? from : {}) as { offset?: unknown; time?: unknown }
  const offset = Number.isSafeInteger(start.offset) && (start.offset as number) >= 0
  const time = typeof start.time === 'number' && Number.isFinite(start.time)
  if (from !== undefined && from !== 'start' && !offset && !time) return 'from must be "start", {"offset"} or {"time"}'
  if (credit !== undefined && !positive(credit)) return 'credit must be a positive integer'
  if (ackWithin !== undefined && !positive(ackWithin)) return 'ackWithin must be a positive number of ms'
  if (maxDeliveries !== undefined && !positive(maxDeliveries)) return 'maxDeliveries must be a positive integer'
  if (typeof offsets !== 'boolean' || typeof ack !== 'boolean') return 'offsets and ack must be booleans'
  return {
    offsets: offsets || ack,
    acknowledge: ack,
    credit: credit ?? Number.POSITIVE_INFINITY,
    from: from as SubscribeOptions['from'],
    acknowledgeWithin: ackWithin as number | undefined,
    maxDeliveries: maxDeliveries as number | undefined,
  }
}

/** The head of a publish as our client writes it, without reading the payload; undefined says nothing. */
export function publishHead(data: Buffer): Request | undefined {
  if (data.length < 40 || data[1] !== 0x22 || data[2] !== 0x69) return undefined
  const head = /^\{"id":(\d{1,15}),"action":"publish","streamName":"([\w.-]{1,200})","payload":/.exec(
    data.toString('latin1', 0, 280),
  )
  // A key would stand behind the payload or before it; then the whole message is read.
  if (head === null || data.includes('"key"')) return undefined
  return { id: Number(head[1]), action: 'publish', streamName: head[2] as string }
}
