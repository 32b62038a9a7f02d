import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Batch } from '../batch/index.js'
import { type Clock, type Sink, type Source, type StatusEvent, systemClock } from '../session/index.js'
import { type Assets, loadAssets, PAGE_HEADERS } from './assets.js'
import { viewError } from './error-codes.js'
import { Fields } from './fields.js'
import { HTML, SCRIPT } from './html.js'
import { LastRows } from './last-rows.js'
import type { LookMessage, RowsMessage, SourceMessage, StatsMessage } from './messages.js'
import { MinMax } from './min-max.js'
import { pointsOf, textLines } from './points.js'

/** What a view can be given. */
export interface ViewOptions {
  /** The port of the page; a free one unless told. */
  readonly port?: number
  readonly clock?: Clock
}

const HOST = '127.0.0.1'
const STATS_MS = 500
const FRAME_MS = 50
/** Bytes that may wait for a page: a slow one gets fewer pixels, never a queue. */
const BEHIND = 1 << 20
const SIGNALS = 64
const LOOK_BYTES = 64 * 1024
/** Events and records that are read in a frame, the newest: parsing all of a fast stream would hold up its source. */
const ROWS = { looked: 500, unlooked: 5 }

interface Page {
  readonly socket: WebSocket
  look: MinMax | undefined
}

/**
 * A live page of one source on 127.0.0.1: scrolling traces, the least and greatest value of every pixel, the newest
 * events, records and texts, what is lost. Numbers in events are traces too.
 *
 * ```ts
 * const view = await View.open(source, { port: 8000 })
 * console.log(view.url)
 * for await (const batch of source) view.write(batch)
 * ```
 *
 * As a sink it takes batches of the source; `besides(sink)` shows what another sink stores.
 */
export class View implements Sink {
  stored = 0
  readonly #source: Source
  readonly #clock: Clock
  readonly #server: Server
  readonly #sockets: WebSocketServer
  readonly #pages = new Set<Page>()
  readonly #assets: Assets
  readonly #timers: NodeJS.Timeout[]
  readonly #stopStatus: () => void
  readonly #fields = new Fields()
  readonly #rows = new LastRows()
  readonly #looked: Promise<void>
  #onLook: () => void = () => {}
  #state = 'connected'
  #signals = -1
  #budget = ROWS.unlooked
  #received = 0

