import { tell } from './diagnostics.js'

/** What a session is doing. */
export type State =
  /** Not started. */
  | 'idle'
  | 'connecting'
  | 'connected'
  | 'listening'
  /** The connection broke; another is tried. */
  | 'reconnecting'
  /** Gives out what it has, takes nothing new. */
  | 'draining'
  | 'closed'

/** Something that a session tells while it runs. */
export interface StatusEvent {
  readonly source: string
  /** A {@link State}, or what happened: `lost`, `malformed`, `paused`, `resumed`, `peer-joined`, `peer-left`, ... */
  readonly state: State | (string & {})
  /** ns since 1970-01-01 UTC. */
  readonly at: bigint
  readonly detail?: Readonly<Record<string, unknown>>
}

const KEPT = 1024

/**
 * The status events of a session, for listeners and for loops. A loop gets the events from its start on and ends with
 * the session; one that does not keep up misses the oldest beyond 1,024.
 *
 * ```ts
 * for await (const { state, detail } of session.status) console.error(state, detail)
 * ```
 */
export class StatusStream implements AsyncIterable<StatusEvent> {
  readonly #source: string
  readonly #now: () => bigint
  readonly #listeners = new Set<(event: StatusEvent) => void>()
  readonly #ends = new Set<() => void>()
  #ended = false

  constructor(source: string, clock: { now(): bigint }) {
    this.#source = source
    this.#now = () => clock.now()
  }

  /** Calls for every event; gives the function that stops it. */
  on(listener: (event: StatusEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Tells an event. */
  emit(state: StatusEvent['state'], detail?: StatusEvent['detail']): void {
    const base = { source: this.#source, state, at: this.#now() }
    const event: StatusEvent = detail === undefined ? base : { ...base, detail }
    tell('status', () => event)
    for (const listener of this.#listeners) listener(event)
  }

  /** Ends every loop. */
  end(): void {
    this.#ended = true
    for (const end of this.#ends) end()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<StatusEvent, void, undefined> {
    const queue: StatusEvent[] = []
    let wake = (): void => {}
    const stop = this.on((event) => {
      if (queue.push(event) > KEPT) queue.shift()
      wake()
    })
    const end = (): void => wake()
    this.#ends.add(end)
    try {
      for (;;) {
        for (let event = queue.shift(); event !== undefined; event = queue.shift()) yield event
        if (this.#ended) return
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    } finally {
      stop()
      this.#ends.delete(end)
    }
  }
}

/** The event as a JSON line has it. */
export function statusJson(event: StatusEvent): Record<string, unknown> {
  return { event: 'status', ...event, at: String(event.at) }
}
