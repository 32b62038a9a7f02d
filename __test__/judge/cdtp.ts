// Judges the frames captured from constellationdaq 1.0.2 by what their descriptions say.

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { decodeChirp, decodeChp, decodeCmdp, decodeCscp, Indexer } from '../../ts/cdtp/codec.js'
import { decode } from '../../ts/cdtp/decode.js'
import { MessageIndex } from '../../ts/cdtp/message-index.js'
import { RecordBatch } from '../../ts/cdtp/record-batch.js'
import { Extension, Timestamp } from '../../ts/cdtp/value.js'
import type { Verdict } from './main.js'

type Description = Record<string, unknown>

const REASONS: Readonly<Record<string, string>> = {
  'cdtp2-bad-block-is-string': 'ERR_CDTP_BLOCK_TYPE',
  'cdtp2-bad-bor-one-record': 'ERR_CDTP_RECORD_COUNT',
  'cdtp2-bad-cdtp1-header': 'ERR_CDTP_PROTOCOL_RETIRED',
  'cdtp2-bad-record-of-2': 'ERR_CDTP_RECORD_FIELDS',
  'cdtp2-bad-seq-is-float': 'ERR_CDTP_INTEGER_TYPE',
  'cdtp2-bad-tag-key-int': 'ERR_CDTP_KEY_TYPE',
  'cdtp2-bad-tags-are-array': 'ERR_CDTP_VALUE_TYPE',
  'cdtp2-bad-truncated': 'ERR_CDTP_MESSAGE_TRUNCATED',
  'cdtp2-bad-type-3': 'ERR_CDTP_NUMBER_UNKNOWN',
  'cdtp2-bad-type-as-string': 'ERR_CDTP_INTEGER_TYPE',
  'cdtp2-bad-unknown-protocol': 'ERR_CDTP_PROTOCOL_UNKNOWN',
}

export async function* judge(folder: string): AsyncIterable<Verdict> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -5))
  for (const name of names.sort()) {
    const description = JSON.parse(await readFile(join(folder, `${name}.json`), 'utf8')) as Description
    try {
      const detail = await judgeCase(folder, name, description)
      yield detail === undefined ? { case: name, passed: true } : { case: name, passed: false, detail }
    } catch (error) {
      yield { case: name, passed: false, detail: (error as Error).message }
    }
  }
}

/** What differs, or undefined. */
async function judgeCase(folder: string, name: string, description: Description): Promise<string | undefined> {
  const file = (suffix: string): Promise<Uint8Array> => readFile(join(folder, `${name}${suffix}.bin`))
  if (name.startsWith('zmtp-session')) return judgeSession(folder)
  if (name.startsWith('cdtp2-bad-')) return judgeBad(name, await file(''), description)
  if (name.startsWith('cdtp2-')) return compare(described(await file('')), description)
  if (name.startsWith('chirp-')) {
    const { kind, group, host, service, port } = decodeChirp(await file(''))
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
    const found = { group_md5_of_lowercase: hex(group), host_md5_of_lowercase: hex(host), type: kind, service, port }
    return compare(found, description)
  }
  const count = description['frames'] as number
  const frames = await Promise.all(Array.from({ length: count }, (_, frame) => file(`.frame${frame}`)))
  return compare(controlMessage(name, frames), description)
}

function judgeBad(name: string, bytes: Uint8Array, description: Description): string | undefined {
  const indexer = new Indexer(1 << 30)
  const status = indexer.index(bytes, new MessageIndex(16, 16).bytes)
  const code = status === 3 ? indexer.takeError()?.code : undefined
  const isAccepted = description['reaction_py_1.0.2'] === 'accepted'
  if (isAccepted !== (code === undefined))
    return `${code ?? 'accepted'} where Python says ${description['reaction_py_1.0.2']}`
  return code === REASONS[name] ? undefined : `${code} instead of ${REASONS[name]}`
}