  private constructor(source: Source, assets: Assets, clock: Clock) {
    this.#source = source
    this.#assets = assets
    this.#clock = clock
    this.#looked = new Promise((resolve) => {
      this.#onLook = resolve
    })
    this.#server = createServer((request, response) => this.#answer(request, response))
    this.#sockets = new WebSocketServer({
      server: this.#server,
      path: '/stream',
      maxPayload: LOOK_BYTES,
      verifyClient: ({ req }: { req: IncomingMessage }) => isLocal(req),
    })
    this.#sockets.on('connection', (socket) => this.#welcome(socket))
    this.#stopStatus = source.status.on(({ state }: StatusEvent) => {
      if (STATES.has(state)) this.#state = state
    })
    this.#timers = [setInterval(() => this.#tellStats(), STATS_MS), setInterval(() => this.#draw(), FRAME_MS)]
    for (const timer of this.#timers) timer.unref()
  }

  /** Opens the page of a source. */
  static async open(source: Source, { port = 0, clock = systemClock }: ViewOptions = {}): Promise<View> {
    const view = new View(source, await loadAssets(HTML, SCRIPT), clock)
    await new Promise<void>((resolve, reject) => {
      view.#server.once('error', (cause) =>
        reject(viewError('ERR_VIEW_ADDRESS', `${HOST}:${port}: ${(cause as Error).message}`, { cause })),
      )
      view.#server.listen(port, HOST, resolve)
    })
    return view
  }

  /** Where the page is. */
  get url(): string {
    return `http://${HOST}:${(this.#server.address() as { port: number }).port}/`
  }

  /** Pages that look. */
  get pages(): number {
    return this.#pages.size
  }

  write(batch: Batch): void {
    this.count(batch)
    this.show(batch)
  }

  /** Counts a batch as stored. */
  count(batch: Batch): void {
    this.stored += this.#source.countOf(batch)
  }

  /** Shows rows `from` to `to` of a batch. */
  show(batch: Batch, from = 0, to = batch.length): void {
    const now = Number(this.#clock.now() / 1_000_000n)
    if (batch.table !== 'measurement') {
      this.#showRows(batch, from, to, now)
      return
    }
    if (this.#pages.size === 0) return
    const points = pointsOf(batch)
    for (const { look } of this.#pages) look?.add(points, now, from, to)
    const nameOf = (row: number): string => this.#source.signals.at(row)?.name ?? String(row)
    for (const line of textLines(points, nameOf, now)) this.#rows.push(line)
  }

  /** Resolves when the first page looks, or the signal aborts. */
  looked(signal?: AbortSignal): Promise<void> {
    if (signal === undefined) return this.#looked
    if (signal.aborted) return Promise.resolve()
    const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    return Promise.race([this.#looked, aborted])
  }

  /** A sink that gives every batch to another one and shows it. */
  besides(sink: Sink): Sink {
    const show = (batch: Batch): void => this.write(batch)
    return {
      get stored() {
        return sink.stored
      },
      write(batch, source) {
        show(batch)
        return sink.write(batch, source)
      },
      close: () => sink.close(),
    }
  }

  async close(): Promise<void> {
    this.#draw()
    this.#tellStats()
    for (const timer of this.#timers) clearInterval(timer)
    this.#stopStatus()
    for (const { socket } of this.#pages) socket.close(1001)
    this.#sockets.close()
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const asset = this.#assets.get(request.url ?? '')
    if (!isLocal(request) || request.method !== 'GET' || asset === undefined) {
      response.writeHead(isLocal(request) ? 404 : 403).end()
      return
    }
    const [type, body] = asset
    response.writeHead(200, { ...PAGE_HEADERS, 'content-type': type })
    response.end(body)
  }

  #welcome(socket: WebSocket): void {
    const page: Page = { socket, look: undefined }
    this.#pages.add(page)
    socket.on('close', () => this.#pages.delete(page))
    socket.on('error', () => socket.terminate())
    socket.on('message', (data, isBinary) => {
      const look = isBinary ? undefined : readLook(String(data))
      if (look === undefined) socket.close(1003)
      else {
        page.look = new MinMax(look.signals, look.bucketMs)
        this.#onLook()
      }
    })
    socket.send(JSON.stringify(this.#sourceMessage()))
    socket.send(JSON.stringify(this.#statsMessage()))
    if (this.#rows.all.length > 0) socket.send(JSON.stringify({ type: 'rows', rows: this.#rows.all }))
  }

  /** Shows the newest events or records, as many as a frame may have. */
  #showRows(batch: Batch, from: number, to: number, now: number): void {
    const rows = Math.min(this.#budget, to - from)
    if (rows <= 0) return
    this.#budget -= rows
    const put = (id: number, time: number, value: number): void => {
      for (const { look } of this.#pages) look?.put(id, time, value)
    }
    // A source with signals makes measurements of its rows itself.
    const isMade = this.#source.signals.length > 0
    for (const line of this.#fields.read(batch, to - rows, to, now, isMade ? undefined : put)) this.#rows.push(line)
  }

  #draw(): void {
    this.#budget = this.#pages.size === 0 ? ROWS.unlooked : ROWS.looked
    const rows = this.#rows.take()
    const message: RowsMessage = { type: 'rows', rows }
    const text = rows.length === 0 ? '' : JSON.stringify(message)
    for (const { socket, look } of this.#pages) {
      if (look === undefined || socket.bufferedAmount > BEHIND) continue
      if (text !== '') socket.send(text)
      const pixels = look.take()
      if (pixels !== undefined) socket.send(pixels)
    }
  }

  #tellStats(): void {
    this.#tellRate()
    const signals = this.#source.signals.length + this.#fields.length
    if (this.#signals !== signals) {
      this.#signals = signals
      const message = JSON.stringify(this.#sourceMessage())
      for (const { socket } of this.#pages) socket.send(message)
    }
    const message = JSON.stringify(this.#statsMessage())
    for (const { socket } of this.#pages) if (socket.bufferedAmount < BEHIND) socket.send(message)
  }

  /** A source without signals has at least the trace of its rate. */
  #tellRate(): void {
    const { received } = this.#source.stats
    const rate = ((received - this.#received) * 1000) / STATS_MS
    this.#received = received
    if (this.#source.signals.length > 0) return
    const id = this.#fields.idOf('', 'rows a second')
    const now = Number(this.#clock.now() / 1_000_000n)
    if (id !== undefined) for (const { look } of this.#pages) look?.put(id, now, rate)
  }

  #sourceMessage(): SourceMessage {
    const { name, system, signals } = this.#source
    return {
      type: 'source',
      name,
      system,
      signals: [...signals, ...this.#fields.signals].map(({ id, name, kind, unit, rateHz }) => ({
        id,
        name,
        kind,
        unit,
        rateHz,
      })),
    }
  }

  #statsMessage(): StatsMessage {
    const { stats, ledger } = this.#source
    const { received, lost, dropped, duplicate, recovered, reconnects } = stats
    return {
      type: 'stats',
      state: this.#state,
      received,
      lost,
      dropped,
      duplicate,
      recovered,
      reconnects,
      gaps: ledger.totals.records,
      quirks: this.#source.describe().quirks,
    }
  }
}

const STATES = new Set(['connecting', 'connected', 'reconnecting', 'draining', 'closed'])

/** A page of another site must not read the stream by a name that points here. */
function isLocal({ headers }: IncomingMessage): boolean {
  const host = /^(?:127\.0\.0\.1|localhost)(?::\d+)?$/
  const { origin } = headers
  return host.test(headers.host ?? '') && (origin === undefined || origin === `http://${headers.host}`)
}

function readLook(text: string): LookMessage | undefined {
  try {
    const { type, signals, bucketMs } = JSON.parse(text) as Partial<LookMessage>
    const isList = Array.isArray(signals) && signals.length <= SIGNALS
    const areRows = isList && signals.every((row) => Number.isInteger(row) && row >= 0 && row < 1 << 24)
    if (type !== 'look' || !areRows || typeof bucketMs !== 'number' || !(bucketMs > 0)) return undefined
    return { type, signals, bucketMs }
  } catch {
    return undefined
  }
}
