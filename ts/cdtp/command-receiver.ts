import type { Clock } from '../session/clock.js'
import { decodeCscp, encodeCscp } from './codec.js'
import { timestampNow, type Value, type Values } from './value.js'
import { isClosed, portOf, type Zmq, zeromq } from './zeromq.js'

/** What an answer can be. */
export const Verb = {
  REQUEST: 0,
  SUCCESS: 1,
  NOTIMPLEMENTED: 2,
  INCOMPLETE: 3,
  INVALID: 4,
  UNKNOWN: 5,
  ERROR: 6,
} as const

export type Verb = (typeof Verb)[keyof typeof Verb]

/** The answer to a command. */
export interface Answer {
  readonly verb?: Verb
  readonly text: string
  readonly payload?: Value | undefined
  readonly tags?: Values
}

/** Answers commands: each exactly once. */
export class CommandReceiver {
  readonly #name: string
  readonly #clock: Clock
  readonly #answer: (command: string, payload: Value | undefined) => Answer | Promise<Answer>
  #socket: Zmq.Reply | undefined

  /** @param answer is given the command in lower case; what it throws is answered with ERROR */
  constructor(
    name: string,
    clock: Clock,
    answer: (command: string, payload: Value | undefined) => Answer | Promise<Answer>,
  ) {
    this.#name = name
    this.#clock = clock
    this.#answer = answer
  }

  /** Listens; gives the port. */
  async open(endpoint: string): Promise<number> {
    const { Reply } = await zeromq()
    const socket = new Reply({ linger: 1000 })
    await socket.bind(endpoint)
    this.#socket = socket
    void this.#serve(socket)
    return portOf(socket)
  }

  close(): void {
    this.#socket?.close()
    this.#socket = undefined
  }

  async #serve(socket: Zmq.Reply): Promise<void> {
    try {
      for await (const frames of socket) await socket.send(await this.#take(frames))
    } catch (error) {
      if (!isClosed(error)) throw error
    }
  }

  async #take(frames: Uint8Array[]): Promise<Uint8Array[]> {
    try {
      const { verb, text, payload } = decodeCscp(frames)
      if (verb !== Verb.REQUEST) {
        return this.#encode({ verb: Verb.INVALID, text: 'Can only handle messages of type REQUEST' })
      }
      return this.#encode(await this.#answer(text.toLowerCase(), (payload as Value | null | undefined) ?? undefined))
    } catch (error) {
      return this.#encode({ verb: Verb.ERROR, text: (error as Error).message })
    }
  }

  #encode({ verb = Verb.SUCCESS, text, payload, tags = {} }: Answer): Uint8Array[] {
    return encodeCscp(this.#name, timestampNow(this.#clock), tags, verb, text, payload)
  }
}
