import { createServer as createHttpServer, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { WebSocketServer } from 'ws'
import { sessionError } from '../../session/error-codes.js'
import { Session, type SessionOptions } from '../../session/session.js'
import type { TlsOptions } from '../../session/transport.js'
import { sisockError } from '../error-codes.js'
import { Framing } from '../serializer.js'
import { REALM } from '../uri.js'
import { Realm } from './realm.js'
import { RouterSession } from './router-session.js'
import { checkUsers, type Roles, SISOCK_ROLES, type Users } from './users.js'

/** What a router is made of. */
export interface WampRouterOptions extends SessionOptions {
  /** Who may join. There is no default. */
  readonly users: Users
  /** What roles may do; `server` and `consumer` as sisock has them unless told. */
  readonly roles?: Roles
  /** The role of those who join without a user; nobody may unless told. */
  readonly anonymousRole?: string
  /** `test_realm` unless told. */
  readonly realm?: string
  /** `/ws` unless told. */
  readonly path?: string
  readonly tls?: TlsOptions
  /** The longest WebSocket message that is taken, bytes; 256 MiB unless told. */
  readonly maxMessageBytes?: number
  /** Bytes that may wait for a peer that does not read before it is dropped; 256 MiB unless told. */
  readonly maxQueueBytes?: number
  /** Calls of one session that may wait for their answer; 10,000 unless told. */
  readonly maxCalls?: number
  /** Procedures, and topics, that one session may have; 10,000 unless told. */
  readonly maxRegistrations?: number
  /** Sessions at a time; 10,000 unless told. */
  readonly maxSessions?: number
  /** How long a peer may take to join, ms; 10,000 unless told. */
  readonly joinTimeout?: number
  /** How often peers are asked whether they are still there, ms; 30,000 unless told, 0 never. */
  readonly pingInterval?: number
}

/**
 * A WAMP router for one machine: the basic profile, WAMP-CRA, roles, JSON, MessagePack and CBOR, batched or not.
 *
 * ```ts
 * const router = new WampRouter({ users: { server: { secret: 's3', role: 'server' } } })
 * const port = await router.listen(8080)
 * ```
 *
 * It is no cluster, keeps nothing on disk, and knows exact URIs and one callee a procedure. Where that is too little,
 * Crossbar.io takes its place: `docs/sisock.md` says how.
 */
export class WampRouter extends Session {
  readonly system = 'sisock'
  /** @internal */
  readonly realm: Realm
  readonly #options: WampRouterOptions
  readonly #sessions = new Set<RouterSession>()
  #server: Server | undefined
  #sockets: WebSocketServer | undefined
  #ping: NodeJS.Timeout | undefined

  constructor(options: WampRouterOptions) {
    super('sisock-router', options)
    const roles = options.roles ?? SISOCK_ROLES
    checkUsers(options.users, roles)
    const { anonymousRole } = options
    if (anonymousRole !== undefined && !Object.hasOwn(roles, anonymousRole)) {
      throw sisockError('ERR_SISOCK_USERS', `there is no role ${anonymousRole}`)
    }
    this.#options = options
    this.realm = new Realm(options.realm ?? REALM, {
      calls: options.maxCalls ?? 10_000,
      registrations: options.maxRegistrations ?? 10_000,
    })
  }

  /** Listens; gives the port. */
  async listen(port = 8080, host = '127.0.0.1'): Promise<number> {
    this.begin('listening')
    const { WebSocketServer } = await import('ws').catch((cause: unknown) => {
      throw sessionError('ERR_SESSION_TRANSPORT_MISSING', 'npm install ws', { system: 'sisock', cause })
    })
    const {
      tls,
      path = '/ws',
      maxMessageBytes = 256 << 20,
      maxSessions = 10_000,
      pingInterval = 30_000,
    } = this.#options
    const server =
      tls === undefined
        ? createHttpServer()
        : createHttpsServer({
            ...(tls.cert === undefined ? {} : { cert: Buffer.from(tls.cert) }),
            ...(tls.key === undefined ? {} : { key: Buffer.from(tls.key) }),
            ...(tls.ca === undefined ? {} : { ca: Buffer.from(tls.ca) }),
            ...(tls.verify ? { requestCert: true, rejectUnauthorized: true } : {}),
          })
    server.on('request', (_, response) => {
      response.writeHead(200, { 'content-type': 'text/plain' }).end(`measurand WAMP router: WebSockets at ${path}\n`)
    })
    const sockets = new WebSocketServer({
      server,
      path,
      maxPayload: maxMessageBytes,
      perMessageDeflate: false,
      handleProtocols: (offers) => Framing.choose(offers)?.subprotocol ?? false,
    })
    sockets.on('connection', (socket, request) => {
      const peer = `${request.socket.remoteAddress}:${request.socket.remotePort}`
      const framing = Framing.of(socket.protocol)
      if (framing === undefined || this.#sessions.size >= maxSessions) {
        this.status.emit('peer-refused', {
          peer,
          reason: framing === undefined ? 'no common subprotocol' : 'too many sessions',
        })
        socket.close(framing === undefined ? 1002 : 1013)
        return
      }
      request.socket.setNoDelay(true)
      const session = new RouterSession(socket, framing, peer, {
        realm: this.realm,
        users: this.#options.users,
        roles: this.#options.roles ?? SISOCK_ROLES,
        ...(this.#options.anonymousRole === undefined ? {} : { anonymousRole: this.#options.anonymousRole }),
        maxQueueBytes: this.#options.maxQueueBytes ?? 256 << 20,
        joinTimeout: this.#options.joinTimeout ?? 10_000,
        clock: this.clock,
        counter: this.stats,
        tell: (state, detail) => this.status.emit(state, detail),
      })
      this.#sessions.add(session)
      socket.on('close', () => this.#sessions.delete(session))
    })
    this.#server = server
    this.#sockets = sockets
    await new Promise<void>((resolve, reject) => {
      // `ws` repeats what the server tells.
      sockets.on('error', () => {})
      server.once('error', (cause: Error & { code?: string }) => {
        const error = sessionError(
          cause.code === 'EADDRINUSE' ? 'ERR_SESSION_ADDRESS_IN_USE' : 'ERR_SESSION_CONNECT_FAILED',
          cause.message,
          { system: 'sisock', cause },
        )
        this.fail(error)
        reject(error)
      })
      server.listen(port, host, resolve)
    })
    if (pingInterval > 0) {
      this.#ping = setInterval(() => {
        for (const session of this.#sessions) session.ping()
      }, pingInterval)
      this.#ping.unref()
    }
    return (server.address() as AddressInfo).port
  }

  /** Sessions that are connected. */
  get sessions(): number {
    return this.#sessions.size
  }

  protected async deliverRest(): Promise<void> {}

  protected async shut(): Promise<void> {
    clearInterval(this.#ping)
    for (const session of [...this.#sessions]) session.close('wamp.close.system_shutdown')
    const [server, sockets] = [this.#server, this.#sockets]
    if (server === undefined) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        for (const socket of sockets?.clients ?? []) socket.terminate()
      }, 500)
      sockets?.close()
      server.close(() => {
        clearTimeout(timer)
        resolve()
      })
      server.closeAllConnections?.()
    })
  }
}
