import { createHash, randomUUID } from 'node:crypto'
import type { StoredMsg } from '@nats-io/jetstream'
import { type Entry, entryBytes, readEntry } from './entry.js'
import { streamSeaError } from './error-codes.js'
import type { Append, Appended, Published, StreamState } from './event-log.js'
import { batchesOf, type Run, runsOf } from './nats-append.js'
import { ensureStream, isConflict, type Nats } from './nats-connection.js'
import { NatsFollower } from './nats-follower.js'

/** ms that JetStream has to store a batch. */
const ANSWER_WITHIN = 5000
/** How often a commit is tried while other servers come first. */
const TRIES = 200
/** Places of reading that are remembered. */
const PLACES = 64

/**
 * The entries of a stream in one JetStream stream. Each names its first offset; a server that appends says which entry
 * it believes to be the last, and looks again where that was wrong, so offsets have no gaps whoever appends.
 */
export class NatsStream {
  readonly #nats: Nats
  readonly #name: string
  readonly #subject: string
  /** Sequence of the last entry, and what is behind it. */
  #last = 0
  #next = 0
  #time = 0
  /** Whether somebody may have appended what this server has not seen. */
  #stale = false
  #follower: NatsFollower | undefined
  /** Sequences of entries by the offset that they begin with. */
  readonly #places = new Map<number, number>()

  constructor(nats: Nats, number: number) {
    this.#nats = nats
    this.#name = `${nats.prefix}_${number}`
    this.#subject = `${nats.prefix}.e.${number}`
  }

