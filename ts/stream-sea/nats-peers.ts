import { createHash, randomUUID } from 'node:crypto'
import type { Subscription } from '@nats-io/transport-node'
import { ensureStream, isConflict, type Nats } from './nats-connection.js'
import type { Asked, Peers, PeersHandler } from './peers.js'

/** ms that another server has to answer. */
const ANSWER_WITHIN = 2000
const TEXT = new TextDecoder()

/**
 * The other servers of a log on NATS: they talk over subjects of their own, and who keeps which group stands in a
 * JetStream stream in memory, a subject a group.
 */
export class NatsPeers implements Peers {
  readonly id = randomUUID()
  readonly #nats: Nats
  readonly #leases: string
  /** Revisions of the leases that this server has. */
  readonly #held = new Map<string, number>()
  #handler: PeersHandler | undefined
  #subscription: Subscription | undefined

  private constructor(nats: Nats) {
    this.#nats = nats
    this.#leases = `${nats.prefix}_leases`
  }

  static async open(nats: Nats): Promise<NatsPeers> {
    const peers = new NatsPeers(nats)
    await peers.#makeLeases()
    return peers
  }

  listen(handler: PeersHandler): void {
    const { connection, prefix } = this.#nats
    this.#handler = handler
    this.#subscription = connection.subscribe(`${prefix}.s.${this.id}`, {
      callback: (error, message) => {
        if (error !== null) return
        const said = JSON.parse(TEXT.decode(message.data)) as Asked
        if (message.reply === undefined || message.reply === '') {
          handler.told(said)
          return
        }
        handler.asked(said).then(
          (answer) => message.respond(JSON.stringify({ answer: answer ?? null })),
          (reason: Error) => message.respond(JSON.stringify({ refused: reason.message })),
        )
      },
    })
    void this.#watchConnection()
  }

  async claim(group: string): Promise<string> {
    const subject = this.#subject(group)
    for (;;) {
      const found = await this.#nats.jsm.streams.getMessage(this.#leases, { last_by_subj: subject })
      const owner = found === null ? '' : TEXT.decode(found.data)
      if (owner === this.id) {
        this.#held.set(group, found?.seq ?? 0)
        return owner
      }
      if (owner !== '' && (await this.isThere(owner))) return owner
      try {
        const expect = { lastSubjectSequence: found?.seq ?? 0 }
        const { seq } = await this.#nats.js.publish(subject, this.id, { expect })
        this.#held.set(group, seq)
        return this.id
      } catch (error) {
        if (!isConflict(error)) throw error
      }
    }
  }

  async release(group: string): Promise<void> {
    if (this.#held.delete(group)) await this.#nats.jsm.streams.purge(this.#leases, { filter: this.#subject(group) })
  }

  async ask(server: string, message: Asked): Promise<unknown> {
    const { connection, prefix } = this.#nats
    const reply = await connection.request(`${prefix}.s.${server}`, JSON.stringify(message), { timeout: ANSWER_WITHIN })
    const { answer, refused } = JSON.parse(TEXT.decode(reply.data)) as { answer?: unknown; refused?: string }
    if (refused !== undefined) throw new Error(refused)
    return answer
  }

  tell(server: string, message: Asked): void {
    const { connection, prefix } = this.#nats
    if (!connection.isClosed()) connection.publish(`${prefix}.s.${server}`, JSON.stringify(message))
  }

  async isThere(server: string): Promise<boolean> {
    for (let tried = 0; tried < 2; tried++) {
      try {
        await this.ask(server, { type: 'ping' })
        return true
      } catch (error) {
        // Nobody listens there: NATS says so at once. Who is only slow gets a second chance.
        if (isNobody(error)) return false
      }
    }
    return false
  }

  close(): void {
    this.#subscription?.unsubscribe()
  }

  /** After a break, what others have said meanwhile is unknown, and NATS may have started anew. */
  async #watchConnection(): Promise<void> {
    for await (const { type } of this.#nats.connection.status()) {
      if (type !== 'reconnect') continue
      await this.#makeLeases().catch(() => undefined)
      this.#handler?.returned()
    }
  }

  async #makeLeases(): Promise<void> {
    const { api, prefix } = this.#nats
    await ensureStream(this.#nats, {
      name: this.#leases,
      subjects: [`${prefix}.l.*`],
      storage: api.StorageType.Memory,
      max_msgs_per_subject: 1,
    })
  }

  #subject(group: string): string {
    return `${this.#nats.prefix}.l.${createHash('sha256').update(group).digest('base64url')}`
  }
}

function isNobody(error: unknown): boolean {
  const { name, cause } = (error ?? {}) as { name?: string; cause?: unknown }
  return name === 'NoRespondersError' || (cause !== undefined && isNobody(cause))
}
