import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { type WebSocket, WebSocketServer } from 'ws'
import { type Batch, MeasurementBatch } from '../batch/index.js'
import { type Clock, type Sink, type Source, type StatusEvent, systemClock } from '../session/index.js'
import { viewError } from './error-codes.js'
import { HTML, SCRIPT } from './html.js'
import type { LookMessage, SourceMessage, StatsMessage } from './messages.js'
import { MinMax } from './min-max.js'

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

type Assets = ReadonlyMap<string, readonly [type: string, body: string | Buffer]>

interface Page {
  readonly socket: WebSocket
  look: MinMax | undefined
}

/**
 * A live page of one source on 127.0.0.1: scrolling traces, the least and greatest value of every pixel, what is lost.
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
  #state = 'connected'
  #signals = -1

  private constructor(source: Source, assets: Assets, clock: Clock) {
    this.#source = source
    this.#assets = assets
    this.#clock = clock
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
    const view = new View(source, await loadAssets(), clock)
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
    this.stored += batch.length
    if (!(batch instanceof MeasurementBatch) || this.#pages.size === 0) return
    const now = Number(this.#clock.now() / 1_000_000n)
    for (const { look } of this.#pages) look?.add(batch, now)
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
    response.writeHead(200, {
      'content-type': type,
      'cache-control': 'no-store',
      'content-security-policy':
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src data:",
      'x-content-type-options': 'nosniff',
    })
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
      else page.look = new MinMax(look.signals, look.bucketMs)
    })
    socket.send(JSON.stringify(this.#sourceMessage()))
    socket.send(JSON.stringify(this.#statsMessage()))
  }

  #draw(): void {
    for (const { socket, look } of this.#pages) {
      if (look === undefined || socket.bufferedAmount > BEHIND) continue
      const pixels = look.take()
      if (pixels !== undefined) socket.send(pixels)
    }
  }

  #tellStats(): void {
    if (this.#signals !== this.#source.signals.length) {
      this.#signals = this.#source.signals.length
      const message = JSON.stringify(this.#sourceMessage())
      for (const { socket } of this.#pages) socket.send(message)
    }
    const message = JSON.stringify(this.#statsMessage())
    for (const { socket } of this.#pages) if (socket.bufferedAmount < BEHIND) socket.send(message)
  }

  #sourceMessage(): SourceMessage {
    const { name, system, signals } = this.#source
    return {
      type: 'source',
      name,
      system,
      signals: Array.from(signals, ({ id, name, kind, unit, rateHz }) => ({ id, name, kind, unit, rateHz })),
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

async function loadAssets(): Promise<Assets> {
  let folder: string
  try {
    folder = dirname(createRequire(import.meta.url).resolve('uplot/package.json'))
  } catch (cause) {
    throw viewError('ERR_VIEW_UPLOT_MISSING', 'the package uplot is not installed: npm install uplot', { cause })
  }
  const javascript = 'text/javascript; charset=utf-8'
  return new Map<string, readonly [type: string, body: string | Buffer]>([
    ['/', ['text/html; charset=utf-8', HTML]],
    ['/page.js', [javascript, SCRIPT]],
    ['/uplot.js', [javascript, await readFile(join(folder, 'dist', 'uPlot.iife.min.js'))]],
    ['/uplot.css', ['text/css; charset=utf-8', await readFile(join(folder, 'dist', 'uPlot.min.css'))]],
  ])
}
