import { isClosed } from './zeromq.js'

/** Sends one message after the other: a ZeroMQ socket takes one at a time. What is sent to a closed socket is dropped. */
export class SerialSender {
  readonly #socket: { send(frames: Uint8Array[]): Promise<void> }
  #last: Promise<void> = Promise.resolve()

  constructor(socket: { send(frames: Uint8Array[]): Promise<void> }) {
    this.#socket = socket
  }

  send(frames: Uint8Array[]): Promise<void> {
    this.#last = this.#last
      .then(() => this.#socket.send(frames))
      .catch((error: unknown) => {
        if (!isClosed(error)) throw error
      })
    return this.#last
  }
}
