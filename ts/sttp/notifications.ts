import { sttpWriteResponse } from './codec.js'
import { COMMAND, RESPONSE } from './codes.js'

/** The texts that a client was sent and has not confirmed, by their hash. */
export class Notifications {
  readonly #unconfirmed = new Map<number, (isConfirmed: boolean) => void>()

  /** Resolves to true when the client has confirmed it, to false when the connection ends before. */
  confirmation(hash: number): Promise<boolean> {
    return new Promise((resolve) => this.#unconfirmed.set(hash, resolve))
  }

  /** The client has confirmed it; `false` where that was not awaited. */
  confirmed(hash: number): boolean {
    const resolve = this.#unconfirmed.get(hash)
    this.#unconfirmed.delete(hash)
    resolve?.(true)
    return resolve !== undefined
  }

  /** The connection is over. */
  close(): void {
    for (const resolve of this.#unconfirmed.values()) resolve(false)
    this.#unconfirmed.clear()
  }
}

/** The frame of a text without a hash: sttpapi's subscriber would take the hash for a part of the text. */
export function textNotification(text: string, modes: number): Uint8Array {
  const payload = Buffer.from(text)
  return sttpWriteResponse({ type: 'other', code: RESPONSE.notify, command: COMMAND.subscribe, payload }, modes)
}
