// The only file of this room that touches the addon.
import { isSharedArrayBuffer } from 'node:util/types'
import * as native from '../native/index.js'
import { fromNative } from '../session/errors.js'
import { streamSeaError } from './error-codes.js'

/** What the messages of a stream may be, ready to check them. */
export type CompiledSchema = native.StreamSeaSchema

/** Reads the `fields` of a definition; throws `ERR_STREAMSEA_SCHEMA_INVALID`. */
export function compileSchema(fields: unknown): CompiledSchema {
  try {
    return new native.StreamSeaSchema(JSON.stringify(fields ?? null))
  } catch (error) {
    throw fromNative(error, 'stream-sea')
  }
}

/** Messages of a stream, gathered until they are stored together. */
export class Gathering {
  readonly #native = new native.StreamSeaMessages()

  /**
   * Appends what a publish's body, `{"payload": X}`, holds. Gives how many messages it is, or what is wrong with them;
   * throws where the body is not a publish. Refused bodies leave nothing.
   */
  append(body: Uint8Array, schema: CompiledSchema | undefined): number | string[] {
    if (isSharedArrayBuffer(body.buffer)) throw streamSeaError('ERR_STREAMSEA_JSON_INVALID', 'shared memory may change')
    try {
      const count = this.#native.appendBody(body, schema)
      return count < 0 ? this.#native.takeViolations() : count
    } catch (error) {
      throw fromNative(error, 'stream-sea')
    }
  }

  /** Messages gathered. */
  get length(): number {
    return this.#native.count()
  }

  /** Writes them behind so many bytes of room, and starts anew. */
  pack(room: number): Buffer {
    const out = Buffer.allocUnsafeSlow(room + this.#native.packedLength())
    this.#native.pack(out.subarray(room))
    return out
  }
}

/** What deliveries carry for subscribers that ask for it. */
export interface Extras {
  /** Offset of the first of them. */
  readonly offset: number
  /** When they were stored, ms since 1970-01-01 UTC. */
  readonly time: number
  /** How many times they were delivered before. */
  readonly redelivered: number
}

/** Writes packed messages `from` to `to` as WebSocket frames, each with `head` before it and the extras behind it. */
export function writeFrames(packed: Uint8Array, from: number, to: number, head: Uint8Array, extras?: Extras): Buffer {
  try {
    const length = native.streamSeaFramesLength(packed, from, to, head.length, extras !== undefined)
    const out = Buffer.allocUnsafeSlow(length)
    const { offset, time, redelivered } = extras ?? { offset: -1, time: 0, redelivered: 0 }
    const used = native.streamSeaWriteFrames(packed, from, to, head, offset, time, redelivered, out)
    return out.subarray(0, used)
  } catch (error) {
    throw fromNative(error, 'stream-sea')
  }
}

/** How a call of {@link Downlink.decode} ended. */
export const DOWNLINK = { needMore: 0, full: 1, control: 2, malformed: 3, lost: 4 } as const

/** A server's message that is no delivery. */
export interface Control {
  /** 1 text, 2 binary, 8 close, 9 ping, 10 pong. */
  readonly opcode: number
  readonly payload: Buffer
}

/** Reads the WebSocket frames that a server sends. */
export class Downlink {
  readonly #native: native.StreamSeaDownlink

  /**
   * @param limit bytes of a message, at most
   * @param answers whether the answers of publishes become rows too
   */
  constructor(limit: number, answers: boolean) {
    this.#native = new native.StreamSeaDownlink(limit, answers)
  }

  /** Appends the deliveries of a chunk to a block; gives a status of {@link DOWNLINK}. */
  decode(chunk: Uint8Array, block: Uint8Array): number {
    try {
      return this.#native.decode(chunk, block)
    } catch (error) {
      throw fromNative(error, 'stream-sea')
    }
  }

  /** Bytes taken that belong to no whole message yet. */
  get pending(): number {
    return this.#native.pending()
  }

  /** The message that ended the last call. */
  takeControl(): Control | undefined {
    return this.#native.takeControl() ?? undefined
  }

  /** The error that ended the last call. */
  takeError(): Error {
    const { code, text } = this.#native.takeError() ?? { code: 'ERR_STREAMSEA_FRAME_INVALID', text: 'framing is lost' }
    return fromNative({ code, message: text }, 'stream-sea')
  }
}