  /** Makes it if it is not there; gives to `follow` what is appended from now on. */
  async open(follow: (entry: Entry) => void): Promise<StreamState> {
    await ensureStream(this.#nats, {
      name: this.#name,
      subjects: [`${this.#subject}.>`],
      allow_direct: true,
      allow_atomic: true,
    })
    await this.#refresh()
    const state = await this.state()
    const followed = { stream: this.#name, from: this.#last + 1 }
    const [follower] = await NatsFollower.start(this.#nats, followed, ({ data, seq }) => {
      const entry = entryOf(data)
      this.#advance(seq, entry)
      follow(entry)
    })
    this.#follower = follower
    return state
  }

  async state(): Promise<StreamState> {
    const { state } = await this.#nats.jsm.streams.info(this.#name)
    const first = state.messages === 0 ? undefined : await this.#from(state.first_seq)
    return { start: first?.entry.first ?? this.#next, next: this.#next, bytes: state.bytes, time: this.#time }
  }

  /** Appends publishes: those of one batch are stored together, and each is whole or not there. */
  async append(append: Append): Promise<Appended> {
    const published: (Published | Error)[] = []
    const entries: Entry[] = []
    for (const batch of batchesOf(runsOf(append, this.#nats.maxPayload))) {
      let outcome: Map<Run, Published> | undefined
      let failure: Error | undefined
      try {
        outcome = await this.#store(batch, append.time, entries)
      } catch (cause) {
        // What was sent may be there: NATS did not say.
        this.#stale = true
        const text = `NATS did not say that it was stored: ${(cause as Error).message}`
        failure = streamSeaError('ERR_STREAMSEA_LOG_FAILED', text, { cause })
      }
      for (const run of batch) {
        const place = outcome?.get(run)
        const long = run.pieces.length === 0 ? tooLong(this.#nats.maxPayload) : undefined
        let first = place?.first ?? 0
        for (let index = run.from; index < run.to; index++) {
          const count = place?.duplicate ? place.count : (append.publishes[index]?.count ?? 0)
          published[index] = long ?? failure ?? { first, count, duplicate: place?.duplicate ?? false }
          first += count
        }
      }
    }
    return { entries, published }
  }

  /** The publish that had a key: its entry has a subject of its own, and goes with its messages. */
  async findKey(key: string): Promise<{ first: number; count: number } | undefined> {
    const found = await this.#nats.jsm.streams.getMessage(this.#name, { last_by_subj: this.#keySubject(key) })
    if (found === null) return undefined
    const [, first, count] = entryOf(found.data).keys[0] as [string, number, number]
    return { first, count }
  }

  async read(offset: number, bytes: number): Promise<Entry[]> {
    if (offset >= this.#next) return []
    const found = await this.#find(offset)
    if (found === undefined) return []
    const entries = [found.entry]
    const room = bytes - found.entry.packed.length
    if (room > 0 && found.seq < this.#last) {
      const more = await this.#nats.jsm.direct.getBatch(this.#name, {
        seq: found.seq + 1,
        batch: 1000,
        max_bytes: Math.max(room, this.#nats.maxPayload),
      })
      let seq = found.seq
      for await (const message of more) {
        entries.push(entryOf(message.data))
        seq = message.seq
      }
      this.#remember(seq + 1, entries.at(-1) as Entry)
    } else this.#remember(found.seq + 1, found.entry)
    return entries
  }

  async trim(offset: number): Promise<void> {
    if (offset <= 0) return
    const behind = offset >= this.#next ? undefined : await this.#find(offset)
    // The last entry says where the next one begins: it stays, as little as it is.
    await this.#nats.jsm.streams.purge(this.#name, { seq: Math.min(behind?.seq ?? this.#last, this.#last) })
  }

  async drop(): Promise<void> {
    await this.close()
    await this.#nats.jsm.streams.delete(this.#name)
  }

  async close(): Promise<void> {
    await this.#follower?.close()
  }

  /** Stores runs behind what is there; gives where they are. */
  async #store(batch: readonly Run[], time: number, entries: Entry[]): Promise<Map<Run, Published>> {
    const outcome = new Map<Run, Published>()
    let rest = batch.filter(({ pieces }) => pieces.length > 0)
    if (this.#stale) await this.#refresh()
    for (let attempt = 1; rest.length > 0; attempt++) {
      const made = this.#entriesOf(rest, time)
      try {
        const seq = await this.#send(made)
        for (const [index, { entry }] of made.entries()) this.#advance(seq - made.length + 1 + index, entry)
        for (const { run, entry } of made) {
          entries.push(entry)
          if (!outcome.has(run)) outcome.set(run, { first: entry.first, count: run.count, duplicate: false })
        }
        return outcome
      } catch (error) {
        if (!isConflict(error) || attempt >= TRIES) throw error
      }
      await this.#refresh()
      for (const run of rest) {
        const known = run.key === undefined ? undefined : await this.findKey(run.key)
        if (known !== undefined) outcome.set(run, { ...known, duplicate: true })
      }
      rest = rest.filter((run) => !outcome.has(run))
    }
    return outcome
  }

  #entriesOf(runs: readonly Run[], now: number): { run: Run; entry: Entry; subject: string }[] {
    const time = Math.max(this.#time, now)
    let next = this.#next
    return runs.flatMap((run) => {
      const { key, pieces } = run
      return pieces.map(({ count, packed }, index) => {
        const first = next
        next += count
        const isKeyed = key !== undefined && index === 0
        const keys: Entry['keys'] = isKeyed ? [[key, first, run.count]] : []
        const subject = isKeyed ? this.#keySubject(key) : `${this.#subject}.m`
        return { run, entry: { first, count, time, keys, packed }, subject }
      })
    })
  }

  /** Sends entries, all or none; gives the sequence of the last. */
  async #send(made: readonly { readonly entry: Entry; readonly subject: string }[]): Promise<number> {
    const { connection, core, js } = this.#nats
    const isKeyed = ({ keys }: Entry): boolean => keys.length > 0
    const [{ entry, subject }] = made as [(typeof made)[0]]
    if (made.length === 1) {
      const expect = { lastSequence: this.#last, ...(isKeyed(entry) && { lastSubjectSequence: 0 }) }
      return (await js.publish(subject, bytesOf(entry), { expect })).seq
    }
    // An atomic batch: the package's own does not say why one was refused.
    const id = randomUUID()
    for (const [index, { entry, subject }] of made.entries()) {
      const headers = core.headers()
      headers.set('Nats-Batch-Id', id)
      headers.set('Nats-Batch-Sequence', String(index + 1))
      if (index === 0) headers.set('Nats-Expected-Last-Sequence', String(this.#last))
      if (isKeyed(entry)) headers.set('Nats-Expected-Last-Subject-Sequence', '0')
      if (index < made.length - 1) {
        connection.publish(subject, bytesOf(entry), { headers })
        continue
      }
      headers.set('Nats-Batch-Commit', '1')
      const reply = await connection.request(subject, bytesOf(entry), { headers, timeout: ANSWER_WITHIN })
      const { error, seq } = reply.json<{ error?: { err_code: number; description: string }; seq: number }>()
      if (error === undefined) return seq
      throw Object.assign(new Error(error.description), { code: error.err_code })
    }
    return this.#last
  }

  #advance(seq: number, entry: Entry): void {
    if (seq <= this.#last) return
    this.#last = seq
    this.#next = entry.first + entry.count
    this.#time = entry.time
  }

  /** Looks what the last entry is; asks the server that writes, not a copy. */
  async #refresh(): Promise<void> {
    const last = await this.#nats.jsm.streams.getMessage(this.#name, { last_by_subj: `${this.#subject}.>` })
    if (last !== null) this.#advance(last.seq, entryOf(last.data))
    this.#stale = false
  }

  /** The entry that holds an offset, or the next there is. */
  async #find(offset: number): Promise<{ seq: number; entry: Entry } | undefined> {
    const place = this.#places.get(offset)
    if (place !== undefined) {
      const found = await this.#from(place)
      if (found?.entry.first === offset) return found
    }
    let [low, high] = [1, this.#last]
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      const found = await this.#from(middle)
      if (found !== undefined && found.entry.first + found.entry.count <= offset) low = found.seq + 1
      else high = middle
    }
    return this.#from(low)
  }

  /** The entry of a sequence, or the next there is. */
  async #from(seq: number): Promise<{ seq: number; entry: Entry } | undefined> {
    // The server that writes is asked, not a copy: what a copy has not got yet would look as if it were gone.
    const query = { seq, next_by_subj: `${this.#subject}.>` }
    const found: StoredMsg | null = await this.#nats.jsm.streams.getMessage(this.#name, query)
    return found === null ? undefined : { seq: found.seq, entry: entryOf(found.data) }
  }

  #remember(seq: number, { first, count }: Entry): void {
    this.#places.set(first + count, seq)
    if (this.#places.size > PLACES) this.#places.delete(this.#places.keys().next().value as number)
  }

  #keySubject(key: string): string {
    return `${this.#subject}.k.${createHash('sha256').update(key).digest('base64url')}`
  }
}

function bytesOf(entry: Entry): Buffer {
  const first = Buffer.allocUnsafe(8)
  first.writeBigUInt64LE(BigInt(entry.first))
  return Buffer.concat([first, entryBytes(entry)])
}

function entryOf(data: Uint8Array): Entry {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  return readEntry(Number(bytes.readBigUInt64LE(0)), bytes.subarray(8))
}

function tooLong(maxPayload: number): Error {
  const text = `a message is longer than what NATS takes, max_payload ${maxPayload}`
  return streamSeaError('ERR_STREAMSEA_MESSAGE_LENGTH', text)
}
