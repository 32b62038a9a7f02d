import { type Client, RIGHTS } from './directory.js'
import { isName } from './names.js'
import { Refusal } from './refusal.js'
import type { Fields } from './request-body.js'
import type { Right } from './requests.js'
import type { StreamSeaServer } from './server.js'

/** Refuses what a client has no right to do. */
export function demand(client: Client, right: Right): void {
  if (!client.rights.has(right)) throw new Refusal(403, `The client [${client.id}] has not the right [${right}].`)
}

/** What clients do to clients and jails; the audit log says who did, or was not allowed to. */
export class Administration {
  readonly #server: StreamSeaServer

  constructor(server: StreamSeaServer) {
    this.#server = server
  }

  /** The clients of the caller's jail. */
  clients(client: Client): unknown {
    demand(client, 'clients')
    const shown = ({ id, description, rights }: Client) => ({ id, description, rights: [...rights] })
    return { clients: this.#server.directory.clientsOf(client.jail).map(shown) }
  }

  /** Gives the caller a new secret. */
  async rotateSecret(client: Client, id: string): Promise<unknown> {
    if (id !== client.id) throw new Refusal(403, 'A client can only rotate its own secret.')
    const secret = await this.#server.directory.rotateSecret(id)
    await this.#audit(client, 'rotate-secret', id, true)
    return { id, givenId: id, secret }
  }

  /** Who did what in the caller's jail. */
  async auditLog(client: Client): Promise<unknown> {
    demand(client, 'clients')
    return { audit: await this.#server.auditLog(client.jail) }
  }

  /** Makes a client in the caller's jail. */
  async createClient(client: Client, { clientId, description = '', rights }: Fields): Promise<unknown> {
    const { directory } = this.#server
    await this.#demandAudited(client, 'clients', 'create-client', String(clientId))
    if (!isName(clientId)) throw new Refusal(400, 'clientId is not a name.')
    if (typeof description !== 'string' || description.length > 1000)
      throw new Refusal(400, 'description is not a text of at most 1000 characters.')
    const asked = rights ?? [...client.rights]
    if (!Array.isArray(asked) || !asked.every((right) => RIGHTS.includes(right)))
      throw new Refusal(400, `rights are of ${RIGHTS.join(', ')}.`)
    // Nobody can give what he has not.
    if (!asked.every((right) => client.rights.has(right)))
      throw new Refusal(403, 'The client has not all of these rights.')
    const secret = await directory.createClient(client.jail, clientId, description, asked)
    await this.#audit(client, 'create-client', clientId, true)
    return { id: clientId, givenId: clientId, secret }
  }

  /** Deletes a client of the caller's jail. */
  async deleteClient(client: Client, id: string): Promise<unknown> {
    await this.#demandAudited(client, 'clients', 'delete-client', id)
    if (this.#server.directory.client(id)?.jail !== client.jail)
      throw new Refusal(404, `The client [${id}] was not found.`)
    await this.#server.deleteClient(id)
    await this.#audit(client, 'delete-client', id, true)
    return { id }
  }

  /** Sets the key that the caller's tokens are checked by. */
  async rotateKey(client: Client, id: string, { jwtPublicKey }: Fields): Promise<unknown> {
    if (id !== client.id) throw new Refusal(403, 'A client can only rotate its own key.')
    if (jwtPublicKey !== null && typeof jwtPublicKey !== 'string')
      throw new Refusal(400, 'jwtPublicKey is not a PEM text or null.')
    await this.#server.directory.rotateJwtPublicKey(id, jwtPublicKey)
    await this.#audit(client, 'rotate-jwt-public-key', id, true)
    return { id, givenId: id, jwtPublicKey }
  }

  /** Makes a jail with a first client in it. */
  async createJail(client: Client, { newJailId, newJailName, newClientId }: Fields): Promise<unknown> {
    const { directory } = this.#server
    await this.#demandAudited(client, 'jails', 'create-jail', String(newJailId))
    if (!isName(newJailId) || !isName(newClientId)) throw new Refusal(400, 'newJailId or newClientId is not a name.')
    if (typeof newJailName !== 'string' || newJailName.length > 1000)
      throw new Refusal(400, 'newJailName is not a text of at most 1000 characters.')
    if (directory.client(newClientId) !== undefined)
      throw new Refusal(400, `The client [${newClientId}] exists already.`)
    await directory.createJail(newJailId, newJailName)
    const rights = RIGHTS.filter((right) => right !== 'jails')
    const newClientSecret = await directory.createClient(newJailId, newClientId, '', rights)
    await this.#audit(client, 'create-jail', newJailId, true)
    return { newJailId, newJailName, newClientId, newClientSecret }
  }

  /** Deletes a jail with everything in it. */
  async deleteJail(client: Client, id: string): Promise<unknown> {
    await this.#demandAudited(client, 'jails', 'delete-jail', id)
    if (!this.#server.directory.hasJail(id)) throw new Refusal(404, `The jail [${id}] was not found.`)
    await this.#audit(client, 'delete-jail', id, true)
    await this.#server.deleteJail(id)
    return { id }
  }

  async #demandAudited(client: Client, right: Right, action: string, target: string): Promise<void> {
    if (client.rights.has(right)) return
    await this.#audit(client, action, target, false)
    demand(client, right)
  }

  #audit(client: Client, action: string, target: string, done: boolean): Promise<void> {
    const line = {
      time: this.#server.now(),
      jail: client.jail,
      client: client.id,
      action,
      target: target.slice(0, 200),
      done,
    }
    return this.#server.directory.audit(line)
  }
}