/** The TCP bytes of a session: BOR, its records with the content of content.py, EOR. */
async function judgeSession(folder: string): Promise<string | undefined> {
  const kinds: unknown[] = []
  for (const direction of ['tx-to-rx', 'rx-to-tx']) {
    const bytes = await readFile(join(folder, `zmtp-session-${direction}.bin`))
    const chunks = (async function* () {
      for (let at = 0; at < bytes.length; at += 50) yield bytes.subarray(at, at + 50)
    })()
    for await (const line of decode(chunks)) kinds.push((line as { type?: string; event: string }).type ?? line)
  }
  const types = kinds.filter((kind) => typeof kind === 'string')
  const [first, last] = [types[0], types.at(-1)]
  const malformed = kinds.some((kind) => (kind as { event?: string }).event === 'malformed')
  if (malformed) return 'malformed bytes'
  return first === 'BOR' && last === 'EOR' && types.includes('DATA') ? undefined : `messages ${types.join(' ')}`
}

function described(message: Uint8Array): Description {
  const index = new MessageIndex(1024, 1024)
  const status = new Indexer(1 << 30).index(message, index.bytes)
  if (status !== 0) throw new Error(`status ${status}`)
  const start = index.senderOffset
  const sender = Buffer.from(message.subarray(start, start + index.senderLength)).toString('utf8')
  const batch = new RecordBatch(index.kind as 0 | 1 | 2, sender, '', 0n, 0, message, index)
  const records = [...batch].map(({ sequenceNumber, tags, blocks }) => {
    return { seq: json(sequenceNumber), tags: json(tags, iso), blocks: blocks.map((block) => json(block)) }
  })
  const type = ['DATA', 'BOR', 'EOR'][batch.kind]
  return { sender, type, records, payload_bytes: batch.payloadBytes, frame_bytes: message.length }
}

function controlMessage(name: string, frames: Uint8Array[]): Description {
  if (name.startsWith('chp1-')) {
    const { sender, time, state, flags, interval, status } = decodeChp(frames)
    return { sender, time: json(time, exact), state, flags, interval_ms: interval, status: status ?? null }
  }
  if (name.startsWith('cscp1-')) {
    const { sender, time, tags, verb, text, payload } = decodeCscp(frames)
    const found = { sender, time: json(time, exact), tags: json(tags, exact), type: verb, string: text }
    return payload === undefined ? found : { ...found, payload: json(payload, exact) }
  }
  const { kind, sender, time, tags, value, unit } = decodeCmdp(frames)
  const found = { sender, time: json(time, exact), tags: json(tags, exact) }
  return kind === 'metric' ? { ...found, value: json(value, exact), unit } : { ...found, topics: json(value, exact) }
}

/** Every key that was found has to be as described; the description may say more for people. */
function compare(found: Description, description: Description): string | undefined {
  for (const [key, value] of Object.entries(found)) {
    if (!(key in description) && key !== 'payload_bytes' && key !== 'frame_bytes') return `${key} is not described`
    if (key in description && !isDeepStrictEqual(value, description[key])) {
      return `${key} is ${JSON.stringify(value)} instead of ${JSON.stringify(description[key])}`
    }
  }
  return undefined
}

const iso = (time: Timestamp): unknown => {
  const micros = Math.floor(time.nanoseconds / 1000)
  const second = new Date(Number(time.seconds) * 1000).toISOString().slice(0, 19)
  return { $time: `${second}.${String(micros).padStart(6, '0')}Z` }
}
const exact = (time: Timestamp): unknown => ({ $time_s_ns: [Number(time.seconds), time.nanoseconds] })

function json(value: unknown, time: (time: Timestamp) => unknown = iso): unknown {
  if (typeof value === 'bigint') {
    return value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= BigInt(Number.MIN_SAFE_INTEGER)
      ? Number(value)
      : { $int: String(value) }
  }
  if (value instanceof Uint8Array) return { $bin: Buffer.from(value).toString('hex') }
  if (value instanceof Timestamp) return time(value)
  if (value instanceof Extension) return { $ext: [value.kind, Buffer.from(value.data).toString('hex')] }
  if (Array.isArray(value)) return value.map((item) => json(item, time))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, json(item, time)]))
  }
  return value
}
