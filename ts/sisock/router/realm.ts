import { randomInt } from 'node:crypto'
import type { SerializerName } from '../codec.js'
import { type Message, TYPE } from './message.js'
import { type Action, isPermitted, type Permission } from './users.js'

/** Somebody who has joined. */
export interface Member {
  /** 1 to 2^53. */
  readonly id: number
  readonly authid: string
  readonly authrole: string
  readonly permissions: readonly Permission[]
  readonly format: SerializerName
  readonly features: { readonly progressive: boolean; readonly canceling: boolean }
  /** Sends a message of ours. */
  send(items: readonly unknown[]): void
  /** Sends a message with another one's arguments; `isShared` where others get them too. */
  forward(message: Message, items: readonly unknown[], isShared: boolean): void
}

interface Registration {
  readonly id: number
  readonly uri: string
  readonly created: string
  readonly callee: Member
}

interface Subscription {
  readonly id: number
  readonly uri: string
  readonly members: Set<Member>
}

interface Call {
  readonly caller: Member
  readonly request: number
  readonly callee: Member
  readonly invocation: number
  readonly progressive: boolean
}

/** What a member has in the realm. */
interface Belongings {
  readonly registrations: Map<number, Registration>
  readonly subscriptions: Map<number, Subscription>
  /** Calls that it made, by its request. */
  readonly calls: Map<number, Call>
  /** Calls that it answers, by the invocation's number. */
  readonly invocations: Map<number, Call>
  nextInvocation: number
}

/** What a member may have at most. */
export interface RealmLimits {
  /** Calls of one member that wait for their answer. */
  readonly calls: number
  /** Procedures and topics of one member. */
  readonly registrations: number
}

