import type { EventLog } from './event-log.js'
import type { SchemaDefinition } from './schema.js'
import { Stream } from './stream.js'

/** What is kept of a stream beside where it is. */
interface StreamDocument {
  readonly number?: number
  readonly schema?: SchemaDefinition
}

/** The streams of a server, by jail and name. */
export class Streams implements Iterable<Stream> {
  readonly #log: EventLog
  readonly #streams = new Map<string, Stream>()
  readonly #opening = new Map<string, Promise<Stream>>()

  constructor(log: EventLog) {
    this.#log = log
  }

  /** Opens those of the log. */
  async restore(): Promise<void> {
    for (const [key, value] of await this.#log.list('s!')) await this.changed(key, value)
  }

  [Symbol.iterator](): IterableIterator<Stream> {
    return this.#streams.values()
  }

  get(jail: string, name: string): Stream | undefined {
    return this.#streams.get(keyOf(jail, name))
  }

  of(jail: string): Stream[] {
    return [...this].filter((stream) => stream.jail === jail)
  }

  /** The stream, made if it is not there. */
  async make(jail: string, name: string): Promise<Stream> {
    const there = this.get(jail, name)
    if (there !== undefined) return there
    return this.#open(jail, name, () => this.#log.createStream(keyOf(jail, name)))
  }

  /** The document of a stream with a schema. */
  document(stream: Stream, schema: SchemaDefinition): { type: 'put'; key: string; value: string } {
    const value: StreamDocument = { number: stream.number, schema }
    return { type: 'put', key: keyOf(stream.jail, stream.name), value: JSON.stringify(value) }
  }

  /** The log has, or has no more, a document of a stream. */
  async changed(key: string, value: string | undefined): Promise<void> {
    const [, jail = '', name = ''] = key.split('!')
    if (value === undefined) {
      this.#streams.delete(key)
      return
    }
    const { number, schema } = JSON.parse(value) as StreamDocument
    // Whoever makes it has not given it a number yet, and does so in a moment.
    if (number === undefined) return
    const stream = await this.#open(jail, name, () => Promise.resolve(number))
    if (schema !== undefined) stream.schema = schema
  }

  /** Forgets a stream; gives its document's deletion. */
  remove(stream: Stream): { type: 'delete'; key: string } {
    const key = keyOf(stream.jail, stream.name)
    this.#streams.delete(key)
    return { type: 'delete', key }
  }

  async #open(jail: string, name: string, number: () => Promise<number>): Promise<Stream> {
    const key = keyOf(jail, name)
    const there = this.#streams.get(key) ?? this.#opening.get(key)
    if (there !== undefined) return there
    const opening = (async () => {
      const stream = new Stream(jail, name, await number(), this.#log)
      await stream.open()
      this.#streams.set(key, stream)
      return stream
    })()
    this.#opening.set(key, opening)
    try {
      return await opening
    } finally {
      this.#opening.delete(key)
    }
  }
}

function keyOf(jail: string, name: string): string {
  return `s!${jail}!${name}`
}
