import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzip } from 'node:zlib'
import { sessionError } from '../../session/error-codes.js'
import { Session, type SessionOptions } from '../../session/session.js'
import { type Assets, loadAssets, PAGE_HEADERS } from '../../view/assets.js'
import { isSignature } from '../authentication.js'
import type { BridgeBackend } from './backend.js'
import { BridgeError, ROUTES } from './faces.js'
import { HTML, SCRIPT } from './page/html.js'

/** What a bridge is made of. */
export interface GrafanaBridgeOptions extends SessionOptions {
  readonly backend: BridgeBackend
  /** What has to be sent as `Authorization: Bearer TOKEN`; nothing unless told. */
  readonly token?: string
  /** The origin whose pages may ask; every one unless told. */
  readonly origin?: string
  /** The longest request body, bytes; 1 MiB unless told. */
  readonly maxBodyBytes?: number
}

/** Below this, bytes, packing costs more than it saves. */
const PACKED = 1024

const PAGE_PATHS = new Set(['/', '/page.js', '/uplot.js', '/uplot.css'])

/**
 * Answers Grafana by HTTP in three faces over one core: SimpleJson (`/search`, `/query`, `/annotations`, `/tag-keys`,
 * `/tag-values`), simpod JSON (`/metrics`, `/metric-payload-options`, `/variable`) and plain GETs for Infinity
 * (`/api/nodes`, `/api/fields`, `/api/data`, `/api/annotations`, `/api/span`). Browsers get a page at `/`.
 *
 * ```ts
 * const bridge = new GrafanaBridge({ backend: new ConsumerBackend(consumer) })
 * const port = await bridge.listen(5000)
 * ```
 */
export class GrafanaBridge extends Session {
  readonly system = 'sisock'
  readonly #options: GrafanaBridgeOptions
  #server: Server | undefined
  #assets: Assets | undefined

  constructor(options: GrafanaBridgeOptions) {
    super('sisock-bridge', options)
    this.#options = options
  }

  /** Listens; gives the port. */
  async listen(port = 5000, host = '127.0.0.1'): Promise<number> {
    this.begin('listening')
    const server = createServer((request, response) => void this.#answer(request, response))
    this.#server = server
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: Error & { code?: string }) => {
        const isTaken = cause.code === 'EADDRINUSE'
        const error = sessionError(
          isTaken ? 'ERR_SESSION_ADDRESS_IN_USE' : 'ERR_SESSION_CONNECT_FAILED',
          cause.message,
          {
            system: 'sisock',
            cause,
          },
        )
        this.fail(error)
        reject(error)
      })
      server.listen(port, host, resolve)
    })
    return (server.address() as AddressInfo).port
  }

  protected async deliverRest(): Promise<void> {}

  protected async shut(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    await new Promise((resolve) => {
      server.close(resolve)
      server.closeAllConnections()
    })
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.stats.messagesIn++
    if (await this.#page(request, response)) return
    response.setHeader('access-control-allow-origin', this.#options.origin ?? '*')
    response.setHeader('access-control-allow-methods', 'GET, POST, OPTIONS')
    response.setHeader('access-control-allow-headers', 'accept, authorization, content-type')
    try {
      if (request.method === 'OPTIONS') {
        response.writeHead(204).end()
        return
      }
      await this.#send(request, response, 200, await this.#route(request))
    } catch (error) {
      const status = error instanceof BridgeError ? error.status : 502
      if (status === 502) this.status.emit('request-failed', { path: request.url, message: (error as Error).message })
      await this.#send(request, response, status, {
        error: (error as Error).message,
        code: (error as { code?: string }).code,
      })
    }
  }

  /** The page of its own, for browsers: it holds nothing, what it asks for wants the token. */
  async #page({ url = '', method, headers }: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const [path = ''] = url.split('?')
    if (method !== 'GET' || (path === '/' && !/\btext\/html\b/.test(headers.accept ?? ''))) return false
    if (!PAGE_PATHS.has(path)) return false
    try {
      this.#assets ??= await loadAssets(HTML, SCRIPT)
    } catch {
      // Without uPlot there is no page, and all else is there.
      return false
    }
    const [type, body] = this.#assets.get(path) as readonly [string, string | Buffer]
    response.writeHead(200, { ...PAGE_HEADERS, vary: 'accept', 'content-type': type }).end(body)
    this.stats.messagesOut++
    return true
  }

  async #route(request: IncomingMessage): Promise<unknown> {
    const url = new URL(request.url ?? '/', 'http://bridge')
    if (url.pathname === '/') return { name: 'measurand sisock bridge', ok: true }
    this.#authorize(request)
    const route = Object.hasOwn(ROUTES, url.pathname) ? ROUTES[url.pathname] : undefined
    if (route === undefined) throw new BridgeError(404, `there is no ${url.pathname}`)
    if (request.method !== 'GET' && request.method !== 'POST')
      throw new BridgeError(405, `${request.method} is not answered`)
    const host = request.headers.host ?? '127.0.0.1:5000'
    return route(this.#options.backend, { query: url.searchParams, body: await this.#body(request), host })
  }

  #authorize({ headers }: IncomingMessage): void {
    const { token } = this.#options
    if (token === undefined) return
    if (!isSignature(headers.authorization ?? '', `Bearer ${token}`))
      throw new BridgeError(401, 'a token is needed: Authorization: Bearer')
  }

  async #body(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
    const limit = this.#options.maxBodyBytes ?? 1 << 20
    const parts: Buffer[] = []
    let length = 0
    for await (const part of request as AsyncIterable<Buffer>) {
      length += part.length
      if (length > limit) throw new BridgeError(413, `a body has ${limit} bytes at most`)
      parts.push(part)
    }
    this.stats.bytesIn += length
    if (length === 0) return {}
    try {
      const body = JSON.parse(Buffer.concat(parts).toString()) as unknown
      if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Record<string, unknown>
    } catch {
      // Said below.
    }
    throw new BridgeError(400, 'the body is no JSON object')
  }

  async #send(request: IncomingMessage, response: ServerResponse, status: number, value: unknown): Promise<void> {
    if (response.destroyed) return
    let body = Buffer.from(JSON.stringify(value))
    response.setHeader('content-type', 'application/json; charset=utf-8')
    response.setHeader('vary', 'accept-encoding')
    if (body.length > PACKED && /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''))) {
      body = await new Promise<Buffer<ArrayBuffer>>((resolve, reject) => {
        gzip(body, { level: 1 }, (error, packed) =>
          error === null ? resolve(packed as Buffer<ArrayBuffer>) : reject(error),
        )
      })
      response.setHeader('content-encoding', 'gzip')
    }
    this.stats.messagesOut++
    this.stats.bytesOut += body.length
    // A body that nobody has read, of a request that was refused, would keep the connection waiting.
    if (!request.complete) response.setHeader('connection', 'close')
    response.writeHead(status, { 'content-length': body.length }).end(body)
  }
}

/** A host as URLs have it. */
export function inUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

/** Where the page of a bridge is, as a browser of this machine has it. */
export function pageUrl(host: string, port: number): string {
  const isAll = host === '0.0.0.0' || host === '::'
  return `http://${isAll ? '127.0.0.1' : inUrl(host)}:${port}/`
}
