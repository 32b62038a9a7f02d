import { randomBytes } from 'node:crypto'
import type { WebSocket } from 'ws'
import type { Clock, Timer } from '../../session/clock.js'
import { deriveKey, isSignature, type Salt, signChallenge } from '../authentication.js'
import { MessageBatch } from '../message-batch.js'
import type { Framing } from '../serializer.js'
import type { WireCounter } from '../wamp-transport.js'
import { Message, TYPE, write } from './message.js'
import { type Member, type Realm, randomId } from './realm.js'
import type { Permission, Roles, Users } from './users.js'

/** What a router's session is made with. */
export interface RouterSessionOptions {
  readonly realm: Realm
  readonly users: Users
  readonly roles: Roles
  /** The role of those who join without a user; nobody may unless told. */
  readonly anonymousRole?: string
  /** Bytes that may wait for a peer that does not read. */
  readonly maxQueueBytes: number
  /** How long a peer may take to join, ms. */
  readonly joinTimeout: number
  readonly clock: Clock
  readonly counter: WireCounter
  /** Tells what happened. */
  readonly tell: (state: string, detail: Readonly<Record<string, unknown>>) => void
}

interface Applicant {
  readonly authid: string
  readonly role: string
  readonly key: string
  readonly challenge: string
}

/** The router's end of one WebSocket. */
export class RouterSession implements Member {
  readonly id = randomId()
  readonly format: Framing['name']
  authid = ''
  authrole = ''
  permissions: readonly Permission[] = []
  features = { progressive: false, canceling: false }
  readonly #socket: WebSocket
  readonly #framing: Framing
  readonly #batch: MessageBatch
  readonly #options: RouterSessionOptions
  readonly #peer: string
  #state: 'new' | 'challenged' | 'open' | 'over' = 'new'
  #applicant: Applicant | undefined
  #timer: Timer | undefined
  #isAlive = true

