import { sessionError } from '../session/error-codes.js'
import { MeasurandError, ProtocolError } from '../session/errors.js'
import type { Kwargs, WampError } from './autobahn.js'
import { sisockError } from './error-codes.js'

/** What a handler threw, as an error. */
export function thrownError(error: unknown): Error {
  if (error instanceof Error) return error
  const { error: code, args } = error as Partial<WampError>
  return new Error(code === undefined ? String(error) : `${code}: ${(args ?? []).join(' ')}`)
}

/** Whether it is one that waiting does not cure. */
export function isFinal(error: unknown): boolean {
  if (!(error instanceof MeasurandError)) return true
  return (
    error.code.startsWith('ERR_SISOCK_AUTH') ||
    error.code === 'ERR_SISOCK_REALM_UNKNOWN' ||
    error.code === 'ERR_SISOCK_SECRET_MISSING' ||
    error.code === 'ERR_SISOCK_NAME_INVALID' ||
    error.code === 'ERR_SISOCK_NODE_OVERRIDE' ||
    error.code === 'ERR_SESSION_OPTION_INVALID' ||
    error.code === 'ERR_SESSION_TRANSPORT_MISSING'
  )
}

const AUTH_REASONS = new Set([
  'wamp.error.not_authorized',
  'wamp.error.authentication_failed',
  'wamp.error.authentication_denied',
  'wamp.error.cannot_authenticate',
  'wamp.error.no_auth_method',
  'wamp.error.no_matching_auth_method',
  'wamp.error.no_such_role',
  'wamp.error.no_such_principal',
])

/** Why the router ended a session, or did not let it in. */
export function leaveError(reason: string, details: Kwargs): MeasurandError {
  const text = `${reason}: ${details['message'] ?? ''}`
  if (reason === 'wamp.error.no_such_realm') return sisockError('ERR_SISOCK_REALM_UNKNOWN', text)
  if (AUTH_REASONS.has(reason)) return sisockError('ERR_SISOCK_AUTH_DENIED', text)
  return sessionError('ERR_SESSION_CONNECTION_LOST', `the router ended the session: ${text}`, { system: 'sisock' })
}

const CALL_CODES: Readonly<Record<string, Parameters<typeof sisockError>[0]>> = {
  'wamp.error.no_such_procedure': 'ERR_SISOCK_PROCEDURE_MISSING',
  'wamp.error.no_such_registration': 'ERR_SISOCK_PROCEDURE_MISSING',
  'wamp.error.not_authorized': 'ERR_SISOCK_NOT_AUTHORIZED',
  'wamp.error.authorization_failed': 'ERR_SISOCK_NOT_AUTHORIZED',
  'wamp.error.canceled': 'ERR_SISOCK_CALL_CANCELED',
  'wamp.error.procedure_already_exists': 'ERR_SISOCK_NODE_DENIED',
}

/** The error that answered a call; its URI and arguments are the cause. */
export function callError(what: string, cause: unknown): Error {
  if (cause instanceof ProtocolError) return cause
  const { error, args } = (cause ?? {}) as Partial<WampError>
  if (typeof error !== 'string') return cause instanceof Error ? cause : new Error(String(cause))
  const text = `${what}: ${error}: ${(args ?? []).map((arg) => (typeof arg === 'string' ? arg : JSON.stringify(arg))).join(' ')}`
  return sisockError(CALL_CODES[error] ?? 'ERR_SISOCK_CALL_FAILED', text, { cause })
}