const URI = /^[^\s#.]+(\.[^\s#.]+)*$/

/** An id of the kind that WAMP draws: 1 to 2^53, by chance. */
export function randomId(): number {
  return randomInt(1, 2 ** 47) * 64 + randomInt(0, 64)
}

/**
 * What members share: procedures (the dealer's) and topics (the broker's), with the meta procedures and events that
 * sisock uses. Exact URIs and one callee a procedure: WAMP's basic profile.
 */
export class Realm {
  readonly name: string
  readonly #limits: RealmLimits
  readonly #members = new Map<Member, Belongings>()
  readonly #procedures = new Map<string, Registration>()
  readonly #registrations = new Map<number, Registration>()
  readonly #topics = new Map<string, Subscription>()
  #next = 1

  constructor(name: string, limits: RealmLimits) {
    this.name = name
    this.#limits = limits
  }

  /** Those who have joined. */
  get members(): number {
    return this.#members.size
  }

  /** Procedures that are registered. */
  get procedures(): number {
    return this.#procedures.size
  }

  /** Somebody joins. */
  join(member: Member): void {
    this.#members.set(member, {
      registrations: new Map(),
      subscriptions: new Map(),
      calls: new Map(),
      invocations: new Map(),
      nextInvocation: 1,
    })
    this.#tell('wamp.session.on_join', [sessionDetails(member)])
  }

  /** Somebody has left; what it had goes with it. */
  leave(member: Member): void {
    const belongings = this.#members.get(member)
    if (belongings === undefined) return
    this.#members.delete(member)
    for (const subscription of belongings.subscriptions.values()) this.#unsubscribe(member, subscription)
    for (const call of belongings.calls.values()) {
      this.#members.get(call.callee)?.invocations.delete(call.invocation)
      if (call.callee.features.canceling) call.callee.send([TYPE.interrupt, call.invocation, { mode: 'killnowait' }])
    }
    for (const call of belongings.invocations.values()) {
      this.#members.get(call.caller)?.calls.delete(call.request)
      call.caller.send(
        failure(TYPE.call, call.request, 'wamp.error.canceled', 'callee disconnected from in-flight request'),
      )
    }
    for (const registration of belongings.registrations.values()) this.#unregister(member, registration)
    // One argument: the Python hub's handler takes no more, and would leave a dead node listed for ever.
    this.#tell('wamp.session.on_leave', [member.id])
  }

  /** A member's message of a kind that is not passed on. */
  handle(member: Member, message: Message): boolean {
    const items = message.items()
    const [, request, third, fourth] = items
    if (typeof request !== 'number') return false
    switch (message.type) {
      case TYPE.register:
        return typeof fourth === 'string' && this.#register(member, request, asOptions(third), fourth)
      case TYPE.unregister:
        return typeof third === 'number' && this.#unregisterRequest(member, request, third)
      case TYPE.subscribe:
        return typeof fourth === 'string' && this.#subscribe(member, request, asOptions(third), fourth)
      case TYPE.unsubscribe:
        return typeof third === 'number' && this.#unsubscribeRequest(member, request, third)
      case TYPE.cancel:
        return this.#cancel(member, request, asOptions(third))
      default:
        return false
    }
  }

  /** CALL. */
  call(member: Member, message: Message): boolean {
    const request = message.first
    const uri = message.uri()
    const belongings = this.#members.get(member)
    if (Number.isNaN(request) || uri === undefined || belongings === undefined) return false
    if (!isPermitted(member.permissions, 'call', uri)) return refused(member, request, denied(member, 'call', uri))
    if (uri.startsWith('wamp.')) return this.#meta(member, request, uri, message)
    const registration = this.#procedures.get(uri)
    if (registration === undefined) {
      const text = `no callee registered for procedure <${uri}>`
      return refused(member, request, ['wamp.error.no_such_procedure', text])
    }
    if (belongings.calls.has(request))
      return refused(member, request, ['wamp.error.invalid_argument', `the request ${request} is under way`])
    if (belongings.calls.size >= this.#limits.calls) {
      const text = `${belongings.calls.size} calls wait for their answer`
      return refused(member, request, ['wamp.error.resource_exhausted', text])
    }
    const { callee } = registration
    const theirs = this.#members.get(callee) as Belongings
    const invocation = theirs.nextInvocation++
    const progressive = callee.features.progressive && asOptions(message.item(2))['receive_progress'] === true
    const call = { caller: member, request, callee, invocation, progressive }
    belongings.calls.set(request, call)
    theirs.invocations.set(invocation, call)
    const details = progressive ? { receive_progress: true } : {}
    callee.forward(message, [TYPE.invocation, invocation, registration.id, details], false)
    return true
  }

  /** YIELD. */
  answer(member: Member, message: Message): boolean {
    const invocation = message.first
    const call = this.#members.get(member)?.invocations.get(invocation)
    // The caller may have gone or have cancelled: the answer is nobody's.
    if (call === undefined) return !Number.isNaN(invocation)
    const isPart = asOptions(message.item(2))['progress'] === true
    if (isPart && call.progressive) {
      call.caller.forward(message, [TYPE.result, call.request, { progress: true }], false)
      return true
    }
    this.#done(call)
    call.caller.forward(message, [TYPE.result, call.request, {}], false)
    return true
  }

  /** ERROR of a callee. */
  error(member: Member, message: Message): boolean {
    const invocation = message.second
    const error = message.item(4)
    if (message.first !== TYPE.invocation || typeof error !== 'string') return false
    const call = this.#members.get(member)?.invocations.get(invocation)
    if (call === undefined) return true
    this.#done(call)
    call.caller.forward(message, [TYPE.error, TYPE.call, call.request, {}, error], false)
    return true
  }

  /** PUBLISH. */
  publish(member: Member, message: Message): boolean {
    const request = message.first
    const uri = message.uri()
    if (Number.isNaN(request) || uri === undefined) return false
    const options = asOptions(message.item(2))
    const { acknowledge, exclude_me: excludeMe } = options
    const refusal = this.#refusal(member, 'publish', uri)
    if (refusal !== undefined) {
      if (acknowledge === true) member.send(failure(TYPE.publish, request, ...refusal))
      return true
    }
    const publication = randomId()
    const subscription = this.#topics.get(uri)
    if (subscription !== undefined) {
      const [exclude, eligible] = [asIds(options['exclude']), asIds(options['eligible'])]
      for (const other of subscription.members) {
        if (other === member && excludeMe !== false) continue
        if (exclude?.has(other.id) || (eligible !== undefined && !eligible.has(other.id))) continue
        other.forward(message, [TYPE.event, subscription.id, publication, {}], true)
      }
    }
    if (acknowledge === true) member.send([TYPE.published, request, publication])
    return true
  }

  #done(call: Call): void {
    this.#members.get(call.callee)?.invocations.delete(call.invocation)
    this.#members.get(call.caller)?.calls.delete(call.request)
  }

  #register(member: Member, request: number, options: Options, uri: string): true {
    const refuse = (error: string, text: string): true => {
      member.send(failure(TYPE.register, request, error, text))
      return true
    }
    const refusal = this.#refusal(member, 'register', uri)
    if (refusal !== undefined) return refuse(...refusal)
    const { match = 'exact', invoke = 'single' } = options
    if (match !== 'exact' || invoke !== 'single') {
      return refuse('wamp.error.invalid_argument', 'this router knows exact URIs and single callees only')
    }
    if (this.#procedures.has(uri)) {
      return refuse('wamp.error.procedure_already_exists', `register for already registered procedure '${uri}'`)
    }
    const { registrations } = this.#members.get(member) as Belongings
    if (registrations.size >= this.#limits.registrations) {
      return refuse('wamp.error.resource_exhausted', `${registrations.size} procedures are registered`)
    }
    const registration = { id: this.#next++, uri, created: new Date().toISOString(), callee: member }
    this.#procedures.set(uri, registration)
    this.#registrations.set(registration.id, registration)
    registrations.set(registration.id, registration)
    member.send([TYPE.registered, request, registration.id])
    this.#tell('wamp.registration.on_create', [member.id, registrationDetails(registration)])
    this.#tell('wamp.registration.on_register', [member.id, registration.id])
    return true
  }

  #unregisterRequest(member: Member, request: number, id: number): true {
    const registration = this.#members.get(member)?.registrations.get(id)
    if (registration === undefined) {
      member.send(failure(TYPE.unregister, request, 'wamp.error.no_such_registration', `no registration ${id}`))
      return true
    }
    this.#unregister(member, registration)
    member.send([TYPE.unregistered, request])
    return true
  }

  #unregister(member: Member, registration: Registration): void {
    this.#members.get(member)?.registrations.delete(registration.id)
    this.#procedures.delete(registration.uri)
    this.#registrations.delete(registration.id)
    this.#tell('wamp.registration.on_unregister', [member.id, registration.id])
    this.#tell('wamp.registration.on_delete', [member.id, registration.id])
  }

  #subscribe(member: Member, request: number, options: Options, uri: string): true {
    const refuse = (error: string, text: string): true => {
      member.send(failure(TYPE.subscribe, request, error, text))
      return true
    }
    if (!URI.test(uri)) return refuse('wamp.error.invalid_uri', `${uri} is no URI`)
    if (!isPermitted(member.permissions, 'subscribe', uri)) return refuse(...denied(member, 'subscribe', uri))
    if (options['match'] !== undefined && options['match'] !== 'exact') {
      return refuse('wamp.error.invalid_argument', 'this router knows exact URIs only')
    }
    const { subscriptions } = this.#members.get(member) as Belongings
    if (subscriptions.size >= this.#limits.registrations) {
      return refuse('wamp.error.resource_exhausted', `${subscriptions.size} topics are subscribed`)
    }
    let subscription = this.#topics.get(uri)
    if (subscription === undefined) {
      subscription = { id: this.#next++, uri, members: new Set() }
      this.#topics.set(uri, subscription)
    }
    subscription.members.add(member)
    subscriptions.set(subscription.id, subscription)
    member.send([TYPE.subscribed, request, subscription.id])
    return true
  }

  #unsubscribeRequest(member: Member, request: number, id: number): true {
    const subscriptions = this.#members.get(member)?.subscriptions
    const subscription = subscriptions?.get(id)
    if (subscription === undefined) {
      member.send(failure(TYPE.unsubscribe, request, 'wamp.error.no_such_subscription', `no subscription ${id}`))
      return true
    }
    subscriptions?.delete(id)
    this.#unsubscribe(member, subscription)
    member.send([TYPE.unsubscribed, request])
    return true
  }

  #unsubscribe(member: Member, subscription: Subscription): void {
    subscription.members.delete(member)
    if (subscription.members.size === 0) this.#topics.delete(subscription.uri)
  }

  #cancel(member: Member, request: number, options: Options): true {
    const call = this.#members.get(member)?.calls.get(request)
    if (call === undefined) return true
    const { mode = 'killnowait' } = options
    if (mode !== 'skip' && call.callee.features.canceling) {
      call.callee.send([TYPE.interrupt, call.invocation, { mode }])
      // With `kill` the callee's own answer is the caller's.
      if (mode === 'kill') return true
    }
    this.#done(call)
    member.send(failure(TYPE.call, request, 'wamp.error.canceled', 'the call was canceled'))
    return true
  }

  #refusal(member: Member, action: 'register' | 'publish', uri: string): [string, string] | undefined {
    if (!URI.test(uri)) return ['wamp.error.invalid_uri', `${uri} is no URI`]
    if (uri.startsWith('wamp.')) return ['wamp.error.invalid_uri', `${uri} is the router's own`]
    return isPermitted(member.permissions, action, uri) ? undefined : denied(member, action, uri)
  }

  /** An event of the router itself. */
  #tell(uri: string, args: readonly unknown[]): void {
    const subscription = this.#topics.get(uri)
    if (subscription === undefined) return
    const publication = randomId()
    for (const member of subscription.members) member.send([TYPE.event, subscription.id, publication, {}, args])
  }

  /** A procedure of the router itself. */
  #meta(member: Member, request: number, uri: string, message: Message): true {
    const args = message.item(4)
    const argument = Array.isArray(args) ? (args[0] as unknown) : undefined
    const give = (value: unknown): true => {
      member.send([TYPE.result, request, {}, [value]])
      return true
    }
    const missing = (error: string, text: string): true => refused(member, request, [error, text])
    const registration = typeof argument === 'number' ? this.#registrations.get(argument) : undefined
    const noRegistration = (): true => missing('wamp.error.no_such_registration', `no registration ${String(argument)}`)
    switch (uri) {
      case 'wamp.session.count':
        return give(this.#members.size)
      case 'wamp.session.list':
        return give(Array.from(this.#members.keys(), ({ id }) => id))
      case 'wamp.session.get': {
        for (const other of this.#members.keys()) if (other.id === argument) return give(sessionDetails(other))
        return missing('wamp.error.no_such_session', `no session ${String(argument)}`)
      }
      case 'wamp.registration.list':
        return give({ exact: [...this.#registrations.keys()], prefix: [], wildcard: [] })
      case 'wamp.registration.lookup':
      case 'wamp.registration.match':
        return give(this.#procedures.get(String(argument))?.id ?? null)
      case 'wamp.registration.get':
        return registration === undefined ? noRegistration() : give(registrationDetails(registration))
      case 'wamp.registration.list_callees':
        return registration === undefined ? noRegistration() : give([registration.callee.id])
      case 'wamp.registration.count_callees':
        return registration === undefined ? noRegistration() : give(1)
      default:
        return missing('wamp.error.no_such_procedure', `no callee registered for procedure <${uri}>`)
    }
  }
}

type Options = Readonly<Record<string, unknown>>

function asOptions(value: unknown): Options {
  return typeof value === 'object' && value !== null ? (value as Options) : {}
}

function asIds(value: unknown): Set<number> | undefined {
  return Array.isArray(value) || ArrayBuffer.isView(value) ? new Set(value as unknown as Iterable<number>) : undefined
}

function failure(type: number, request: number, error: string, text: string): readonly unknown[] {
  return [TYPE.error, type, request, {}, error, [text]]
}

/** Answers a CALL with an error. */
function refused(member: Member, request: number, [error, text]: readonly [error: string, text: string]): true {
  member.send(failure(TYPE.call, request, error, text))
  return true
}

function denied(member: Member, action: Action, uri: string): [string, string] {
  const text = `session (session_id=${member.id}, authid=${member.authid}, authrole=${member.authrole}) not authorized to ${action} '${uri}'`
  return ['wamp.error.not_authorized', text]
}

function sessionDetails(member: Member): Options {
  return { session: member.id, authid: member.authid, authrole: member.authrole }
}

function registrationDetails({ id, created, uri }: Registration): Options {
  return { id, created, uri, match: 'exact', invoke: 'single' }
}
