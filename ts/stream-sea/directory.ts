import { createHash, createHmac, type KeyObject, randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { streamSeaError } from './error-codes.js'
import type { EventLog, Write } from './event-log.js'
import { readJwtPublicKey } from './jwt.js'
import type { Right } from './requests.js'

/** What a client may do, in the order that the documentation has it. */
export const RIGHTS: readonly Right[] = ['publish', 'subscribe', 'define', 'clients', 'jails']

/** How a secret is kept: scrypt for those that people chose, SHA-256 for those that the server drew (256 bits). */
interface SecretHash {
  readonly kind: 'scrypt' | 'sha256'
  readonly salt: string
  readonly hash: string
}

interface ClientRecord {
  readonly jail: string
  readonly description: string
  readonly secret: SecretHash
  readonly rights: readonly Right[]
  readonly jwtPublicKey: string | null
}

/** Somebody who may use the server. */
export interface Client {
  readonly id: string
  readonly jail: string
  readonly description: string
  readonly rights: ReadonlySet<Right>
  /** What its tokens are checked by. */
  readonly jwtKey: KeyObject | undefined
}

/** A line of the audit log. */
export interface AuditLine {
  /** ms since 1970-01-01 UTC. */
  readonly time: number
  readonly jail: string
  readonly client: string
  readonly action: string
  readonly target: string
  /** Whether it was done, or refused. */
  readonly done: boolean
}

type Persist = (writes: readonly Write[]) => Promise<void>
const scryptHash = promisify(scrypt) as (secret: string, salt: Buffer, length: number) => Promise<Buffer>

/** Jails and clients, with their secrets hashed. Client ids are unique on a server: nobody says his jail. */
export class Directory {
  readonly #persist: Persist
  readonly #jails = new Map<string, string>()
  readonly #records = new Map<string, ClientRecord>()
  readonly #clients = new Map<string, Client>()
  /** Credentials that were right, by a keyed digest that says nothing outside this process. */
  readonly #known = new Map<string, string>()
  readonly #digestKey = randomBytes(32)
  #hashing: Promise<unknown> = Promise.resolve()
  #changing: Promise<unknown> = Promise.resolve()
  readonly #tag = randomBytes(4).toString('hex')
  #auditCount = 0

  private constructor(persist: Persist) {
    this.#persist = persist
  }

  /** Reads the directory of a log; changes go through `persist`. */
  static async open(log: EventLog, persist: Persist): Promise<Directory> {
    const directory = new Directory(persist)
    for (const [key, value] of await log.list('j!')) directory.#jails.set(key.slice(2), JSON.parse(value).name)
    for (const [key, value] of await log.list('c!')) directory.#keep(key.slice(2), JSON.parse(value))
    return directory
  }

  /** A document of a jail or client was changed, perhaps by another server. */
  changed(key: string, value: string | undefined): void {
    const id = key.slice(2)
    if (key.startsWith('j!')) {
      if (value === undefined) this.#jails.delete(id)
      else this.#jails.set(id, JSON.parse(value).name)
      return
    }
    // What this server has written itself comes back too, and changes nothing.
    if (value !== undefined && JSON.stringify(this.#records.get(id)) === value) return
    this.#forget(id)
    if (value !== undefined) this.#keep(id, JSON.parse(value))
  }

  /** Whether nobody can use the server yet. */
  get isEmpty(): boolean {
    return this.#clients.size === 0
  }

  hasJail(jail: string): boolean {
    return this.#jails.has(jail)
  }

  client(id: string): Client | undefined {
    return this.#clients.get(id)
  }

  /** The clients of a jail. */
  clientsOf(jail: string): Client[] {
    return [...this.#clients.values()].filter((client) => client.jail === jail)
  }

  /** Gives the client whose id and secret these are. */
  async authenticate(id: string, secret: string): Promise<Client | undefined> {
    const digest = this.#digest(id, secret)
    if (this.#known.get(digest) === id) return this.#clients.get(id)
    const record = this.#records.get(id)
    if (record === undefined || secret.length > 1024 || !(await this.#matches(record.secret, secret))) return undefined
    // It may have been changed while it was hashed.
    if (this.#records.get(id) !== record) return undefined
    this.#known.set(digest, id)
    return this.#clients.get(id)
  }

  /** {@link authenticate} for credentials that were right before; undefined says nothing. */
  recognise(id: string, secret: string): Client | undefined {
    return this.#known.get(this.#digest(id, secret)) === id ? this.#clients.get(id) : undefined
  }

  /** Makes a jail; rejects with `ERR_STREAMSEA_NAME_TAKEN` where there is one of that name. */
  createJail(jail: string, name: string): Promise<void> {
    return this.#change(async () => {
      if (this.#jails.has(jail)) throw taken('jail', jail)
      await this.#persist([{ type: 'put', key: `j!${jail}`, value: JSON.stringify({ name }) }])
      this.#jails.set(jail, name)
    })
  }

  /** Deletes a jail with its clients. */
  deleteJail(jail: string): Promise<void> {
    return this.#change(async () => {
      const clients = this.clientsOf(jail)
      const writes: Write[] = clients.map(({ id }) => ({ type: 'delete', key: `c!${id}` }))
      await this.#persist([...writes, { type: 'delete', key: `j!${jail}` }])
      this.#jails.delete(jail)
      for (const { id } of clients) this.#forget(id)
    })
  }

  /**
   * Makes a client; gives its secret, which is drawn unless it is told. Rejects with `ERR_STREAMSEA_NAME_TAKEN` where
   * there is one of that name, whatever its jail.
   */
  createClient(
    jail: string,
    id: string,
    description: string,
    rights: readonly Right[],
    secret?: string,
  ): Promise<string> {
    return this.#change(async () => {
      if (!this.#jails.has(jail)) throw unknown('jail', jail)
      if (this.#records.has(id)) throw taken('client', id)
      const given = secret ?? newSecret()
      const hash = await this.#hash(secret === undefined ? 'sha256' : 'scrypt', given)
      await this.#put(id, { jail, description, secret: hash, rights, jwtPublicKey: null })
      return given
    })
  }

  /** Deletes a client. */
  deleteClient(id: string): Promise<void> {
    return this.#change(async () => {
      await this.#persist([{ type: 'delete', key: `c!${id}` }])
      this.#forget(id)
    })
  }

  /** Draws a new secret; the old one is dead at once. */
  rotateSecret(id: string): Promise<string> {
    return this.#change(async () => {
      const secret = newSecret()
      const hash = await this.#hash('sha256', secret)
      await this.#put(id, { ...this.#record(id), secret: hash })
      return secret
    })
  }

  /** Sets the key that a client's tokens are checked by; null takes it away. */
  rotateJwtPublicKey(id: string, jwtPublicKey: string | null): Promise<void> {
    if (jwtPublicKey !== null) readJwtPublicKey(jwtPublicKey)
    return this.#change(() => this.#put(id, { ...this.#record(id), jwtPublicKey }))
  }

  /** Enters a line of the audit log. */
  async audit(line: AuditLine): Promise<void> {
    const order = String(this.#auditCount++ % 1e6).padStart(6, '0')
    // Several servers may write one at a time.
    const key = `a!${line.jail}!${String(line.time).padStart(15, '0')}!${order}!${this.#tag}`
    await this.#persist([{ type: 'put', key, value: JSON.stringify(line) }])
  }

  /** Changes are made one after the other: what one was decided by still holds when it is written. */
  #change<T>(work: () => Promise<T>): Promise<T> {
    const changed = this.#changing.then(work)
    this.#changing = changed.catch(() => undefined)
    return changed
  }

  #record(id: string): ClientRecord {
    const record = this.#records.get(id)
    if (record === undefined) throw unknown('client', id)
    return record
  }

  async #put(id: string, record: ClientRecord): Promise<void> {
    await this.#persist([{ type: 'put', key: `c!${id}`, value: JSON.stringify(record) }])
    this.#forget(id)
    this.#keep(id, record)
  }

  #keep(id: string, record: ClientRecord): void {
    const { jail, description, rights, jwtPublicKey } = record
    const jwtKey = jwtPublicKey === null ? undefined : readJwtPublicKey(jwtPublicKey)
    this.#records.set(id, record)
    this.#clients.set(id, { id, jail, description, rights: new Set(rights), jwtKey })
  }

  #forget(id: string): void {
    this.#records.delete(id)
    this.#clients.delete(id)
    for (const [digest, known] of this.#known) if (known === id) this.#known.delete(digest)
  }

  #digest(id: string, secret: string): string {
    return createHmac('sha256', this.#digestKey).update(`${id}:${secret}`).digest('base64')
  }

  async #hash(kind: SecretHash['kind'], secret: string): Promise<SecretHash> {
    const salt = randomBytes(16)
    const hash = await this.#run(kind, secret, salt)
    return { kind, salt: salt.toString('base64'), hash: hash.toString('base64') }
  }

  async #matches({ kind, salt, hash }: SecretHash, secret: string): Promise<boolean> {
    return timingSafeEqual(await this.#run(kind, secret, Buffer.from(salt, 'base64')), Buffer.from(hash, 'base64'))
  }

  #run(kind: SecretHash['kind'], secret: string, salt: Buffer): Promise<Buffer> {
    if (kind === 'sha256') return Promise.resolve(createHash('sha256').update(salt).update(secret).digest())
    // One after the other: wrong secrets must not take all threads of the process.
    const result = this.#hashing.then(() => scryptHash(secret, salt, 32))
    this.#hashing = result.catch(() => undefined)
    return result
  }
}

function taken(what: string, name: string): Error {
  return streamSeaError('ERR_STREAMSEA_NAME_TAKEN', `The ${what} [${name}] exists already.`)
}

function unknown(what: string, name: string): Error {
  return streamSeaError('ERR_STREAMSEA_NAME_UNKNOWN', `The ${what} [${name}] was not found.`)
}

function newSecret(): string {
  return randomBytes(32).toString('base64url')
}
