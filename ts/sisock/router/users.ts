import { readFile } from 'node:fs/promises'
import type { Salt } from '../authentication.js'
import { sisockError } from '../error-codes.js'

/** Somebody who may join. */
export interface User extends Partial<Salt> {
  readonly secret: string
  /** `server` or `consumer`, unless other roles were given to the router. */
  readonly role: string
}

/** Users by name. */
export type Users = Readonly<Record<string, User>>

/** What a role may do below a prefix. */
export interface Permission {
  readonly prefix: string
  readonly call?: boolean
  readonly register?: boolean
  readonly publish?: boolean
  readonly subscribe?: boolean
}

/** What can be permitted. */
export type Action = 'call' | 'register' | 'publish' | 'subscribe'

/** Permissions by role; the longest prefix that fits decides. */
export type Roles = Readonly<Record<string, readonly Permission[]>>

/** The roles of sisock; the consumer's is tightened to what consumers do. */
export const SISOCK_ROLES: Roles = {
  server: [{ prefix: '', call: true, register: true, publish: true, subscribe: true }],
  consumer: [{ prefix: 'org.simonsobservatory.consumer', call: true, subscribe: true }],
}

/** Whether a role may do something with a URI. */
export function isPermitted(permissions: readonly Permission[], action: Action, uri: string): boolean {
  let best: Permission | undefined
  for (const permission of permissions) {
    if (!uri.startsWith(permission.prefix)) continue
    if (best === undefined || permission.prefix.length > best.prefix.length) best = permission
  }
  return best?.[action] === true
}

/** Reads a file of users: `{"NAME":{"secret":"...","role":"server|consumer","salt"?}}`. */
export async function readUsers(path: string): Promise<Users> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw sisockError('ERR_SISOCK_USERS', `${path} cannot be read`, { cause })
  })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw sisockError('ERR_SISOCK_USERS', `${path} is no JSON`, { cause })
  }
  return checkUsers(value, SISOCK_ROLES)
}

/** The users, or an error that says what is wrong with them. */
export function checkUsers(value: unknown, roles: Roles): Users {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw sisockError('ERR_SISOCK_USERS', 'the users are no object')
  }
  for (const [name, user] of Object.entries(value) as [string, Partial<User> | null][]) {
    if (typeof user !== 'object' || user === null) throw sisockError('ERR_SISOCK_USERS', `${name} is no object`)
    const { secret, role, salt, iterations, keylen } = user
    if (typeof secret !== 'string' || secret === '') throw sisockError('ERR_SISOCK_USERS', `${name} has no secret`)
    if (typeof role !== 'string' || !(role in roles)) {
      throw sisockError('ERR_SISOCK_USERS', `${name} has the role ${role}; there are ${Object.keys(roles).join(', ')}`)
    }
    if (salt !== undefined && typeof salt !== 'string')
      throw sisockError('ERR_SISOCK_USERS', `${name} has a salt that is no text`)
    for (const number of [iterations, keylen]) {
      if (number !== undefined && !(Number.isInteger(number) && number > 0 && number <= 10_000_000)) {
        throw sisockError('ERR_SISOCK_USERS', `${name} has iterations or a keylen that are no positive integers`)
      }
    }
  }
  return value as Users
}