  constructor(socket: WebSocket, framing: Framing, peer: string, options: RouterSessionOptions) {
    this.#socket = socket
    this.#framing = framing
    this.#batch = new MessageBatch(framing, (bytes) => this.#write(bytes))
    this.#options = options
    this.#peer = peer
    this.format = framing.name
    this.#timer = options.clock.after(options.joinTimeout, () => this.#abort('wamp.error.timeout', 'no HELLO in time'))
    socket.on('message', (data: Buffer, isBinary) => this.#receive(data, isBinary))
    socket.on('error', (error) => options.tell('peer-failed', { peer, message: error.message }))
    socket.on('close', () => this.#over())
    socket.on('pong', () => {
      this.#isAlive = true
    })
  }

  /** Asks the peer whether it is still there; ends it when it has not answered the last time. */
  ping(): void {
    if (!this.#isAlive) {
      this.#options.tell('peer-silent', { peer: this.#peer, session: this.id })
      this.#socket.terminate()
      return
    }
    this.#isAlive = false
    this.#socket.ping()
  }

  send(items: readonly unknown[]): void {
    const { room } = this.#batch
    this.#queue(write(this.format, items, room), room)
  }

  forward(message: Message, items: readonly unknown[], isShared: boolean): void {
    const { bytes, room } = message.forward(this.format, items, this.#batch.room, isShared)
    this.#queue(bytes, room)
  }

  /** Says good-bye and closes. */
  close(reason: string): void {
    if (this.#state === 'open') this.send([TYPE.goodbye, {}, reason])
    this.#leave()
    this.#batch.flush()
    this.#socket.close(1001)
  }

  #queue(bytes: Buffer, room: number): void {
    if (this.#socket.readyState !== 1) return
    this.#options.counter.messagesOut++
    this.#batch.push(bytes, room)
  }

  #write(bytes: Uint8Array): void {
    if (this.#socket.readyState !== 1) return
    const waiting = this.#socket.bufferedAmount
    if (waiting > this.#options.maxQueueBytes) {
      this.#options.tell('peer-slow', { peer: this.#peer, session: this.id, bytes: waiting })
      this.#socket.terminate()
      return
    }
    this.#options.counter.bytesOut += bytes.byteLength
    this.#socket.send(bytes, { binary: this.#framing.isBinary })
  }

  #receive(data: Buffer, isBinary: boolean): void {
    const { counter } = this.#options
    counter.bytesIn += data.length
    if (isBinary !== this.#framing.isBinary) {
      this.#violate('a message of the wrong kind')
      return
    }
    try {
      for (const bytes of this.#framing.split(data)) {
        if (this.#state === 'over') return
        counter.messagesIn++
        if (!this.#handle(new Message(this.format, bytes, this.#batch.room))) {
          this.#violate('an unexpected message')
          return
        }
      }
    } catch (error) {
      this.#violate((error as Error).message)
    }
  }

  #handle(message: Message): boolean {
    const { realm } = this.#options
    if (this.#state !== 'open') return this.#enter(message)
    switch (message.type) {
      case TYPE.call:
        return realm.call(this, message)
      case TYPE.yield:
        return realm.answer(this, message)
      case TYPE.error:
        return realm.error(this, message)
      case TYPE.publish:
        return realm.publish(this, message)
      case TYPE.goodbye: {
        const [, , reason] = message.items()
        if (reason !== 'wamp.close.goodbye_and_out' && reason !== 'wamp.error.goodbye_and_out') {
          this.send([TYPE.goodbye, {}, 'wamp.close.goodbye_and_out'])
        }
        this.#leave()
        return true
      }
      default:
        return realm.handle(this, message)
    }
  }

  /** HELLO and AUTHENTICATE. */
  #enter(message: Message): boolean {
    const items = message.items()
    if (this.#state === 'new' && message.type === TYPE.hello) return this.#hello(items)
    if (this.#state === 'challenged' && message.type === TYPE.authenticate) return this.#authenticate(items)
    if (message.type !== TYPE.abort && message.type !== TYPE.goodbye) return false
    this.#leave()
    this.#socket.close(1000)
    return true
  }

  #hello([, realm, details]: unknown[]): boolean {
    const { users, anonymousRole } = this.#options
    if (typeof realm !== 'string' || typeof details !== 'object' || details === null) return false
    if (realm !== this.#options.realm.name)
      return this.#abort('wamp.error.no_such_realm', `no realm "${realm}" exists on this router`)
    const { authmethods, authid, roles } = details as { authmethods?: unknown; authid?: unknown; roles?: HelloRoles }
    this.features = {
      progressive: roles?.callee?.features?.progressive_call_results === true,
      canceling: roles?.callee?.features?.call_canceling === true,
    }
    const methods = Array.isArray(authmethods) ? authmethods : ['anonymous']
    if (methods.includes('wampcra') && typeof authid === 'string') {
      // Who is not known is challenged as everybody is, and fails as with a wrong secret.
      const user = Object.hasOwn(users, authid) ? users[authid] : undefined
      const salt: Salt | undefined = user?.salt === undefined ? undefined : { ...user, salt: user.salt }
      const secret = user?.secret ?? randomBytes(32).toString('base64')
      const challenge = JSON.stringify({
        authid,
        authrole: user?.role ?? 'consumer',
        authmethod: 'wampcra',
        authprovider: 'static',
        session: this.id,
        nonce: randomBytes(32).toString('base64'),
        timestamp: new Date().toISOString(),
      })
      const key = salt === undefined ? secret : deriveKey(secret, salt)
      this.#applicant = { authid, role: user?.role ?? '', key, challenge }
      this.#state = 'challenged'
      const extra =
        salt === undefined ? {} : { salt: salt.salt, iterations: salt.iterations ?? 1000, keylen: salt.keylen ?? 32 }
      this.send([TYPE.challenge, 'wampcra', { challenge, ...extra }])
      return true
    }
    if (methods.includes('anonymous') && anonymousRole !== undefined)
      return this.#welcome('anonymous', anonymousRole, 'anonymous')
    return this.#abort(
      'wamp.error.no_auth_method',
      `cannot authenticate using any of the offered authmethods ${JSON.stringify(methods)}`,
    )
  }

  #authenticate([, signature]: unknown[]): boolean {
    const { authid, role, key, challenge } = this.#applicant as Applicant
    this.#applicant = undefined
    if (typeof signature !== 'string' || role === '' || !isSignature(signature, signChallenge(key, challenge))) {
      this.#options.tell('denied', { peer: this.#peer, user: authid })
      return this.#abort('wamp.error.not_authorized', 'WAMP-CRA client signature is invalid')
    }
    return this.#welcome(authid, role, 'wampcra')
  }

  #welcome(authid: string, role: string, method: string): true {
    const { realm, roles, tell } = this.#options
    this.authid = authid
    this.authrole = role
    this.permissions = roles[role] ?? []
    this.#state = 'open'
    this.#timer?.cancel()
    this.send([
      TYPE.welcome,
      this.id,
      {
        realm: realm.name,
        authid,
        authrole: role,
        authmethod: method,
        authprovider: 'static',
        roles: {
          broker: {
            features: { publisher_exclusion: true, subscriber_blackwhite_listing: true, session_meta_api: true },
          },
          dealer: {
            features: {
              progressive_call_results: true,
              call_canceling: true,
              session_meta_api: true,
              registration_meta_api: true,
            },
          },
        },
      },
    ])
    realm.join(this)
    tell('peer-joined', {
      peer: this.#peer,
      session: this.id,
      user: authid,
      role,
      subprotocol: this.#framing.subprotocol,
    })
    return true
  }

  #abort(reason: string, text: string): true {
    this.send([TYPE.abort, { message: text }, reason])
    this.#batch.flush()
    this.#leave()
    this.#socket.close(1000)
    return true
  }

  #violate(text: string): void {
    this.#options.tell('peer-violated', { peer: this.#peer, session: this.id, message: text })
    this.send([TYPE.abort, { message: text }, 'wamp.error.protocol_violation'])
    this.#batch.flush()
    this.#leave()
    this.#socket.close(1002)
  }

  #leave(): void {
    const wasOpen = this.#state === 'open'
    this.#state = 'over'
    this.#timer?.cancel()
    if (!wasOpen) return
    this.#options.realm.leave(this)
    this.#options.tell('peer-left', { peer: this.#peer, session: this.id, user: this.authid })
  }

  #over(): void {
    this.#leave()
  }
}

interface HelloRoles {
  readonly callee?: {
    readonly features?: { readonly progressive_call_results?: unknown; readonly call_canceling?: unknown }
  }
}
