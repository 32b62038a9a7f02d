import { sessionError } from '../session/error-codes.js'

/** A WAMP error as npm autobahn has it. */
export interface WampError {
  readonly error: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
}

/** Named arguments. */
export type Kwargs = Readonly<Record<string, unknown>>

/** What a procedure is told of its call. */
export interface Invocation {
  readonly procedure: string
  /** Gives out a part of the result; null where the caller did not ask for parts. */
  readonly progress: ((args?: readonly unknown[], kwargs?: Kwargs) => void) | null
  readonly caller?: number
  readonly caller_authid?: string
  readonly caller_authrole?: string
}

/** What is called. */
export type Procedure = (args: unknown[], kwargs: Kwargs, details: Invocation) => unknown
/** What gets events. */
export type EventHandler = (args: unknown[], kwargs: Kwargs, details: Kwargs) => void

/** A procedure that is registered. */
export interface Registration {
  readonly id: number
  readonly procedure: string
  unregister(): Promise<unknown>
}

/** A topic that is subscribed. */
export interface Subscription {
  readonly id: number
  readonly topic: string
  unsubscribe(): Promise<unknown>
}

/** The session of npm autobahn: what its users know. */
export interface WampSession {
  readonly id: number | null
  readonly isOpen: boolean
  onjoin: (details: Kwargs) => void
  onleave: (reason: string, details: Kwargs) => void
  join(realm: string, authmethods?: readonly string[], authid?: string, authextra?: object): void
  leave(reason?: string, message?: string): void
  call(
    procedure: string,
    args?: readonly unknown[],
    kwargs?: Kwargs,
    options?: Kwargs,
  ): Promise<unknown> & {
    cancel(options?: Kwargs): void
  }
  register(procedure: string, endpoint: Procedure, options?: Kwargs): Promise<Registration>
  subscribe(topic: string, handler: EventHandler, options?: Kwargs): Promise<Subscription>
  publish(topic: string, args?: readonly unknown[], kwargs?: Kwargs, options?: Kwargs): Promise<unknown> | undefined
}

/** What npm autobahn's session sends and receives by. */
export interface SessionSocket {
  onmessage: (message: unknown) => void
  send(message: unknown): void
  close(code?: number, reason?: string): void
}

type Defer = () => { promise: Promise<unknown>; resolve(value: unknown): void; reject(error: unknown): void }
type OnChallenge = (session: WampSession, method: string, extra: Kwargs) => string | Promise<string>
type OnError = (error: unknown, message?: string) => void

/** What is used of npm autobahn: its session. The connection, which has traps, is ours. */
export interface Autobahn {
  readonly Session: new (
    socket: SessionSocket,
    defer: Defer,
    onchallenge: OnChallenge,
    onUserError: OnError,
    onInternalError: OnError,
  ) => WampSession
  readonly Error: new (error: string, args?: readonly unknown[], kwargs?: Kwargs) => WampError
}

let loaded: Promise<Autobahn> | undefined

/** Loads npm autobahn, once. */
export function loadAutobahn(): Promise<Autobahn> {
  // A variable: the package has no types of its own, and what is used of it is above.
  const name: string = 'autobahn'
  loaded ??= import(name).then(
    (module: { default: Autobahn }) => module.default,
    (cause: unknown) => {
      loaded = undefined
      throw sessionError('ERR_SESSION_TRANSPORT_MISSING', 'npm install autobahn ws', { system: 'sisock', cause })
    },
  )
  return loaded
}

/** Makes promises from outside. */
export function defer(): ReturnType<Defer> {
  let resolve: (value: unknown) => void = () => {}
  let reject: (error: unknown) => void = () => {}
  const promise = new Promise((one, other) => {
    resolve = one
    reject = other
  })
  return { promise, resolve, reject }
}
